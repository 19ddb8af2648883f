/* Tests conf/base/domain.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "domain.h"

static void becomes(const char *in, const char *out)
{
    char ret[DOMAIN_MAX] = "";

    assert_int_equal(domain_canonical(slice_of(in), ret), out[0] != 0);
    if (out[0])
        assert_string_equal(ret, out);
}

static void a_name_has_one_canonical_form(void **state)
{
    becomes("Example.COM", "example.com");
    becomes("a", "a");
    becomes("1.2.3", "1.2.3");
    becomes("b\xc3\xbc" "cher.example", "xn--bcher-kva.example");
    becomes("B\xc3\x9c" "CHER.example", "xn--bcher-kva.example");
    becomes("xn--BCHER-kva.example", "xn--bcher-kva.example");
    becomes("stra\xc3\x9f" "e.example", "xn--strae-oqa.example"); /* non-transitional */
    becomes("bu\xcc\x88" "cher.example", "xn--bcher-kva.example"); /* NFC first */
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b.c", "a b", "a@b", "[127.0.0.1]", "a/b",
        "a\xe3\x80\x82" "b",      /* U+3002: mapped to a dot by UTS 46 */
        "a\xef\xbc\x8e" "b",      /* U+FF0E */
        "\xff.example", "\xc0\xaf.example", "a\xc2\xad.\xc2\xad.example",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        becomes(bad[i], "");
}

static void a_name_has_at_most_253_octets(void **state)
{
    char name[300], ret[DOMAIN_MAX];

    for (int i = 0; i < 300; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_true(domain_canonical(slice_make(name, 253), ret));
    assert_false(domain_canonical(slice_make(name, 255), ret));
}

static void people_see_unicode(void **state)
{
    char ret[DOMAIN_MAX];

    assert_true(domain_unicode(SLICE("xn--bcher-kva.example"), ret, sizeof ret));
    assert_string_equal(ret, "b\xc3\xbc" "cher.example");
    assert_true(domain_unicode(SLICE("plain.example"), ret, sizeof ret));
    assert_string_equal(ret, "plain.example");
    assert_false(domain_unicode(SLICE("plain.example"), ret, 5));
}

static void a_wildcard_stands_at_the_front(void **state)
{
    char ret[DOMAIN_MAX + 2];

    assert_true(domain_pattern_canonical(SLICE("*"), ret));
    assert_string_equal(ret, "*");
    assert_true(domain_pattern_canonical(SLICE("*.Example.com"), ret));
    assert_string_equal(ret, "*.example.com");
    assert_true(domain_pattern_canonical(SLICE("Example.com"), ret));
    assert_string_equal(ret, "example.com");
    assert_false(domain_pattern_canonical(SLICE("*."), ret));
    assert_false(domain_pattern_canonical(SLICE("a.*"), ret));
    assert_false(domain_pattern_canonical(SLICE("*a.com"), ret));
    assert_false(domain_pattern_canonical(SLICE("*.*.com"), ret));
    assert_false(domain_pattern_canonical(SLICE(""), ret));
}

static void a_wildcard_means_names_below_it(void **state)
{
    assert_true(domain_matches(SLICE("*"), SLICE("a.b")));
    assert_true(domain_matches(SLICE("*.b"), SLICE("a.b")));
    assert_true(domain_matches(SLICE("*.b"), SLICE("x.a.b")));
    assert_false(domain_matches(SLICE("*.b"), SLICE("b")));
    assert_false(domain_matches(SLICE("*.b"), SLICE(".b")));
    assert_false(domain_matches(SLICE("*.b"), SLICE("a.bb")));
    assert_true(domain_matches(SLICE("a.b"), SLICE("a.b")));
    assert_false(domain_matches(SLICE("a.b"), SLICE("x.a.b")));
    assert_true(domain_specificity(SLICE("a.b")) > domain_specificity(SLICE("*.a.b")));
    assert_true(domain_specificity(SLICE("*.a.b")) > domain_specificity(SLICE("*.b")));
    assert_true(domain_specificity(SLICE("*.b")) > domain_specificity(SLICE("*")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_one_canonical_form),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_name_has_at_most_253_octets),
        cmocka_unit_test(people_see_unicode),
        cmocka_unit_test(a_wildcard_stands_at_the_front),
        cmocka_unit_test(a_wildcard_means_names_below_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
