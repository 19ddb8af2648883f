/* Tests daemon/metrics.c, also by promtool where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_relay.h"
#include "metrics.h"

static char *page_of(const struct metrics *m)
{
    struct relay relay;
    const struct metrics_sources from = { .relay = &relay, .wall_ms = 1764000005000, .sessions_in = 7, .openssl = "3.0.17" };
    struct buf out;
    char *text;

    fake_relay_init(&relay);
    buf_init(&out, 0);
    assert_int_equal(metrics_write(m, &from, &out), 0);
    text = slice_dup(buf_slice(&out));
    buf_free(&out);
    assert_non_null(text);
    return text;
}

static void expect_line(const char *page, const char *line)
{
    const char *at = strstr(page, line);

    if (!at || (at != page && at[-1] != '\n') || at[strlen(line)] != '\n')
        fail_msg("no line '%s' in:\n%s", line, page);
}

static void the_page_says_what_relay_and_store_count(void **state)
{
    struct metrics *m = metrics_new();
    char *page;

    metrics_event(m, &(struct event){ .kind = EVENT_REJECTED, .reason = "quota" });
    metrics_event(m, &(struct event){ .kind = EVENT_REJECTED, .reason = "quota" });
    metrics_event(m, &(struct event){ .kind = EVENT_DELIVERED });
    metrics_loop_lag(m, 100);
    metrics_certificate(m, "/etc/relay.pem", 1764000005000 + 86400000);
    page = page_of(m);
    expect_line(page, "fairlead_messages_accepted_total{tenant=\"acme\"} 9");
    expect_line(page, "fairlead_submissions_rejected_total{reason=\"quota\"} 2");
    expect_line(page, "fairlead_deliveries_total{tenant=\"acme\",vmta=\"mta1\",result=\"delivered\"} 3");
    expect_line(page, "fairlead_deliveries_total{tenant=\"acme\",vmta=\"mta2\",result=\"expired\"} 1");
    expect_line(page, "fairlead_queue_messages{tenant=\"acme\",vmta=\"mta1\"} 2");
    expect_line(page, "fairlead_queue_oldest_seconds{tenant=\"acme\",vmta=\"mta1\"} 5");
    expect_line(page, "fairlead_connections{direction=\"in\",vmta=\"\"} 7");
    expect_line(page, "fairlead_connections{direction=\"out\",vmta=\"mta1\"} 2");
    expect_line(page, "fairlead_accept_seconds_bucket{le=\"0.000256\"} 3");
    expect_line(page, "fairlead_accept_seconds_count 6");
    expect_line(page, "fairlead_delivery_seconds_bucket{le=\"+Inf\"} 2");
    expect_line(page, "fairlead_loop_lag_seconds_count 1");
    expect_line(page, "fairlead_certificate_expiry_seconds{certificate=\"/etc/relay.pem\"} 86400");
    free(page);
    metrics_free(m);
}

static void a_label_may_hold_any_byte(void **state)
{
    struct metrics *m = metrics_new();
    char *page;

    for (int b = 1; b < 256; b++) {
        const char reason[] = { 'r', (char)b, 0 };

        metrics_event(m, &(struct event){ .kind = EVENT_REJECTED, .reason = reason });
    }
    page = page_of(m);
    expect_line(page, "fairlead_messages_accepted_total{tenant=\"b\\\"e\\\\t\xEF\xBF\xBD"
                      "a\xEF\xBF\xBD\"} 1");
    expect_line(page, "fairlead_submissions_rejected_total{reason=\"r\\\"\"} 1");
    expect_line(page, "fairlead_submissions_rejected_total{reason=\"other\"} 191"); /* 255, of which 64 have their own */
    free(page);
    metrics_free(m);
}

static void promtool_finds_nothing_to_complain_about(void **state)
{
    struct metrics *m = metrics_new();
    char *page;
    FILE *tool;

    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        metrics_free(m);
        skip();
    }
    metrics_event(m, &(struct event){ .kind = EVENT_REJECTED, .reason = "auth" });
    metrics_certificate(m, "c\"", 1764000000000);
    page = page_of(m);
    tool = popen("promtool check metrics", "w");
    assert_non_null(tool);
    fputs(page, tool);
    assert_int_equal(pclose(tool), 0);
    free(page);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_relay_and_store_count),
        cmocka_unit_test(a_label_may_hold_any_byte),
        cmocka_unit_test(promtool_finds_nothing_to_complain_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
