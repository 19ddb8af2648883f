/* The table of outcomes, row by row: every stage, every class of reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "outcome.h"

struct row {
    enum reply_stage stage;
    int code; /* 0: lost */
    const char *enhanced;
    enum outcome_verdict verdict;
    enum outcome_scope scope, exhausted;
    bool next_host;
};

static void check(const struct row *row, struct outcome o)
{
    if (o.verdict != row->verdict || o.scope != row->scope || o.exhausted != row->exhausted || o.next_host != row->next_host)
        fail_msg("stage %d, %d %s: %s, sets back %s, then %s", row->stage, row->code, row->enhanced,
                 outcome_verdict_name(o.verdict), outcome_scope_name(o.scope), outcome_scope_name(o.exhausted));
}

static struct reply reply_of(int code, const char *enhanced)
{
    struct reply r;

    reply_set(&r, code, enhanced, SLICE("text"));
    return r;
}

#define HOST(stage, code) { stage, code, "", OUTCOME_AT_ONCE, SCOPE_HOST, SCOPE_PATH, true }
#define PROFILE(stage, code) { stage, code, "", OUTCOME_AT_ONCE, SCOPE_NONE, SCOPE_PROFILE, true }

static void a_connection_that_never_was_ready_sets_back_what_refused_it(void **state)
{
    static const struct row rows[] = {
        HOST(STAGE_CONNECT, 0), HOST(STAGE_BANNER, 0), HOST(STAGE_BANNER, 421), HOST(STAGE_BANNER, 450),
        HOST(STAGE_BANNER, 554), HOST(STAGE_EHLO, 0), HOST(STAGE_EHLO, 421), HOST(STAGE_EHLO, 451), HOST(STAGE_EHLO, 550),
        PROFILE(STAGE_STARTTLS, 454), PROFILE(STAGE_STARTTLS, 554), HOST(STAGE_STARTTLS, 0), HOST(STAGE_STARTTLS, 421),
        PROFILE(STAGE_AUTH, 454), PROFILE(STAGE_AUTH, 535), HOST(STAGE_AUTH, 0), HOST(STAGE_AUTH, 421), HOST(STAGE_TLS, 0),
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct connection_failure f = { .end = CONNECTION_FAILED, .stage = rows[i].stage, .is_421 = rows[i].code == 421 };

        f.reply = reply_of(rows[i].code, rows[i].enhanced);
        check(&rows[i], outcome_of_end(&f));
    }
}

static void a_handshake_that_fails_by_an_alert_is_the_profiles_and_by_a_reset_the_hosts(void **state)
{
    struct connection_failure f = { .end = CONNECTION_FAILED, .stage = STAGE_TLS, .tls_handshake = true };
    struct row alert = PROFILE(STAGE_TLS, 0), reset = HOST(STAGE_TLS, 0);

    f.reply = reply_of(0, "");
    check(&alert, outcome_of_end(&f));
    f.tls_handshake = false;
    check(&reset, outcome_of_end(&f));
}

static void our_own_lack_and_an_idle_loss_set_nothing_back(void **state)
{
    struct row nothing = { STAGE_NONE, 0, "", OUTCOME_AT_ONCE, SCOPE_NONE, SCOPE_NONE, false };

    for (enum connection_end end = CONNECTION_QUIT; end <= CONNECTION_NO_RESOURCES; end++) {
        struct connection_failure f = { .end = end, .stage = STAGE_CONNECT };

        if (end != CONNECTION_FAILED)
            check(&nothing, outcome_of_end(&f));
    }
}

static void recipients_are_judged_by_stage_and_class(void **state)
{
    static const struct row rows[] = {
        { STAGE_RCPT, 450, "4.2.1", OUTCOME_DEFERRED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_RCPT, 550, "5.1.1", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DATA, 451, "", OUTCOME_DEFERRED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DATA, 554, "", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DOT, 250, "", OUTCOME_DELIVERED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DOT, 452, "", OUTCOME_DEFERRED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DOT, 554, "", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_DOT, 0, "", OUTCOME_DEFERRED, SCOPE_RECIPIENT, SCOPE_NONE, false },      /* lost after the dot */
        { STAGE_DATA, 0, "4.3.0", OUTCOME_DEFERRED, SCOPE_RECIPIENT, SCOPE_NONE, false },/* our own disk */
        { STAGE_RCPT, 0, "5.6.7", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false }, /* the host has no SMTPUTF8 */
        { STAGE_MAIL, 0, "5.3.4", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_MAIL, 0, "5.6.3", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rcpt_result r = { .stage = rows[i].stage, .judged = true, .reply = reply_of(rows[i].code, rows[i].enhanced) };
        struct transaction_result t = { .rcpts = &r, .rcpt_count = 1 };

        check(&rows[i], outcome_of_rcpt(&t, &r, false));
    }
}

static void mail_refused_is_the_queues_unless_it_is_the_messages(void **state)
{
    static const struct row rows[] = {
        { STAGE_MAIL, 451, "4.7.1", OUTCOME_DEFERRED, SCOPE_QUEUE, SCOPE_NONE, false },
        { STAGE_MAIL, 550, "5.7.1", OUTCOME_DEFERRED, SCOPE_QUEUE, SCOPE_NONE, false },
        { STAGE_MAIL, 554, "", OUTCOME_DEFERRED, SCOPE_QUEUE, SCOPE_NONE, false },
        { STAGE_MAIL, 552, "", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_MAIL, 554, "5.3.4", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_MAIL, 553, "5.1.7", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_MAIL, 550, "5.1.8", OUTCOME_BOUNCED, SCOPE_RECIPIENT, SCOPE_NONE, false },
        { STAGE_MAIL, 451, "4.1.8", OUTCOME_DEFERRED, SCOPE_QUEUE, SCOPE_NONE, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rcpt_result r = { .judged = false };
        struct transaction_result t = { .mail_refused = true, .rcpts = &r, .rcpt_count = 1 };

        t.reply = reply_of(rows[i].code, rows[i].enhanced);
        check(&rows[i], outcome_of_rcpt(&t, &r, false));
        check(&rows[i], outcome_of_mail(&t.reply));
    }
}

static void who_was_not_judged_is_tried_at_once_but_only_once(void **state)
{
    static const struct row once = { STAGE_RCPT, 421, "", OUTCOME_AT_ONCE, SCOPE_NONE, SCOPE_PATH, true };
    static const struct row twice = { STAGE_RCPT, 421, "", OUTCOME_DEFERRED, SCOPE_HOST, SCOPE_PATH, true };
    struct rcpt_result r = { .stage = STAGE_RCPT, .reply = reply_of(421, "4.3.2") };
    struct transaction_result t = { .rcpts = &r, .rcpt_count = 1 };

    check(&once, outcome_of_rcpt(&t, &r, false));
    check(&twice, outcome_of_rcpt(&t, &r, true));
}

static void a_surplus_recipient_is_always_ready_again(void **state)
{
    static const struct row row = { STAGE_RCPT, 452, "4.5.3", OUTCOME_AT_ONCE, SCOPE_NONE, SCOPE_NONE, false };
    struct rcpt_result r = { .stage = STAGE_RCPT, .surplus = true, .reply = reply_of(452, "4.5.3") };
    struct transaction_result t = { .rcpts = &r, .rcpt_count = 1 };

    check(&row, outcome_of_rcpt(&t, &r, true));
}

static void dns_answers_wait_bounce_or_are_asked_again(void **state)
{
    static const struct {
        enum outcome_dns kind;
        int64_t since_ms;
        enum outcome_verdict verdict;
        const char *enhanced;
    } rows[] = {
        { OUTCOME_DNS_NXDOMAIN, -1, OUTCOME_DEFERRED, "4.1.2" },
        { OUTCOME_DNS_NXDOMAIN, OUTCOME_NXDOMAIN_AGAIN_MS - 1, OUTCOME_DEFERRED, "4.1.2" },
        { OUTCOME_DNS_NXDOMAIN, OUTCOME_NXDOMAIN_AGAIN_MS, OUTCOME_BOUNCED, "5.1.2" },
        { OUTCOME_DNS_NO_HOST, -1, OUTCOME_DEFERRED, "4.4.4" },
        { OUTCOME_DNS_NO_HOST, OUTCOME_NXDOMAIN_AGAIN_MS, OUTCOME_BOUNCED, "5.4.4" },
        { OUTCOME_DNS_NULL_MX, -1, OUTCOME_BOUNCED, "5.1.10" },
        { OUTCOME_DNS_LOOP, -1, OUTCOME_BOUNCED, "5.4.6" },
        { OUTCOME_DNS_FAILED, 10 * OUTCOME_NXDOMAIN_AGAIN_MS, OUTCOME_DEFERRED, "4.4.3" },
    };
    struct reply r;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome o = outcome_of_dns(rows[i].kind, rows[i].since_ms, &r);

        assert_int_equal(o.verdict, rows[i].verdict);
        assert_int_equal(o.scope, rows[i].verdict == OUTCOME_BOUNCED ? SCOPE_RECIPIENT : SCOPE_DOMAIN);
        assert_string_equal(r.enhanced, rows[i].enhanced);
        assert_int_equal(r.code, 0);
        assert_true(r.text[0] != 0);
    }
}

static void every_stage_and_class_has_an_outcome(void **state)
{
    for (int s = 0; s < STAGES; s++) {
        for (int c = 0; c < OUTCOME_CLASSES; c++) {
            struct outcome o = outcome_at((enum reply_stage)s, (enum outcome_class)c);

            assert_true(o.verdict != OUTCOME_DELIVERED || (s == STAGE_DOT && c == CLASS_OK));
            assert_true(o.verdict != OUTCOME_BOUNCED || c == CLASS_PERMANENT);
            assert_true(o.next_host == (o.exhausted != SCOPE_NONE));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_never_was_ready_sets_back_what_refused_it),
        cmocka_unit_test(a_handshake_that_fails_by_an_alert_is_the_profiles_and_by_a_reset_the_hosts),
        cmocka_unit_test(our_own_lack_and_an_idle_loss_set_nothing_back),
        cmocka_unit_test(recipients_are_judged_by_stage_and_class),
        cmocka_unit_test(mail_refused_is_the_queues_unless_it_is_the_messages),
        cmocka_unit_test(who_was_not_judged_is_tried_at_once_but_only_once),
        cmocka_unit_test(a_surplus_recipient_is_always_ready_again),
        cmocka_unit_test(dns_answers_wait_bounce_or_are_asked_again),
        cmocka_unit_test(every_stage_and_class_has_an_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
