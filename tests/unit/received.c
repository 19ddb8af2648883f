/* Tests vmta/mail/received.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "received.h"

static struct received sample(void)
{
    struct received r = {
        .helo = SLICE("client.test"),
        .client_name = SLICE("mail.client.test"),
        .hostname = SLICE("relay.example.net"),
        .esmtp = true,
        .tls = true,
        .auth = true,
        .tls_version = SLICE("TLSv1.3"),
        .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
        .id = SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        .recipient = SLICE("alice@dest.example"),
        .wall_ms = 0,
    };

    assert_true(inet_addr_parse(SLICE("192.0.2.1"), &r.client));
    return r;
}

static void is(const struct received *r, const char *text)
{
    struct buf out;

    buf_init(&out, 0);
    assert_int_equal(received_write(r, &out), 0);
    assert_int_equal(buf_add_char(&out, 0), 0);
    assert_string_equal(buf_slice(&out).p, text);
    buf_free(&out);
}

static void the_trace_says_who_by_whom_and_how(void **state)
{
    struct received r = sample();

    is(&r, "Received: from client.test (mail.client.test [192.0.2.1])\r\n"
           "\tby relay.example.net with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
           "\tid 01ARZ3NDEKTSV4RRFFQ69G5FAV for <alice@dest.example>;\r\n"
           "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
    r.hide_client = true;
    r.tls = r.auth = false;
    r.recipient = SLICE_NONE;
    is(&r, "Received: by relay.example.net with ESMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV;\r\n"
           "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
}

static void what_a_client_says_cannot_leave_its_place(void **state)
{
    static const struct slice evil[] = {
        SLICE("a\r\nX: y"),          SLICE("a) (b"), SLICE("a;b"), SLICE(""), SLICE("a b"), SLICE("a\0b"),
        SLICE("[1.2.3.4]\r\nX: y]"), SLICE("\xff")
    };

    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        struct received r = sample();

        r.helo = r.client_name = r.tls_cipher = r.id = evil[i];
        r.recipient = SLICE("a\r\nb@c");
        is(&r, "Received: from [192.0.2.1] ([192.0.2.1]) by relay.example.net with ESMTPSA;\r\n"
               "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
    }
}

static void a_client_may_be_named_by_a_literal(void **state)
{
    struct received r = sample();

    r.client_name = r.recipient = SLICE_NONE;
    r.tls = r.auth = r.esmtp = false;
    r.helo = SLICE("[IPv6:2001:DB8::1]");
    is(&r, "Received: from [IPv6:2001:db8::1] ([192.0.2.1]) by relay.example.net\r\n"
           "\twith SMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV;\r\n"
           "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
}

static void utf8_stands_only_where_it_may(void **state)
{
    struct received r = sample();

    r.hide_client = true;
    r.tls = r.auth = false;
    r.recipient = SLICE("\xc3\xbc@a");
    is(&r, "Received: by relay.example.net with ESMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV;\r\n"
           "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
    r.smtputf8 = true;
    is(&r, "Received: by relay.example.net with UTF8SMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV\r\n"
           "\tfor <\xc3\xbc@a>; Thu, 01 Jan 1970 00:00:00 +0000\r\n");
}

static void the_protocol_names_what_was_used(void **state)
{
    assert_string_equal(received_protocol(&(struct received){ 0 }), "SMTP");
    assert_string_equal(received_protocol(&(struct received){ .esmtp = true, .auth = true }), "ESMTPA");
    assert_string_equal(received_protocol(&(struct received){ .esmtp = true, .tls = true }), "ESMTPS");
    assert_string_equal(received_protocol(&(struct received){ .esmtp = true, .tls = true, .auth = true, .smtputf8 = true }),
                        "UTF8SMTPSA");
}

static void no_line_is_longer_than_998(void **state)
{
    char helo[253], name[253], rcpt[254];
    struct received r = sample();
    struct buf out;
    struct slice rest;

    memset(helo, 'h', sizeof helo);
    memset(name, 'n', sizeof name);
    memset(rcpt, 'r', sizeof rcpt);
    r.helo = r.hostname = slice_make(helo, sizeof helo);
    r.client_name = r.id = r.tls_cipher = slice_make(name, sizeof name);
    r.recipient = slice_make(rcpt, sizeof rcpt);
    buf_init(&out, 0);
    assert_int_equal(received_write(&r, &out), 0);
    for (rest = buf_slice(&out); rest.n;)
        assert_true(slice_cut(&rest, '\n').n < 998);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_trace_says_who_by_whom_and_how), cmocka_unit_test(what_a_client_says_cannot_leave_its_place),
        cmocka_unit_test(a_client_may_be_named_by_a_literal), cmocka_unit_test(utf8_stands_only_where_it_may),
        cmocka_unit_test(the_protocol_names_what_was_used),   cmocka_unit_test(no_line_is_longer_than_998),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
