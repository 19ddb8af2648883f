/* Tests conf/base/ulid.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ulid.h"

static void ids_rise_even_when_the_clock_does_not(void **state)
{
    static const int64_t times[] = { 1000, 1000, 1001, 999, 0, -5, 1001, 1002, 1764000000000 };
    struct rand r;
    struct ulid_source src = { .rand = &r };
    struct ulid last = { { 0 } }, id;
    char a[ULID_TEXT], b[ULID_TEXT];

    rand_seed(&r, 1);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        id = ulid_next(&src, times[i]);
        assert_true(ulid_cmp(&id, &last) > 0);
        ulid_text(&id, a);
        ulid_text(&last, b);
        assert_true(slice_cmp(slice_of(a), slice_of(b)) > 0);
        last = id;
    }
    assert_int_equal(ulid_ms(&id), 1764000000000);
}

static void the_last_id_of_a_millisecond_is_followed_by_the_next(void **state)
{
    struct rand r;
    struct ulid_source src = { .rand = &r };
    struct ulid id;

    rand_seed(&r, 1);
    memset(src.last.b, 0xff, sizeof src.last.b);
    src.last.b[0] = 0;
    id = ulid_next(&src, 5);
    assert_int_equal(ulid_ms(&id), 1LL << 40);
}

static void text_is_read_back(void **state)
{
    struct rand r;
    struct ulid_source src = { .rand = &r };
    char text[ULID_TEXT];

    rand_seed(&r, 7);
    for (int i = 0; i < 1000; i++) {
        struct ulid id = ulid_next(&src, 1764000000000 + i / 3), back;

        ulid_text(&id, text);
        assert_true(ulid_parse(slice_of(text), &back));
        assert_int_equal(ulid_cmp(&id, &back), 0);
    }
    struct ulid known;
    assert_true(ulid_parse(SLICE("01arz3ndektsv4rrffq69g5fav"), &known));
    assert_int_equal(ulid_ms(&known), 1469922850259);
    assert_false(ulid_parse(SLICE("81ARZ3NDEKTSV4RRFFQ69G5FAV"), &known)); /* more than 128 bits */
    assert_false(ulid_parse(SLICE("01ARZ3NDEKTSV4RRFFQ69G5FA"), &known));
    assert_false(ulid_parse(SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAU"), &known));
    assert_false(ulid_parse(SLICE("01ARZ3NDEKTSV4RRFFQ69G5FA\0"), &known));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_rise_even_when_the_clock_does_not),
        cmocka_unit_test(the_last_id_of_a_millisecond_is_followed_by_the_next),
        cmocka_unit_test(text_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
