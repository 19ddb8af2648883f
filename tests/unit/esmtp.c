/* Tests vmta/mail/esmtp.c and xtext.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "esmtp.h"

enum { ALL = ESMTP_SIZE | ESMTP_8BITMIME | ESMTP_BINARYMIME | ESMTP_SMTPUTF8 | ESMTP_DSN | ESMTP_AUTH };

static struct esmtp_mail mail(const char *text)
{
    struct esmtp_mail m;
    const struct refusal *r;

    assert_true(esmtp_parse_mail(slice_of(text), ALL, &m, &r));
    return m;
}

static int mail_code(const char *text, unsigned offered)
{
    struct esmtp_mail m;
    const struct refusal *r = NULL;

    return esmtp_parse_mail(slice_of(text), offered, &m, &r) ? 250 : r->code;
}

static int rcpt_code(const char *text, bool smtputf8)
{
    struct esmtp_rcpt rcpt;
    const struct refusal *r = NULL;

    return esmtp_parse_rcpt(slice_of(text), ALL, smtputf8, &rcpt, &r) ? 250 : r->code;
}

static void the_parameters_of_mail_are_read(void **state)
{
    struct esmtp_mail m = mail("SIZE=100 body=8bitmime RET=HDRS ENVID=a+2Bb SMTPUTF8 AUTH=e+3Dmc2@example.com ");

    assert_true(m.has_size && m.size == 100 && m.has_body && m.body == ESMTP_BODY_8BITMIME && m.smtputf8 && m.has_auth);
    assert_int_equal(m.ret, ESMTP_RET_HDRS);
    assert_string_equal(m.envid, "a+b");
    assert_string_equal(m.auth, "e=mc2@example.com");
    m = mail("");
    assert_false(m.has_size || m.has_body || m.smtputf8 || m.has_auth);
    m = mail("AUTH=<> BODY=BINARYMIME");
    assert_true(m.has_auth && m.auth[0] == 0 && m.body == ESMTP_BODY_BINARYMIME);
    assert_true(mail("SIZE=4294967297").size == 4294967297u);
    assert_true(mail("SIZE=99999999999999999999").size == UINT64_MAX);
}

static void what_is_malformed_or_unknown_is_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        { "FOO=BAR", 555 },
        { "FOO", 555 },
        { "NOTIFY=NEVER", 555 },
        { "==", 501 },
        { "=x", 501 },
        { "SIZE", 501 },
        { "SIZE=", 501 },
        { "SIZE=-1", 501 },
        { "SIZE=1 SIZE=1", 501 },
        { "SIZE=1x", 501 },
        { "SIZE=123456789012345678901", 501 },
        { "BODY=9BIT", 501 },
        { "RET=SOME", 501 },
        { "RET=", 501 },
        { "ENVID=a+2", 501 },
        { "ENVID=a+2b", 501 },
        { "ENVID=a+0D+0Ab", 501 },
        { "ENVID=", 501 },
        { "ENVID=a=b", 501 },
        { "ENVID=a+7F", 501 },
        { "ENVID=a+FF", 501 },
        { "SMTPUTF8=1", 501 },
        { "AUTH=<x", 501 },
        { "AUTH=a@b+0D", 501 },
        { "AUTH=nobody", 501 },
        { "-X=1", 501 },
        { "X\tY", 501 },
        { "ENVID=\xc3\xbc", 501 },
        { "ENVID=\xff", 501 },
        { "A B C D E F G H I J K L M N O P Q", 555 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(mail_code(cases[i].text, ALL), cases[i].code);
    assert_int_equal(mail_code("SIZE=1", ALL & ~ESMTP_SIZE), 555);
    assert_int_equal(mail_code("ENVID=a", ALL & ~ESMTP_DSN), 555);
    assert_int_equal(mail_code("BODY=BINARYMIME", ALL & ~ESMTP_BINARYMIME), 501);
}

static void an_envelope_id_has_at_most_100_characters(void **state)
{
    char text[200] = "ENVID=";

    memset(text + 6, 'a', 100);
    assert_int_equal(mail_code(text, ALL), 250);
    text[106] = 'a';
    assert_int_equal(mail_code(text, ALL), 501);
}

static void the_parameters_of_rcpt_are_read(void **state)
{
    struct esmtp_rcpt rcpt;
    const struct refusal *r;
    char text[ESMTP_NOTIFY_TEXT];

    assert_true(esmtp_parse_rcpt(SLICE("NOTIFY=success,DELAY,FAILURE ORCPT=rfc822;a+2Bb@dest.example"), ALL, false, &rcpt, &r));
    assert_int_equal(rcpt.notify, ESMTP_NOTIFY_SUCCESS | ESMTP_NOTIFY_DELAY | ESMTP_NOTIFY_FAILURE);
    assert_string_equal(rcpt.orcpt, "rfc822;a+b@dest.example");
    esmtp_notify_text(rcpt.notify, text);
    assert_string_equal(text, "SUCCESS,FAILURE,DELAY");
    esmtp_notify_text(ESMTP_NOTIFY_NEVER, text);
    assert_string_equal(text, "NEVER");
    esmtp_notify_text(0, text);
    assert_string_equal(text, "");
    static const char *const bad[] = { "NOTIFY=NEVER,SUCCESS",
                                       "NOTIFY=SUCCESS,SUCCESS",
                                       "NOTIFY=",
                                       "NOTIFY=SUCCESS,",
                                       "NOTIFY=,SUCCESS",
                                       "NOTIFY=X",
                                       "NOTIFY=NEVER NOTIFY=NEVER",
                                       "ORCPT=rfc822",
                                       "ORCPT=rfc822;",
                                       "ORCPT=;a",
                                       "ORCPT=rfc822;a+0D+0Ab",
                                       "ORCPT=rfc822;\xc3\xbc@a",
                                       "ORCPT=utf-8;\xc3\xbc@a",
                                       "ORCPT=utf-8;\\x{FC@a",
                                       "ORCPT=utf-8;\\x{D800}@a",
                                       "ORCPT=utf-8;\\x{0A}@a",
                                       "ORCPT=utf-8;\\x{85}@a",
                                       "ORCPT=utf-8;\\x{110000}@a",
                                       "ORCPT=utf-8;\\xFC@a",
                                       "ORCPT=utf-8;a+2Bb@a",
                                       "ORCPT=utf-8;\\x{1234567}@a",
                                       "ORCPT=utf-8;\\x{}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rcpt_code(bad[i], false), 501);
    assert_int_equal(rcpt_code("SIZE=1", false), 555);
}

static void an_original_recipient_may_be_unicode(void **state)
{
    struct esmtp_rcpt rcpt;
    const struct refusal *r;
    struct buf out;

    assert_true(esmtp_parse_rcpt(SLICE("ORCPT=utf-8;\\x{FC}\\x{20AC}\\x{1F600}\\x{2B}@a"), ALL, false, &rcpt, &r));
    assert_string_equal(rcpt.orcpt, "utf-8;\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80+@a");
    assert_true(esmtp_parse_rcpt(SLICE("ORCPT=utf-8;\xc3\xbc@a"), ALL, true, &rcpt, &r));
    assert_string_equal(rcpt.orcpt, "utf-8;\xc3\xbc@a");
    assert_int_equal(rcpt_code("ORCPT=utf-8;\xc2\x85@a", true), 501);
    buf_init(&out, 0);
    assert_int_equal(esmtp_orcpt_encode(SLICE("utf-8;\xc3\xbc\xf0\x9f\x98\x80+@a"), false, &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("utf-8;\\x{FC}\\x{1F600}\\x{2B}@a")));
    buf_clear(&out);
    assert_int_equal(esmtp_orcpt_encode(SLICE("utf-8;\xc3\xbc+@a"), true, &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("utf-8;\xc3\xbc\\x{2B}@a")));
    buf_clear(&out);
    assert_int_equal(esmtp_orcpt_encode(SLICE("rfc822;a+b =c@a"), true, &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("rfc822;a+2Bb+20+3Dc@a")));
    buf_free(&out);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    char plain[2] = "", back[8];
    struct buf out;

    buf_init(&out, 0);
    for (int c = ' '; c < 0x7f; c++) {
        plain[0] = (char)c;
        buf_clear(&out);
        assert_int_equal(esmtp_xtext_encode(slice_of(plain), &out), 0);
        assert_true(esmtp_xtext_decode(buf_slice(&out), back, sizeof back));
        assert_string_equal(back, plain);
    }
    buf_free(&out);
    assert_false(esmtp_xtext_decode(SLICE("abcdefgh"), back, sizeof back));
    assert_true(esmtp_xtext_decode(SLICE("abcdefg"), back, sizeof back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parameters_of_mail_are_read),           cmocka_unit_test(what_is_malformed_or_unknown_is_refused),
        cmocka_unit_test(an_envelope_id_has_at_most_100_characters), cmocka_unit_test(the_parameters_of_rcpt_are_read),
        cmocka_unit_test(an_original_recipient_may_be_unicode),      cmocka_unit_test(what_is_encoded_decodes_to_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
