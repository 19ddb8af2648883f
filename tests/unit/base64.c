/* conf/base/base64.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base64.h"
#include "err.h"

static void both_ways(const char *bytes, size_t n, const char *text)
{
    struct buf b;

    buf_init(&b, 0);
    assert_int_equal(base64_encode(slice_make(bytes, n), &b), 0);
    assert_true(slice_eq(buf_slice(&b), slice_of(text)));
    assert_int_equal(base64_size(n), strlen(text));
    buf_clear(&b);
    assert_int_equal(base64_decode(slice_of(text), &b), 0);
    assert_true(slice_eq(buf_slice(&b), slice_make(bytes, n)));
    buf_free(&b);
}

static void the_vectors_of_rfc_4648_hold_both_ways(void **state)
{
    both_ways("", 0, "");
    both_ways("f", 1, "Zg==");
    both_ways("fo", 2, "Zm8=");
    both_ways("foo", 3, "Zm9v");
    both_ways("foob", 4, "Zm9vYg==");
    both_ways("fooba", 5, "Zm9vYmE=");
    both_ways("foobar", 6, "Zm9vYmFy");
    both_ways("\0\xff\xfb", 3, "AP/7");
}

static void what_is_not_canonical_is_refused_and_adds_nothing(void **state)
{
    static const char *const bad[] = { "Z",    "Zg",       "Zg=",    "Zh==", "Zm9=", "Z===",
                                       "====", "Zg==Zg==", "Zm9v\n", "Z-9v", "Zm 9", "=m9v" };
    struct buf b;

    buf_init(&b, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(base64_decode(slice_of(bad[i]), &b), FL_EINVAL);
        assert_int_equal(buf_len(&b), 0);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_hold_both_ways),
        cmocka_unit_test(what_is_not_canonical_is_refused_and_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
