/* Tests vmta/mail/address.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "address.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static enum address_error parse(const char *text, bool utf8)
{
    struct address a;

    return address_parse(slice_of(text), utf8, &a);
}

static void a_mailbox_has_a_local_part_and_a_domain(void **state)
{
    static const char *const good[] = { "bob@acme.example",
                                        "b.o.b@a",
                                        "o'brien@acme.example",
                                        "%n%s%x@acme.example",
                                        "a/b@acme.example",
                                        "\"bob smith\"@acme.example",
                                        "\"bob>\"@acme.example",
                                        "\"a@b\"@acme.example",
                                        "\"\"@a.b",
                                        "\"a\\\"b\\\\\"@a.b",
                                        A64 "@a.b",
                                        "!#$%&'*+-/=?^_`{|}~@a.b",
                                        "bob@[127.0.0.1]",
                                        "bob@[IPv6:2001:db8::1]",
                                        "bob@[ipv6:::1]",
                                        "a@1.2" };
    static const struct {
        const char *text;
        enum address_error error;
    } bad[] = {
        { "", ADDRESS_BAD_LOCAL },
        { "@acme.example", ADDRESS_BAD_LOCAL },
        { "bob", ADDRESS_BAD_DOMAIN },
        { "bob@", ADDRESS_BAD_DOMAIN },
        { "bob@acme..example", ADDRESS_BAD_DOMAIN },
        { "bob@acme.example.", ADDRESS_BAD_DOMAIN },
        { "bob@.acme", ADDRESS_BAD_DOMAIN },
        { "bob@a@b", ADDRESS_BAD_DOMAIN },
        { "bob@acme_example", ADDRESS_BAD_DOMAIN },
        { "bob@" A64 ".example", ADDRESS_BAD_DOMAIN },
        { ".bob@acme.example", ADDRESS_BAD_LOCAL },
        { "bob.@acme.example", ADDRESS_BAD_LOCAL },
        { "b..b@acme.example", ADDRESS_BAD_LOCAL },
        { "bob smith@acme.example", ADDRESS_BAD_LOCAL },
        { ";touch /tmp/x;@acme.example", ADDRESS_BAD_LOCAL },
        { "bo\x07"
          "b@acme.example",
          ADDRESS_BAD_LOCAL },
        { "\"bob@acme.example", ADDRESS_BAD_LOCAL },
        { "\"b\"ob@acme.example", ADDRESS_BAD_LOCAL },
        { "\"b\r\n\"@acme.example", ADDRESS_BAD_LOCAL },
        { "\"b\\", ADDRESS_BAD_LOCAL },
        { "\"b\x7f\"@a.b", ADDRESS_BAD_LOCAL },
        { A64 "a@a.b", ADDRESS_TOO_LONG },
        { "bob@[300.0.0.1]", ADDRESS_BAD_LITERAL },
        { "bob@[127.0.0.1", ADDRESS_BAD_LITERAL },
        { "bob@[]", ADDRESS_BAD_LITERAL },
        { "bob@[", ADDRESS_BAD_LITERAL },
        { "bob@[::1]", ADDRESS_BAD_LITERAL },
        { "bob@[IPv6:127.0.0.1]", ADDRESS_BAD_LITERAL },
        { "bob@[x:y]", ADDRESS_BAD_LITERAL },
        { "b\xc3\xb8"
          "b@acme.example",
          ADDRESS_NEEDS_SMTPUTF8 },
        { "bob@b\xc3\xbc"
          "cher.example",
          ADDRESS_NEEDS_SMTPUTF8 },
        { "b\xc3\x28"
          "b@acme.example",
          ADDRESS_BAD_LOCAL },
        { "b\xc3@acme.example", ADDRESS_BAD_UTF8 },
        { "b\xc0\xaf"
          "b@acme.example",
          ADDRESS_BAD_UTF8 },
        { "b\xed\xa0\x80@acme.example", ADDRESS_BAD_UTF8 },
        { "b\xc2\x85@acme.example", ADDRESS_BAD_UTF8 },
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse(good[i], false), ADDRESS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i].text, false), bad[i].error);
    assert_int_equal(parse("b\xc3\xb8"
                           "b@b\xc3\xbc"
                           "cher.example",
                           true),
                     ADDRESS_OK);
    assert_int_equal(parse("b\xc3@acme.example", true), ADDRESS_BAD_UTF8);
    assert_int_equal(parse("bob@a\xe3\x80\x82"
                           "b",
                           true),
                     ADDRESS_BAD_DOMAIN); /* an ideographic dot */
}

static void a_nul_ends_nothing(void **state)
{
    struct address a;

    assert_int_equal(address_parse(SLICE("bob\0@acme.example"), true, &a), ADDRESS_BAD_LOCAL);
    assert_int_equal(address_parse(SLICE("\"bob\0\"@acme.example"), true, &a), ADDRESS_BAD_LOCAL);
    assert_int_equal(address_parse(SLICE("bob@acme.example\0"), true, &a), ADDRESS_BAD_DOMAIN);
    assert_int_equal(address_parse(SLICE("bob@[127.0.0.1\0]"), true, &a), ADDRESS_BAD_LITERAL);
}

/* Each valid address with one byte changed, left out or doubled is parsed or refused; what is parsed is parsed again the same.
 */
static void every_address_one_step_away_is_judged(void **state)
{
    static const char *const seeds[] = { "bob@acme.example", "\"b \\\"o\"@a.b", "b@[IPv6:::1]", "b\xc3\xb8@b\xc3\xbc.x" };
    char text[64];

    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        size_t n = strlen(seeds[s]);

        for (size_t i = 0; i < n; i++) {
            for (int c = 0; c < 256; c++) {
                struct address a, b;

                memcpy(text, seeds[s], n);
                text[i] = (char)c;
                if (address_parse(slice_make(text, n), true, &a) != ADDRESS_OK)
                    continue;
                assert_true(slice_eq(a.text, slice_make(text, n)));
                assert_int_equal(a.local.n + 1 + a.domain.n, n);
                assert_int_equal(address_parse(a.text, true, &b), ADDRESS_OK);
                assert_true(address_eq(&a, &b));
            }
        }
    }
}

static enum address_error path(const char *arg, bool null_allowed, const char *text, const char *rest)
{
    struct address a;
    struct slice r;
    enum address_error e = address_parse_path(slice_of(arg), true, null_allowed, &a, &r);

    if (e == ADDRESS_OK) {
        assert_true(slice_eq(a.text, slice_of(text)));
        assert_true(slice_eq(r, slice_of(rest)));
    }
    return e;
}

static void a_path_stands_in_brackets(void **state)
{
    assert_int_equal(path("<bob@a.b>", true, "bob@a.b", ""), ADDRESS_OK);
    assert_int_equal(path("<bob@a.b> ", true, "bob@a.b", ""), ADDRESS_OK);
    assert_int_equal(path("<bob@a.b>  SIZE=1 BODY=8BITMIME", true, "bob@a.b", "SIZE=1 BODY=8BITMIME"), ADDRESS_OK);
    assert_int_equal(path("<\"bob> \"@a.b> X", true, "\"bob> \"@a.b", "X"), ADDRESS_OK);
    assert_int_equal(path("<@x.y:bob@a.b>", true, "bob@a.b", ""), ADDRESS_OK);
    assert_int_equal(path("<@x.y,@z:\"a:b\"@a.b>", true, "\"a:b\"@a.b", ""), ADDRESS_OK);
    static const char *const bad[] = { "",
                                       "bob@a.b",
                                       "<bob@a.b",
                                       " <bob@a.b>",
                                       "<bob@a.b><eve@c.d>",
                                       "<bob@a.b>,<eve@c.d>",
                                       "<bob@a.b>\t",
                                       "<@x.y>",
                                       "<@:bob@a.b>",
                                       "<@x,:bob@a.b>",
                                       "<@x,y:bob@a.b>",
                                       "<@x..y:bob@a.b>",
                                       "<x@y:bob@a.b>",
                                       "<@x.y:>",
                                       "<@x.y:postmaster>",
                                       "<",
                                       "<<bob@a.b>>",
                                       "<bob@a.b >" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_not_equal(path(bad[i], true, "", ""), ADDRESS_OK);
        assert_int_not_equal(path(bad[i], false, "", ""), ADDRESS_OK);
    }
}

static void only_mail_has_a_null_path_and_only_rcpt_a_postmaster(void **state)
{
    struct address a;
    struct slice rest;

    assert_int_equal(address_parse_path(SLICE("<> RET=HDRS"), false, true, &a, &rest), ADDRESS_OK);
    assert_int_equal(a.kind, ADDRESS_NULL);
    assert_true(slice_eq(rest, SLICE("RET=HDRS")));
    assert_int_equal(address_parse_path(SLICE("<>"), false, false, &a, &rest), ADDRESS_NOT_NULL);
    assert_int_equal(address_parse_path(SLICE("<PostMaster>"), false, false, &a, &rest), ADDRESS_OK);
    assert_int_equal(a.kind, ADDRESS_POSTMASTER);
    assert_int_equal(address_parse_path(SLICE("<postmaster>"), false, true, &a, &rest), ADDRESS_BAD_DOMAIN);
}

static void every_error_has_an_answer(void **state)
{
    for (int e = ADDRESS_BAD_PATH; e <= ADDRESS_NOT_NULL; e++) {
        assert_int_equal(address_refusal(e, false)->code / 10, e == ADDRESS_NEEDS_SMTPUTF8 ? 55 : 50);
        assert_string_equal(address_refusal(e, false)->enhanced, e == ADDRESS_NEEDS_SMTPUTF8 ? "5.6.7" : "5.1.7");
        assert_string_equal(address_refusal(e, true)->enhanced, e == ADDRESS_NEEDS_SMTPUTF8 ? "5.6.7" : "5.1.3");
    }
}

static void key_is(const char *text, const char *key)
{
    struct address a;
    char ret[ADDRESS_TEXT];

    assert_int_equal(address_parse(slice_of(text), true, &a), ADDRESS_OK);
    address_key(&a, ret);
    assert_string_equal(ret, key);
}

static void one_mailbox_has_one_key(void **state)
{
    key_is("Bob@ACME.example", "bob@acme.example");
    key_is("\"Bob\"@acme.example", "bob@acme.example");
    key_is("\"b\\ob\"@acme.example", "bob@acme.example");
    key_is("\"b ob\"@acme.example", "\"b ob\"@acme.example");
    key_is("\"b\\\"\\ ob\"@acme.example", "\"b\\\" ob\"@acme.example");
    key_is("\".b\"@a", "\".b\"@a");
    key_is("\"\"@a", "\"\"@a");
    key_is("b@b\xc3\xbc"
           "cher.example",
           "b@xn--bcher-kva.example");
    key_is("b@[IPv6:2001:DB8:0::1]", "b@[IPv6:2001:db8::1]");
    key_is("\xc3\x9c@a", "\xc3\x9c@a");
}

static void the_envelope_keeps_the_local_part_as_typed(void **state)
{
    struct address a;
    char ret[ADDRESS_TEXT];

    assert_int_equal(address_parse(SLICE("\"B b\"@B\xc3\xbc"
                                         "cher.example"),
                                   true, &a),
                     ADDRESS_OK);
    address_ascii_domain(&a, ret);
    assert_string_equal(ret, "\"B b\"@xn--bcher-kva.example");
    assert_false(address_needs_smtputf8(&a));
    assert_false(address_is_ascii(&a));
    a = (struct address){ .kind = ADDRESS_NULL };
    address_ascii_domain(&a, ret);
    assert_string_equal(ret, "");
}

static bool matches(const char *text, const char *pattern)
{
    struct address a;

    assert_int_equal(address_parse(slice_of(text), true, &a), ADDRESS_OK);
    return address_matches(&a, slice_of(pattern));
}

static void a_pattern_means_users_domains_or_both(void **state)
{
    assert_true(matches("Bob@News.acme.example", "*@news.acme.example"));
    assert_true(matches("Bob@News.acme.example", "bob@news.acme.example"));
    assert_true(matches("\"bob\"@news.acme.example", "BOB@news.acme.example"));
    assert_true(matches("bob@news.acme.example", "news.acme.example"));
    assert_true(matches("bob@news.acme.example", "*.acme.example"));
    assert_true(matches("bob@news.acme.example", "bob@*.acme.example"));
    assert_true(matches("bob@news.acme.example", "*"));
    assert_false(matches("bob@acme.example", "*.acme.example"));
    assert_false(matches("bob@acme.example", "eve@acme.example"));
    assert_false(matches("bob@notacme.example", "acme.example"));
    assert_false(matches("\"bob@acme.example\"@evil.test", "acme.example"));
    assert_false(matches("bob@[127.0.0.1]", "*@127.0.0.1"));
    assert_true(matches("bob@[127.0.0.1]", "*"));
    assert_true(address_matches(&(struct address){ .kind = ADDRESS_NULL }, SLICE("*")));
    assert_false(address_matches(&(struct address){ .kind = ADDRESS_NULL }, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mailbox_has_a_local_part_and_a_domain),
        cmocka_unit_test(a_nul_ends_nothing),
        cmocka_unit_test(every_address_one_step_away_is_judged),
        cmocka_unit_test(a_path_stands_in_brackets),
        cmocka_unit_test(only_mail_has_a_null_path_and_only_rcpt_a_postmaster),
        cmocka_unit_test(every_error_has_an_answer),
        cmocka_unit_test(one_mailbox_has_one_key),
        cmocka_unit_test(the_envelope_keeps_the_local_part_as_typed),
        cmocka_unit_test(a_pattern_means_users_domains_or_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
