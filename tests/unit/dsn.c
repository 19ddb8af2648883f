/* Tests vmta/mail/dsn.c, dsn_status.c, dsn_words.c and qp.c. tests/unit/dsn_read.py reads what `test_dsn --write` prints with
 * Python's email package. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "dsn.h"
#include "err.h"
#include "qp.h"

#define HEADER "From: <bob@acme.example>\r\nSubject: hello\r\n\r\n"
#define LONG_WORDS \
    "no such user here, and this host says so in very many words, so many that the field has to be folded more than once"

static const struct dsn_recipient failed = {
    .address = SLICE("u@hard.test"),
    .orcpt = SLICE("rfc822;a+b@dest.example"),
    .action = DSN_FAILED,
    .status = SLICE("5.1.1"),
    .remote_mta = SLICE("mx.hard.test"),
    .code = 550,
    .enhanced = SLICE("5.1.1"),
    .diagnostic = SLICE(LONG_WORDS),
    .last_attempt_ms = 1000,
};
static const struct dsn_recipient mixed[] = {
    { .address = SLICE("ok@dest.test"),
      .action = DSN_DELIVERED,
      .status = SLICE("2.1.5"),
      .remote_mta = SLICE("mx"),
      .code = 250,
      .diagnostic = SLICE("ok") },
    { .address = SLICE("later@dest.test"),
      .action = DSN_DELAYED,
      .status = SLICE("5.1.1"),
      .diagnostic = SLICE("connection timed out"),
      .retry_until_ms = 86400000 },
    { .address = SLICE("on@dest.test"), .action = DSN_RELAYED, .status = SLICE(""), .remote_mta = SLICE("mx"), .code = 250 },
    { .address = SLICE("old@dest.test"),
      .action = DSN_FAILED,
      .status = SLICE("4.4.7"),
      .diagnostic = SLICE("not delivered within 4 days") },
    { .address = SLICE("list@dest.test"), .action = DSN_EXPANDED, .status = SLICE("2.0.0"), .diagnostic = SLICE("sent on") },
};
static const struct dsn_recipient unicode = {
    .address = SLICE("\xc3\xbc@noutf8.test"),
    .orcpt = SLICE("utf-8;\xc3\xbc@noutf8.test"),
    .action = DSN_FAILED,
    .status = SLICE("5.6.7"),
    .diagnostic = SLICE("gr\xc3\xbc\xc3\x9f"
                        "e"),
};

static struct dsn_request request(const struct dsn_recipient *recipients, size_t n)
{
    return (struct dsn_request){
        .hostname = SLICE("relay.example.net"),
        .id = SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        .sender = SLICE("bob@acme.example"),
        .envid = SLICE("abc+def"),
        .recipients = recipients,
        .recipients_n = n,
        .original = SLICE(HEADER "BODYMARK\r\n..dots\r\n"),
        .arrival_ms = 1,
    };
}

/* The requests that Python reads too, each with a name that says what is to be found. */
static const char *const samples[] = { "failed",           "full",       "mixed", "unicode-recipient", "unicode-sender",
                                       "unicode-original", "no-original" };

static struct dsn_request sample(const char *name)
{
    struct dsn_request r = request(&failed, 1);

    if (strcmp(name, "full") == 0)
        r.full = true;
    if (strcmp(name, "mixed") == 0)
        r = request(mixed, sizeof mixed / sizeof mixed[0]);
    if (strncmp(name, "unicode", 7) == 0) {
        r.recipients = &unicode;
        r.original_smtputf8 = true;
        r.original = SLICE("From: <bob@acme.example>\r\nSubject: gr\xc3\xbc\xc3\x9f"
                           "e\r\n..X: y\r\n\r\nBODYMARK \xc3\xbc\r\n");
    }
    if (strcmp(name, "unicode-sender") == 0)
        r.sender = SLICE("b\xc3\xb6"
                         "b@acme.example");
    if (strcmp(name, "unicode-original") == 0)
        r.full = true;
    if (strcmp(name, "no-original") == 0)
        r.original = SLICE_NONE;
    return r;
}

static bool has(const struct buf *b, const char *text)
{
    return slice_find_slice(buf_slice(b), slice_of(text)) < buf_len(b);
}

static struct buf write_dsn(const struct dsn_request *r, struct dsn_needs *needs)
{
    struct buf out;

    buf_init(&out, 0);
    assert_int_equal(dsn_write(r, &out, needs), 0);
    return out;
}

static void a_failure_is_told_to_people_and_programs(void **state)
{
    struct dsn_request r = sample("failed");
    struct dsn_needs needs;
    struct buf out = write_dsn(&r, &needs);

    assert_false(needs.eight_bit || needs.smtputf8);
    assert_true(has(&out, "\r\nTo: <bob@acme.example>\r\n"));
    assert_true(has(&out, "From: Mail Delivery System <MAILER-DAEMON@relay.example.net>\r\n"));
    assert_true(has(&out, "\r\nAuto-Submitted: auto-replied\r\n"));
    assert_true(has(&out, "  <u@hard.test>\r\n     mx.hard.test answered: 550 5.1.1 no such user here"));
    assert_true(has(&out, "\r\nReporting-MTA: dns;relay.example.net\r\nOriginal-Envelope-Id: abc+def\r\nArrival-Date: Thu, 01 "
                          "Jan 1970 00:00:00 +0000\r\n\r\n"));
    assert_true(
        has(&out, "\r\nOriginal-Recipient: rfc822;a+b@dest.example\r\nFinal-Recipient: rfc822;u@hard.test\r\nAction: failed\r\n"
                  "Status: 5.1.1\r\nRemote-MTA: dns;mx.hard.test\r\nDiagnostic-Code: smtp;550 5.1.1 no such user here"));
    assert_true(has(&out, "Content-Type: text/rfc822-headers\r\n"));
    assert_true(has(&out, "Subject: hello\r\n") && !has(&out, "BODYMARK"));
    buf_free(&out);
}

static void the_whole_message_comes_back_when_asked_for(void **state)
{
    struct dsn_request r = sample("full");
    struct dsn_needs needs;
    struct buf out = write_dsn(&r, &needs);

    assert_true(has(&out, "Content-Type: message/rfc822\r\n"));
    assert_true(has(&out, HEADER "BODYMARK\r\n..dots\r\n\r\n--=_"));
    buf_free(&out);
}

static void each_recipient_has_its_own_outcome(void **state)
{
    struct dsn_request r = sample("mixed");
    struct dsn_needs needs;
    struct buf out = write_dsn(&r, &needs);

    assert_true(has(&out, "Subject: Delivery failed\r\n"));
    assert_true(has(&out, "Final-Recipient: rfc822;ok@dest.test\r\nAction: delivered\r\nStatus: 2.1.5\r\n"));
    assert_true(has(&out, "Final-Recipient: rfc822;later@dest.test\r\nAction: delayed\r\nStatus: 4.0.0\r\n"));
    assert_true(
        has(&out, "Diagnostic-Code: x-fairlead;connection timed out\r\nWill-Retry-Until: Fri, 02 Jan 1970 00:00:00 +0000\r\n"));
    assert_true(has(&out, "Final-Recipient: rfc822;on@dest.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n"));
    assert_true(has(&out, "Final-Recipient: rfc822;old@dest.test\r\nAction: failed\r\nStatus: 4.4.7\r\n"));
    buf_free(&out);
}

static void unicode_needs_smtputf8_only_for_the_sender(void **state)
{
    struct dsn_request r = sample("unicode-recipient");
    struct dsn_needs needs;
    struct buf out = write_dsn(&r, &needs);

    assert_false(needs.smtputf8 || needs.eight_bit);
    assert_true(slice_is_ascii(buf_slice(&out)));
    assert_true(has(&out, "Original-Recipient: utf-8;\\x{FC}@noutf8.test\r\nFinal-Recipient: utf-8;\\x{FC}@noutf8.test\r\n"));
    assert_true(has(&out, "Subject: gr=C3=BC=C3=9Fe\r\n=2EX: y\r\n"));
    buf_free(&out);
    r = sample("unicode-sender");
    out = write_dsn(&r, &needs);
    assert_true(needs.smtputf8 && needs.eight_bit);
    assert_true(has(&out, "Content-Type: message/global-delivery-status\r\n") &&
                has(&out, "Content-Type: message/global-headers\r\n"));
    assert_true(has(&out, "Final-Recipient: utf-8;\xc3\xbc@noutf8.test\r\n"));
    buf_free(&out);
    r.recipients = &failed;
    out = write_dsn(&r, &needs);
    assert_true(needs.smtputf8 && has(&out, "Content-Type: message/delivery-status\r\n"));
    buf_free(&out);
    r = sample("unicode-original");
    out = write_dsn(&r, &needs);
    assert_true(!needs.smtputf8 && needs.eight_bit);
    assert_true(has(&out, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"));
    buf_free(&out);
}

static void words_of_the_remote_stay_in_their_field(void **state)
{
    struct dsn_recipient rcpt = failed;
    struct dsn_request r = request(&rcpt, 1);
    struct dsn_needs needs;
    struct buf out;

    rcpt.diagnostic = SLICE("a\r\nStatus: 2.0.0\r\n.\r\nb");
    rcpt.remote_mta = SLICE("mx\r\nX: y");
    out = write_dsn(&r, &needs);
    assert_true(has(&out, "Remote-MTA: dns;mx??X: y\r\n"));
    assert_true(has(&out, "Diagnostic-Code: smtp;550 5.1.1 a??Status: 2.0.0??.??b\r\n"));
    buf_free(&out);
}

static void more_recipients_than_fit_are_counted(void **state)
{
    static struct dsn_recipient many[DSN_RECIPIENTS_MAX + 3];
    struct dsn_request r = request(many, DSN_RECIPIENTS_MAX + 3);
    struct dsn_needs needs;
    struct buf out;

    for (size_t i = 0; i < DSN_RECIPIENTS_MAX + 3; i++)
        many[i] = failed;
    out = write_dsn(&r, &needs);
    assert_true(has(&out, "\r\nAnd so for 3 more recipients.\r\n"));
    buf_free(&out);
}

static void it_fails_when_the_buffer_is_full(void **state)
{
    struct dsn_request r = sample("unicode-recipient");
    struct dsn_needs needs;
    struct buf out;
    int rc = FL_ELIMIT;

    for (size_t max = 1; rc != 0; max++) {
        buf_init(&out, max);
        rc = dsn_write(&r, &out, &needs);
        assert_true(rc == 0 || rc == FL_ELIMIT);
        buf_free(&out);
    }
}

static void quoted_printable_passes_seven_bits(void **state)
{
    struct buf out;
    char line[200];

    buf_init(&out, 0);
    assert_int_equal(qp_encode(SLICE("gr\xc3\xbc = \r\n.\r\n..a\r\n"), &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("gr=C3=BC =3D=20\r\n=2E\r\n=2E.a\r\n")));
    buf_clear(&out);
    memset(line, '.', sizeof line);
    assert_int_equal(qp_encode(slice_make(line, sizeof line), &out), 0);
    for (struct slice rest = buf_slice(&out); rest.n;) {
        struct slice l = slice_cut(&rest, '\n');

        assert_true(l.n <= 77 && l.p[0] == '=');
    }
    buf_free(&out);
}

static int print_sample(const char *name)
{
    struct dsn_request r = sample(name);
    struct dsn_needs needs;
    struct buf out;
    int rc;

    buf_init(&out, 0);
    rc = dsn_write(&r, &out, &needs);
    if (rc == 0)
        fwrite(buf_slice(&out).p, 1, buf_len(&out), stdout);
    buf_free(&out);
    return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_to_people_and_programs),
        cmocka_unit_test(the_whole_message_comes_back_when_asked_for),
        cmocka_unit_test(each_recipient_has_its_own_outcome),
        cmocka_unit_test(unicode_needs_smtputf8_only_for_the_sender),
        cmocka_unit_test(words_of_the_remote_stay_in_their_field),
        cmocka_unit_test(more_recipients_than_fit_are_counted),
        cmocka_unit_test(it_fails_when_the_buffer_is_full),
        cmocka_unit_test(quoted_printable_passes_seven_bits),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return print_sample(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
            puts(samples[i]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
