/* timelines.c: what the relay does over time, played in virtual time and told line by line: when it tries again, what waits for
 * what, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "attend.h"
#include "relay_parts.h"
#include "relay_view.h"
#include "remote.h"
#include "resolver_sim.h"
#include "settle.h"

#define COMMON \
    "server: {hostname: relay.test, data_dir: /nowhere, user: '', postmaster: postmaster@acme.test}\n" \
    "defaults: {tls: none, retry: [1m, 5m], expire_after: 20m}\n"
enum { SEED = 1, LATENCY_MS = 10 };

static const int64_t YEAR_MS = (int64_t)365 * DAY_MS;

/* Two customers, two VMTAs; one host takes the mail of two.test, another one that of the senders' domains. */
static struct conf *both(void)
{
    return world_conf(COMMON "vmtas:\n  v1: {source_addresses: [192.0.2.1], hostname: v1.relay.test}\n"
                             "  v2: {source_addresses: [192.0.2.2], hostname: v2.relay.test}\n"
                             "tenants:\n"
                             "  acme: {sender_domains: [acme.test], vmtas: [v1, v2], route: v1, steering_headers: true}\n"
                             "  globex: {sender_domains: [globex.test], vmtas: [v1, v2], route: v1}\n");
}

static struct conf *without_v1(void)
{
    return world_conf(COMMON "vmtas:\n  v2: {source_addresses: [192.0.2.2], hostname: v2.relay.test}\n"
                             "tenants:\n"
                             "  acme: {sender_domains: [acme.test], vmtas: [v2], route: v2}\n"
                             "  globex: {sender_domains: [globex.test], vmtas: [v2], route: v2}\n");
}

static struct world *begin(struct remote **ret)
{
    struct world *w = world_new(SEED, getenv("SIM_TRACE") != NULL);
    struct conf *conf = both();

    w->plain = true;
    *ret = remote_add(w, "mx.two.test", "198.51.100.2", 0);
    (*ret)->latency_ms = LATENCY_MS;
    remote_add(w, "mx.senders.test", "198.51.100.9", 1)->latency_ms = LATENCY_MS;
    dns_mx(w, "two.test", 10, "mx.two.test");
    dns_mx(w, "acme.test", 10, "mx.senders.test");
    dns_mx(w, "globex.test", 10, "mx.senders.test");
    assert_true(world_start(w, conf));
    conf_unref(conf);
    world_run(w, 1);
    buf_clear(&w->timeline);
    w->began_ms = w->now.mono_ms;
    return w;
}

/* Nothing is left, and all was told. */
static void finish(struct world *w)
{
    buf_clear(&w->timeline);
    assert_int_equal(oracle_live(w->oracle), 0);
    oracle_audit(w->oracle);
    oracle_all_ended(w->oracle);
    world_free(w);
}

static void send_from(struct world *w, const char *tenant, const char *domain)
{
    struct submission s = { .tenant = tenant, .sender_domain = domain, .domains = { "two.test" }, .count = 1, .length = 100 };

    oracle_submit(w->oracle, &s);
}

static void send_from_acme(struct world *w)
{
    send_from(w, "acme", "acme.test");
}

static void on_acted(void *arg, int rc, const struct action_answer *answer, const char *text)
{
    assert_int_equal(rc, 0);
}

static void act_on_job(struct world *w, enum action_kind kind, const char *job)
{
    struct action a = { .kind = kind, .tenant = SLICE("acme"), .job = slice_of(job), .state = VIEW_ANY, .who = SLICE("ops") };

    relay_act(w->relay, &a, on_acted, w);
}

static void act(struct world *w, enum action_kind kind)
{
    act_on_job(w, kind, "");
}

/* ---------------------------------------------------------------- what holds */
static void what_is_greylisted_is_tried_again_after_the_interval(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.greylist_ms = 30 * SECOND_MS;
    send_from_acme(w);
    world_run(w, 2 * MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 greylisted\n"
        "[ 60.060] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.140] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_path_that_is_refused_waits_and_one_probe_asks_for_all(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.refuses = 1000;
    for (int i = 0; i < 3; i++)
        send_from_acme(w);
    world_run(w, 2 * MINUTE_MS);
    mx->mood.refuses = 0;
    world_run(w, 5 * MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m1 from s1@acme.test to m1r0@two.test\n"
        "[  0.000] m2 from s2@acme.test to m2r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] m1 accepted: 250 2.0.0\n"
        "[  0.000] m2 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.020] acme/v1/two.test  waits: connect 0 connection refused\n"
        "[ 60.020] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.040] acme/v1/two.test  waits: connect 0 connection refused\n"
        "[360.040] connect 192.0.2.1 > mx.two.test\n"
        "[360.120] connect 192.0.2.1 > mx.two.test\n"
        "[360.120] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n"
        "[360.160] acme/v1 m1r0@two.test  delivered, 250 2.0.0 taken\n"
        "[360.180] acme/v1 m2r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

/* Of two connections that are opened together the slower one is greeted, after 421 to the other. */
static void a_refused_connection_sets_nothing_back_while_another_one_opens(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.reply_ms = 200;
    send_from_acme(w);
    world_run(w, 2 * LATENCY_MS);
    mx->mood.reply_ms = 0;
    mx->mood.most_connections = 1;
    send_from_acme(w);
    world_run(w, SECOND_MS);
    mx->mood.most_connections = 0;
    for (int i = 0; i < 2; i++) {
        send_from_acme(w);
        world_run(w, MINUTE_MS);
    }
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.020] m1 from s1@acme.test to m1r0@two.test\n"
        "[  0.020] m1 accepted: 250 2.0.0\n"
        "[  0.020] connect 192.0.2.1 > mx.two.test\n"
        "[  0.280] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n"
        "[  0.300] acme/v1 m1r0@two.test  delivered, 250 2.0.0 taken\n"
        "[  1.020] m2 from s2@acme.test to m2r0@two.test\n"
        "[  1.020] m2 accepted: 250 2.0.0\n"
        "[  1.060] acme/v1 m2r0@two.test  delivered, 250 2.0.0 taken\n"
        "[ 61.020] m3 from s3@acme.test to m3r0@two.test\n"
        "[ 61.020] m3 accepted: 250 2.0.0\n"
        "[ 61.020] connect 192.0.2.1 > mx.two.test\n"
        "[ 61.100] acme/v1 m3r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

/* None of those that were opened together is greeted: one attempt, and the path waits once the last of them has failed. */
static void connections_that_fail_one_after_the_other_are_one_attempt(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.no4[AT_BANNER] = 1000;
    mx->mood.reply_ms = 200;
    send_from_acme(w);
    world_run(w, 2 * LATENCY_MS);
    mx->mood.reply_ms = 0;
    send_from_acme(w);
    world_run(w, MINUTE_MS);
    mx->mood.no4[AT_BANNER] = 0;
    world_run(w, MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.020] m1 from s1@acme.test to m1r0@two.test\n"
        "[  0.020] m1 accepted: 250 2.0.0\n"
        "[  0.020] connect 192.0.2.1 > mx.two.test\n"
        "[  0.220] acme/v1/two.test  waits: banner 451 later (banner)\n"
        "[ 60.220] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.300] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n"
        "[ 60.340] acme/v1 m1r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_sender_that_is_refused_stops_nobody_elses_mail(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.refused_sender = "acme.test";
    send_from_acme(w);
    world_run(w, SECOND_MS);
    send_from(w, "globex", "globex.test");
    send_from_acme(w);
    world_run(w, 58 * SECOND_MS);
    mx->mood.refused_sender = NULL;
    world_run(w, MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.060] acme/v1/two.test  waits: mail 451 not from this sender\n"
        "[  1.000] m1 from s1@globex.test to m1r0@two.test\n"
        "[  1.000] m2 from s2@acme.test to m2r0@two.test\n"
        "[  1.000] m1 accepted: 250 2.0.0\n"
        "[  1.000] m2 accepted: 250 2.0.0\n"
        "[  1.040] globex/v1 m1r0@two.test  delivered, 250 2.0.0 taken\n"
        "[ 60.060] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.060] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.140] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n"
        "[ 60.180] acme/v1 m2r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_reply_to_the_dot_that_takes_five_minutes_is_awaited(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.dot_ms = 5 * MINUTE_MS;
    send_from_acme(w);
    world_run(w, 10 * MINUTE_MS);
    assert_int_equal(mx->delivered, 1);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[300.080] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_clock_that_steps_back_and_forth_stalls_nothing(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.greylist_ms = 2 * MINUTE_MS;
    send_from_acme(w);
    world_run(w, 10 * SECOND_MS);
    world_step_clock(w, -YEAR_MS);
    world_run(w, 20 * SECOND_MS);
    world_step_clock(w, YEAR_MS);
    world_run(w, 10 * MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 greylisted\n"
        "[ 10.000] connect 192.0.2.1 > mx.two.test\n"
        "[ 10.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 greylisted\n"
        "[ 30.000] connect 192.0.2.1 > mx.two.test\n"
        "[ 30.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 greylisted\n"
        "[330.060] connect 192.0.2.1 > mx.two.test\n"
        "[330.140] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_clock_that_steps_ahead_expires_nothing_untried(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.refuses = 1000;
    send_from_acme(w);
    world_run(w, 10 * SECOND_MS);
    mx->mood.refuses = 0;
    world_step_clock(w, YEAR_MS);
    world_run(w, 10 * MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.020] acme/v1/two.test  waits: connect 0 connection refused\n"
        "[ 60.020] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.100] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void what_is_too_old_is_tried_a_last_time_and_its_sender_told(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.no4[AT_RCPT] = 1000;
    send_from_acme(w);
    world_run(w, 25 * MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[ 60.060] connect 192.0.2.1 > mx.two.test\n"
        "[ 60.120] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[360.120] connect 192.0.2.1 > mx.two.test\n"
        "[360.180] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[660.180] connect 192.0.2.1 > mx.two.test\n"
        "[660.240] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[960.240] connect 192.0.2.1 > mx.two.test\n"
        "[960.300] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[1200.000] connect 192.0.2.1 > mx.two.test\n"
        "[1200.060] acme/v1 m0r0@two.test  expired, 451 4.7.1 later (RCPT)\n"
        "[1200.060] connect 192.0.2.1 > mx.senders.test\n"
        "[1200.140] acme/v1 s0@acme.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void a_hold_survives_the_power(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);

    act(w, ACTION_HOLD);
    world_run(w, SECOND_MS);
    send_from_acme(w);
    send_from(w, "globex", "globex.test");
    world_run(w, SECOND_MS);
    world_restart(w);
    world_run(w, HOUR_MS);
    act(w, ACTION_RELEASE);
    world_run(w, SECOND_MS);
    world_expect(w,
        "[  1.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  1.000] m1 from s1@globex.test to m1r0@two.test\n"
        "[  1.000] m0 accepted: 250 2.0.0\n"
        "[  1.000] m1 accepted: 250 2.0.0\n"
        "[  1.000] connect 192.0.2.1 > mx.two.test\n"
        "[  1.080] globex/v1 m1r0@two.test  delivered, 250 2.0.0 taken\n"
        "[  2.000] the power goes\n"
        "[  2.000] opened: 1 recipients are there\n"
        "[3602.000] connect 192.0.2.1 > mx.two.test\n"
        "[3602.080] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

/* The host cuts the line behind the content; what was under way finishes, and is not begun again before the release. */
static void what_comes_back_from_a_connection_is_held_if_its_job_was_meanwhile(void **state)
{
    struct submission s = { .tenant = "acme", .sender_domain = "acme.test", .domains = { "two.test" }, .count = 1, .length = 100,
                            .job = "spring" };
    struct remote *mx;
    struct world *w = begin(&mx);

    mx->mood.drops[AT_RCPT] = 1000;
    mx->mood.reply_ms = 3 * SECOND_MS;
    oracle_submit(w->oracle, &s);
    world_run(w, 8 * SECOND_MS);
    act_on_job(w, ACTION_HOLD, "spring");
    world_run(w, 8 * SECOND_MS);
    mx->mood.drops[AT_RCPT] = 0;
    world_run(w, 10 * MINUTE_MS);
    act_on_job(w, ACTION_RELEASE, "spring");
    world_run(w, MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[616.000] connect 192.0.2.1 > mx.two.test\n"
        "[634.080] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    finish(w);
}

static void mail_of_a_vmta_that_vanished_waits_for_it_and_goes_by_no_other(void **state)
{
    struct remote *mx;
    struct world *w = begin(&mx);
    struct conf *less = without_v1(), *again = both();

    mx->mood.no4[AT_RCPT] = 1000;
    send_from_acme(w);
    world_run(w, SECOND_MS);
    mx->mood.no4[AT_RCPT] = 0;
    world_reload(w, less);
    send_from_acme(w);
    world_run(w, 10 * MINUTE_MS);
    world_restart(w);
    world_run(w, 5 * MINUTE_MS);
    world_reload(w, again);
    world_run(w, MINUTE_MS);
    world_expect(w,
        "[  0.000] m0 from s0@acme.test to m0r0@two.test\n"
        "[  0.000] m0 accepted: 250 2.0.0\n"
        "[  0.000] connect 192.0.2.1 > mx.two.test\n"
        "[  0.060] acme/v1 m0r0@two.test  deferred, 451 4.7.1 later (RCPT)\n"
        "[  1.000] m1 from s1@acme.test to m1r0@two.test\n"
        "[  1.000] m1 accepted: 250 2.0.0\n"
        "[  1.000] connect 192.0.2.2 > mx.two.test\n"
        "[  1.080] acme/v2 m1r0@two.test  delivered, 250 2.0.0 taken\n"
        "[601.000] the power goes\n"
        "[601.000] opened: 1 recipients are there\n"
        "[901.000] connect 192.0.2.1 > mx.two.test\n"
        "[901.080] acme/v1 m0r0@two.test  delivered, 250 2.0.0 taken\n");
    conf_unref(less);
    conf_unref(again);
    finish(w);
}

static void move_to_v2(struct world *w)
{
    struct action a = { .kind = ACTION_MOVE, .tenant = SLICE("acme"), .to = SLICE("v2"), .state = VIEW_ANY, .who = SLICE("ops") };

    relay_act(w->relay, &a, on_acted, w);
}

static void a_move_whose_commit_takes_long_finds_its_target_still_there(void **state)
{
    struct slice told;
    struct remote *mx;
    struct world *w = begin(&mx);

    w->disk_slowest_ms = 20;
    for (int i = 0; i < 2; i++) { /* the second time the target is there already, and empty */
        mx->mood.no4[AT_RCPT] = 1000;
        send_from_acme(w);
        world_run(w, SECOND_MS);
        mx->mood.no4[AT_RCPT] = 0;
        move_to_v2(w);
        while (i == 1 && settles_pending(&w->relay->mta) == 0)
            world_run(w, 1);
        if (i == 1)
            sim_disk_fail_after(w->disk, 0, FL_EIO, true);
        world_run(w, SECOND_MS);
    }
    world_run(w, 2 * QUEUE_IDLE_MS); /* an empty queue that nothing is on its way to is forgotten meanwhile */
    sim_disk_mend(w->disk);
    world_run(w, 10 * SECOND_MS);
    assert_int_equal(mx->delivered, 2);
    told = buf_slice(&w->timeline);
    assert_true(slice_find_slice(told, SLICE("acme/v2 m1r0@two.test  delivered")) < told.n);
    finish(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_greylisted_is_tried_again_after_the_interval),
        cmocka_unit_test(a_path_that_is_refused_waits_and_one_probe_asks_for_all),
        cmocka_unit_test(a_refused_connection_sets_nothing_back_while_another_one_opens),
        cmocka_unit_test(connections_that_fail_one_after_the_other_are_one_attempt),
        cmocka_unit_test(a_sender_that_is_refused_stops_nobody_elses_mail),
        cmocka_unit_test(a_reply_to_the_dot_that_takes_five_minutes_is_awaited),
        cmocka_unit_test(a_clock_that_steps_back_and_forth_stalls_nothing),
        cmocka_unit_test(a_clock_that_steps_ahead_expires_nothing_untried),
        cmocka_unit_test(what_is_too_old_is_tried_a_last_time_and_its_sender_told),
        cmocka_unit_test(what_comes_back_from_a_connection_is_held_if_its_job_was_meanwhile),
        cmocka_unit_test(a_hold_survives_the_power),
        cmocka_unit_test(mail_of_a_vmta_that_vanished_waits_for_it_and_goes_by_no_other),
        cmocka_unit_test(a_move_whose_commit_takes_long_finds_its_target_still_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
