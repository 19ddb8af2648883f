/* A failure sets back only what it speaks of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "setback.h"
#include "stream_desk.h"

#include <stdlib.h>

static const char text[] =
    "defaults: {tls: none, max_connections: 10, retry: [1m, 2m, 4m], ip_families: [ipv4]}\n"
    "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}, w: {source_addresses: [127.0.0.1], hostname: w.test}}\n"
    "tenants: {one: {vmtas: [v, w], route: v, sender_domains: ['*']}, two: {vmtas: [v, w], route: v, sender_domains: ['*']}}\n";

static const struct last_reply why = { .time_ms = 1, .stage = STAGE_MAIL, .code = 451, .text = { "not now", 7 } };

static int stored_clocks;

/* The store's: what is set back is written there. */
void store_queue_clock(struct store *s, const struct queue_key *key, int attempts, int64_t next_attempt_ms, const struct last_reply *r)
{
    stored_clocks++;
}

static struct stream_desk *open_desk(void)
{
    struct stream_desk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    stream_desk_open(d, text);
    stored_clocks = 0;
    return d;
}

static void close_desk(struct stream_desk *d)
{
    stream_desk_close(d);
    free(d);
}

static struct inet_addr host(int n)
{
    struct inet_addr a;
    char name[] = "127.1.0.0";

    name[8] = (char)('0' + n);
    assert_true(inet_addr_parse(slice_of(name), &a));
    return a;
}

static bool is_asked(struct stream_desk *d, struct sched_order *o)
{
    return sched_next(&d->mta.sched, o) == SCHED_CONNECT;
}

static struct desk_connection *opened(struct stream_desk *d, int n, const struct sched_order *o)
{
    struct desk_connection *c = &d->connection[n];

    *c = (struct desk_connection){ .used = true };
    sched_opened(&d->mta.sched, o->lane, &c->conn, o);
    return c;
}

static void a_host_that_failed_goes_last_for_five_minutes(void **state)
{
    struct stream_desk *d = open_desk();
    struct path *p = stream_desk_queue(d, "one", "v", "a.test", "xyz")->turns[0].path;
    struct inet_addr first = host(1), second = host(2), third = host(3);

    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &first));
    assert_false(setback_host(&d->mta, p, &first));
    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &second));
    assert_false(setback_host(&d->mta, p, &second));
    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &third));
    /* it worked: the others stay behind it */
    path_end_round(p);
    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &third));
    assert_false(setback_host(&d->mta, p, &third));
    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &first));
    stream_desk_pass(d, SETBACK_HOST_MS);
    path_end_round(p);
    assert_true(inet_addr_eq(&path_pick_target(p, d->now.mono_ms, &d->mta.rand)->addr, &first));
    close_desk(d);
}

static void hosts_of_one_preference_share_the_connections(void **state)
{
    struct stream_desk *d = open_desk();
    struct path *p = stream_desk_queue(d, "one", "v", "a.test", "xyz")->turns[0].path;
    const struct inet_addr addrs[] = { host(1), host(2), host(3) };
    const struct mx_host hosts[] = { { 10, "one.test", false, &addrs[0], 1 }, { 10, "two.test", false, &addrs[1], 1 },
                                     { 20, "three.test", false, &addrs[2], 1 } };
    const struct mx_target targets[] = { { addrs[0], 0 }, { addrs[1], 1 }, { addrs[2], 2 } };
    int times[3] = { 0 };

    assert_int_equal(site_fill(p->key.site, hosts, 3, targets, 3), 0);
    for (int i = 0; i < 1000; i++)
        for (int k = 0; k < 3; k++)
            times[k] += path_pick_target(p, d->now.mono_ms, &d->mta.rand) == &p->key.site->targets[k];
    assert_true(times[0] > 400 && times[1] > 400);
    assert_int_equal(times[2], 0);
    assert_false(setback_host(&d->mta, p, &addrs[0]));
    assert_ptr_equal(path_pick_target(p, d->now.mono_ms, &d->mta.rand), &p->key.site->targets[1]);
    close_desk(d);
}

static void the_path_failed_when_all_its_hosts_did(void **state)
{
    struct stream_desk *d = open_desk();
    struct path *p = stream_desk_queue(d, "one", "v", "a.test", "xy")->turns[0].path;
    struct inet_addr first = host(1), second = host(2);

    assert_false(setback_host(&d->mta, p, &first));
    assert_false(setback_host(&d->mta, p, &first));
    assert_true(setback_host(&d->mta, p, &second));
    close_desk(d);
}

static void a_path_waits_by_the_schedule_and_is_probed_then(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path *p = q->turns[0].path;
    struct sched_order o;

    stream_desk_messages(d, q, 50);
    for (int n = 0; n < 3; n++) {
        assert_true(setback_path(&d->mta, p, &why));
        assert_false(is_asked(d, &o));
        stream_desk_pass(d, (MINUTE_MS << n) - 1);
        assert_false(is_asked(d, &o));
        stream_desk_pass(d, 1);
        assert_true(is_asked(d, &o));
        assert_true(o.probe);
        opened(d, 0, &o);
        assert_false(is_asked(d, &o));
        d->connection[0].used = false;
        sched_closed(&d->mta.sched, &d->connection[0].conn);
    }
    assert_int_equal(p->clock.attempts, 3);
    close_desk(d);
}

static void failures_that_were_under_way_together_are_one_attempt(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct turn *t = &q->turns[0];

    stream_desk_messages(d, q, 50);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(setback_path(&d->mta, t->path, &why), i == 0);
        assert_int_equal(setback_lane(&d->mta, t->share->lane, &why), i == 0);
        assert_int_equal(setback_queue(&d->mta, q, &why), i == 0);
    }
    assert_int_equal(t->path->clock.attempts, 1);
    assert_int_equal(t->share->lane->clock.attempts, 1);
    assert_int_equal(q->attempts, 1);
    assert_int_equal(q->next_attempt_ms, d->now.wall_ms + MINUTE_MS);
    assert_int_equal(stored_clocks, 1);
    close_desk(d);
}

static void what_failed_is_remembered_while_its_queue_is_looked_up_anew(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct turn *t = &q->turns[0];

    stream_desk_messages(d, q, 1);
    setback_path(&d->mta, t->path, &why);
    setback_lane(&d->mta, t->share->lane, &why);
    stream_desk_pass(d, MINUTE_MS);
    sched_detach(&d->mta.sched, q);
    assert_int_equal(sched_attach(&d->mta.sched, q), 0);
    t = &q->turns[0];
    assert_int_equal(t->path->clock.attempts, 1);
    assert_int_equal(t->share->lane->clock.attempts, 1);
    setback_path(&d->mta, t->path, &why);
    assert_int_equal(t->path->clock.until_ms, d->now.mono_ms + 2 * MINUTE_MS);
    close_desk(d);
}

static void a_lane_waits_alone(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *v = stream_desk_queue(d, "one", "v", "a.test", "x"), *w = stream_desk_queue(d, "one", "w", "a.test", "x");
    struct sched_order o;

    stream_desk_messages(d, v, 5);
    stream_desk_messages(d, w, 5);
    setback_lane(&d->mta, v->turns[0].share->lane, &why);
    assert_true(is_asked(d, &o));
    assert_ptr_equal(o.queue, w);
    assert_false(o.probe);
    /* success ends the wait at once */
    setback_clear_lane(&d->mta, v->turns[0].share->lane);
    assert_true(v->turns[0].in_ring);
    close_desk(d);
}

static void a_queue_waits_alone_and_probes_with_one_message(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *a = stream_desk_queue(d, "one", "v", "a.test", "x"), *b = stream_desk_queue(d, "one", "v", "b.test", "x");

    stream_desk_messages(d, a, 5);
    stream_desk_messages(d, b, 5);
    assert_true(setback_queue(&d->mta, a, &why));
    assert_false(a->turns[0].in_ring);
    assert_true(b->turns[0].in_ring);
    stream_desk_pass(d, MINUTE_MS);
    sched_update(&d->mta.sched, a);
    assert_true(a->turns[0].in_ring);
    queue_entry_move(TAILQ_FIRST(&a->ready), ENTRY_SENDING);
    sched_update(&d->mta.sched, a);
    assert_false(a->turns[0].in_ring);
    setback_clear_queue(&d->mta, a);
    sched_update(&d->mta.sched, a);
    assert_true(a->turns[0].in_ring);
    assert_int_equal(stored_clocks, 2);
    close_desk(d);
}

static void nothing_waits_past_the_first_expiry(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x"), *past = stream_desk_queue(d, "one", "v", "b.test", "x");
    struct path *p = q->turns[0].path;

    stream_desk_messages(d, q, 1);
    stream_desk_messages(d, past, 1);
    past->next_expiry_ms = d->now.wall_ms - 1;
    q->next_expiry_ms = d->now.wall_ms + 10000;
    setback_path(&d->mta, p, &why);
    assert_int_equal(p->clock.until_ms, d->now.mono_ms + 10000);
    setback_queue(&d->mta, q, &why);
    assert_int_equal(q->next_attempt_ms, d->now.wall_ms + 10000);
    close_desk(d);
}

static void a_refused_further_connection_keeps_what_works(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path *p = q->turns[0].path;
    struct sched_order o;

    p->window = 3;
    stream_desk_messages(d, q, 50);
    for (int i = 0; i < 3; i++) {
        if (i == 2) { /* the first two will do for a moment */
            assert_false(is_asked(d, &o));
            stream_desk_pass(d, CROWDED_AFTER_MS);
        }
        assert_true(is_asked(d, &o));
        opened(d, i, &o);
    }
    sched_idle(&d->mta.sched, &d->connection[0].conn);
    sched_idle(&d->mta.sched, &d->connection[1].conn);
    setback_further_connection(&d->mta, p);
    d->connection[2].used = false;
    sched_closed(&d->mta.sched, &d->connection[2].conn);
    assert_int_equal(p->clock.attempts, 0);
    while (sched_next(&d->mta.sched, &o) != SCHED_NONE)
        assert_int_equal(o.type, SCHED_SEND);
    for (int i = 0; i < 100; i++)
        sched_succeeded(&d->mta.sched, p);
    assert_false(is_asked(d, &o));
    stream_desk_pass(d, PATH_ONE_MORE_MS);
    /* one more, whatever succeeds on the others meanwhile */
    for (int i = 0; i < 100; i++)
        sched_succeeded(&d->mta.sched, p);
    assert_true(is_asked(d, &o));
    opened(d, 2, &o);
    assert_false(is_asked(d, &o));
    close_desk(d);
}

static void refusals_of_two_tenants_speak_of_the_path(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *two = stream_desk_queue(d, "two", "v", "a.test", "x");
    struct path *p = one->turns[0].path;

    assert_false(setback_count_mail_refusal(p, one->tenant_state, SLICE("a@one.test")));
    assert_false(setback_count_mail_refusal(p, one->tenant_state, SLICE("b@one.test")));
    assert_true(setback_count_mail_refusal(p, two->tenant_state, SLICE("a@one.test")));
    sched_succeeded(&d->mta.sched, p);
    assert_false(setback_count_mail_refusal(p, two->tenant_state, SLICE("a@one.test")));
    close_desk(d);
}

static void refusals_of_three_reverse_path_domains_speak_of_the_path(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path *p = one->turns[0].path;

    assert_false(setback_count_mail_refusal(p, one->tenant_state, SLICE("a@one.test")));
    assert_false(setback_count_mail_refusal(p, one->tenant_state, SLICE("\"@\"@ONE.test")));
    assert_false(setback_count_mail_refusal(p, one->tenant_state, SLICE("a@two.test")));
    assert_true(setback_count_mail_refusal(p, one->tenant_state, SLICE_NONE));
    close_desk(d);
}

static void what_an_operator_retries_is_probed_at_once(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct turn *t = &q->turns[0];
    struct sched_order o;

    stream_desk_messages(d, q, 5);
    setback_path(&d->mta, t->path, &why);
    setback_lane(&d->mta, t->share->lane, &why);
    t->path->one_more_ms = d->now.mono_ms + 1000;
    setback_try_now(&d->mta, t->path, t->share->lane);
    assert_int_equal(t->path->one_more_ms, 0);
    assert_int_equal(t->path->window, 2);
    assert_true(is_asked(d, &o));
    assert_true(o.probe);
    opened(d, 0, &o);
    assert_false(is_asked(d, &o));
    close_desk(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_failed_goes_last_for_five_minutes),
        cmocka_unit_test(hosts_of_one_preference_share_the_connections),
        cmocka_unit_test(the_path_failed_when_all_its_hosts_did),
        cmocka_unit_test(a_path_waits_by_the_schedule_and_is_probed_then),
        cmocka_unit_test(failures_that_were_under_way_together_are_one_attempt),
        cmocka_unit_test(what_failed_is_remembered_while_its_queue_is_looked_up_anew),
        cmocka_unit_test(a_lane_waits_alone),
        cmocka_unit_test(a_queue_waits_alone_and_probes_with_one_message),
        cmocka_unit_test(nothing_waits_past_the_first_expiry),
        cmocka_unit_test(a_refused_further_connection_keeps_what_works),
        cmocka_unit_test(refusals_of_two_tenants_speak_of_the_path),
        cmocka_unit_test(refusals_of_three_reverse_path_domains_speak_of_the_path),
        cmocka_unit_test(what_an_operator_retries_is_probed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
