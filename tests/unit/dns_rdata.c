/* Tests of vmta/dns_rdata.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns_rdata.h"

static bool mx(const char *bytes, size_t n, struct dns_mx *ret)
{
    char *exact = malloc(n); /* so that a read past the end is found */
    bool ok;

    memcpy(exact, bytes, n);
    ok = dns_rdata_mx(slice_make(exact, n), ret);
    free(exact);
    return ok;
}

static void an_mx_is_read_and_its_host_made_canonical(void **state)
{
    struct dns_mx m;

    assert_true(mx("\0\12\2MX\4Test", 2 + 3 + 5 + 1, &m));
    assert_int_equal(m.preference, 10);
    assert_string_equal(m.host, "mx.test");
}

static void the_root_is_a_null_mx(void **state)
{
    struct dns_mx m;

    assert_true(mx("\0\0\0", 3, &m));
    assert_string_equal(m.host, "");
}

static void an_mx_cut_anywhere_is_malformed(void **state)
{
    static const char whole[] = "\0\12\2mx\4test";
    struct dns_mx m;

    for (size_t n = 0; n < sizeof whole - 1; n++)
        if (n != 0)
            assert_false(mx(whole, n, &m));
}

static void hostile_names_are_refused(void **state)
{
    static const struct { const char *bytes; size_t n; } bad[] = {
        { "\0\12\2mx\4test\0x", 12 },      /* more behind it */
        { "\0\12\300\14\0", 5 },           /* a compression pointer */
        { "\0\12\5a.b.c\0", 9 },           /* dots inside a label */
        { "\0\12\3a\0b\0", 7 },            /* a NUL */
        { "\0\12\3a\nb\0", 7 },            /* a control character */
        { "\0\12\77ab\0", 6 },             /* a label longer than the data */
    };
    struct dns_mx m;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(mx(bad[i].bytes, bad[i].n, &m));
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    char wire[600] = { 0, 1 };
    size_t n = 2;
    struct dns_mx m;

    for (int i = 0; i < 9; i++) {
        wire[n] = 50;
        memset(wire + n + 1, 'a', 50);
        n += 51;
    }
    wire[n++] = 0;
    assert_false(mx(wire, n, &m));
}

static void addresses_have_their_size(void **state)
{
    struct inet_addr a;

    assert_true(dns_rdata_addr(slice_make("\177\0\0\1", 4), 4, &a));
    assert_int_equal(a.family, 4);
    assert_false(dns_rdata_addr(slice_make("\177\0\0\1", 3), 4, &a));
    assert_false(dns_rdata_addr(slice_make("\177\0\0\1", 4), 6, &a));
    assert_true(dns_rdata_addr(slice_make("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16), 6, &a));
    assert_true(dns_rdata_addr(slice_make("\0\0\0\0\0\0\0\0\0\0\377\377\177\0\0\1", 16), 6, &a));
    assert_int_equal(a.family, 4); /* what it means, for the loop guard and for the socket */
    assert_true(inet_is_loopback(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_mx_is_read_and_its_host_made_canonical),
        cmocka_unit_test(the_root_is_a_null_mx),
        cmocka_unit_test(an_mx_cut_anywhere_is_malformed),
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(addresses_have_their_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
