/* Whose turn it is, proved by counting: a driver opens connections at once, sends for ten milliseconds a recipient, and always succeeds,
 * unless a test does it by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream_desk.h"

#include <stdlib.h>

enum { MS_PER_RCPT = 10 };

static const char two_tenants[] =
    "defaults: {tls: none, max_connections: 4, ip_families: [ipv4]}\n"
    "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}, w: {source_addresses: [127.0.0.1], hostname: w.test}}\n"
    "tenants:\n"
    "  one: {vmtas: [v, w], route: v, sender_domains: ['*'], delivery_pool: {share: 1}}\n"
    "  three: {vmtas: [v, w], route: v, sender_domains: ['*'], delivery_pool: {share: 3}}\n";

static struct stream_desk *open_desk(const char *text)
{
    struct stream_desk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    stream_desk_open(d, text);
    return d;
}

static void close_desk(struct stream_desk *d)
{
    stream_desk_close(d);
    free(d);
}

/* ---------------------------------------------------------------- the driver */
static struct desk_connection *free_connection(struct stream_desk *d)
{
    for (int i = 0; i < DESK_CONNECTIONS; i++)
        if (!d->connection[i].used)
            return &d->connection[i];
    fail();
    return NULL;
}

static struct desk_connection *begin_connection(struct stream_desk *d, const struct sched_order *o)
{
    struct desk_connection *c = free_connection(d);

    *c = (struct desk_connection){ .used = true, .ends_ms = d->now.mono_ms };
    sched_opened(&d->mta.sched, o->lane, &c->conn, o);
    return c;
}

static void end_connection(struct stream_desk *d, struct desk_connection *c)
{
    c->used = false;
    sched_closed(&d->mta.sched, &c->conn);
}

/* Gives all orders. */
static void obey(struct stream_desk *d)
{
    struct sched_order o;

    while (sched_next(&d->mta.sched, &o) != SCHED_NONE) {
        struct desk_connection *c = (struct desk_connection *)o.conn;

        if (o.type == SCHED_CONNECT) {
            begin_connection(d, &o);
        } else if (o.type == SCHED_SEND) {
            c->entry = o.entry;
            c->ends_ms = d->now.mono_ms + MS_PER_RCPT * o.entry->rcpt_count;
        } else {
            end_connection(d, c);
        }
    }
}

static void succeed(struct stream_desk *d, struct desk_connection *c)
{
    struct path *p = c->conn.lane->path;

    stream_desk_done(d, c->entry);
    c->entry = NULL;
    sched_succeeded(&d->mta.sched, p);
    sched_idle(&d->mta.sched, &c->conn);
}

static void end_what_is_due(struct stream_desk *d)
{
    for (int i = 0; i < DESK_CONNECTIONS; i++) {
        struct desk_connection *c = &d->connection[i];

        if (!c->used || c->ends_ms > d->now.mono_ms)
            continue;
        if (c->entry)
            succeed(d, c);
        else if (c->conn.state == CONN_OPENING)
            sched_idle(&d->mta.sched, &c->conn);
    }
}

static void play(struct stream_desk *d, int64_t ms)
{
    for (int64_t end = d->now.mono_ms + ms; d->now.mono_ms < end;) {
        end_what_is_due(d);
        obey(d);
        stream_desk_pass(d, 1);
    }
    end_what_is_due(d);
    obey(d);
}

/* How many recipients of these are gone. */
static int64_t served(const struct queue *q, int64_t of)
{
    return of - q->recipients;
}

static int count_of(const struct stream_desk *d, enum conn_state state)
{
    int n = 0;

    for (int i = 0; i < DESK_CONNECTIONS; i++)
        n += d->connection[i].used && d->connection[i].conn.state == state;
    return n;
}

static struct desk_connection *any_of(struct stream_desk *d, enum conn_state state)
{
    for (int i = 0; i < DESK_CONNECTIONS; i++)
        if (d->connection[i].used && d->connection[i].conn.state == state)
            return &d->connection[i];
    return NULL;
}

/* ---------------------------------------------------------------- shares */
static void tenants_are_served_by_their_shares(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *three = stream_desk_queue(d, "three", "v", "a.test", "x");

    stream_desk_messages(d, one, 2000);
    stream_desk_messages(d, three, 2000);
    play(d, 2000);
    assert_in_range(served(one, 2000) + served(three, 2000), 780, 800);
    assert_in_range(served(three, 2000) * 100 / served(one, 2000), 290, 310);
    close_desk(d);
}

static void many_queues_of_a_tenant_weigh_as_much_as_one(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *one[10], *three = stream_desk_queue(d, "three", "v", "a.test", "x");
    int64_t sum = 0;

    for (int i = 0; i < 10; i++) {
        char domain[] = "0.test";

        domain[0] = (char)('0' + i);
        one[i] = stream_desk_queue(d, "one", "v", domain, "x");
        stream_desk_messages(d, one[i], 500);
    }
    stream_desk_messages(d, three, 2000);
    play(d, 2000);
    for (int i = 0; i < 10; i++) {
        assert_in_range(served(one[i], 500), 18, 22);
        sum += served(one[i], 500);
    }
    assert_in_range(served(three, 2000) * 100 / sum, 290, 310);
    close_desk(d);
}

static void recipients_count_not_messages(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 4, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']},"
                                      " two: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *two = stream_desk_queue(d, "two", "v", "a.test", "x");

    stream_desk_messages(d, one, 2000);
    for (int i = 0; i < 200; i++)
        stream_desk_message(d, two, 10, "a@one.test");
    play(d, 2000);
    assert_in_range(served(two, 2000) * 100 / served(one, 2000), 90, 110);
    close_desk(d);
}

static void a_tenant_that_comes_back_does_not_bring_what_it_did_not_use(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *three = stream_desk_queue(d, "three", "v", "a.test", "x");

    stream_desk_messages(d, one, 5000);
    stream_desk_messages(d, three, 1);
    play(d, 5000);
    stream_desk_messages(d, three, 2000);
    play(d, 1000);
    assert_in_range(served(three, 2000), 290, 310);
    close_desk(d);
}

static void one_message_beside_a_flood_waits_for_one_transaction(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *flood = stream_desk_queue(d, "one", "v", "a.test", "x"), *small = stream_desk_queue(d, "three", "v", "b.test", "x");

    stream_desk_messages(d, flood, 3000);
    play(d, 1000);
    for (int i = 0; i < 20; i++) {
        stream_desk_messages(d, small, 1);
        play(d, 2 * MS_PER_RCPT + 2);
        assert_int_equal(small->recipients, 0);
        play(d, 37);
    }
    close_desk(d);
}

/* ---------------------------------------------------------------- lanes */
static void an_idle_connection_of_another_profile_makes_room(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *v = stream_desk_queue(d, "one", "v", "a.test", "x"), *w = stream_desk_queue(d, "one", "w", "a.test", "x");
    struct sched_order o;

    stream_desk_messages(d, v, 100);
    play(d, 1000);
    assert_int_equal(v->recipients, 0);
    assert_int_equal(count_of(d, CONN_IDLE), 4);
    stream_desk_messages(d, w, 1);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_CLOSE);
    /* one slot is wanted: one is given up */
    assert_int_equal(count_of(d, CONN_CLOSING), 1);
    assert_int_equal(sched_next(&d->mta.sched, (struct sched_order *)&(struct sched_order){ 0 }), SCHED_NONE);
    end_connection(d, (struct desk_connection *)o.conn);
    play(d, 100);
    assert_int_equal(w->recipients, 0);
    close_desk(d);
}

static void profiles_take_turns_where_all_slots_are_taken(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *v = stream_desk_queue(d, "one", "v", "a.test", "x"), *w = stream_desk_queue(d, "three", "w", "a.test", "x");

    stream_desk_messages(d, v, 3000);
    play(d, 500);
    stream_desk_messages(d, w, 3000);
    play(d, 50);
    assert_true(served(w, 3000) > 0);
    play(d, 4000);
    assert_in_range(served(w, 3000) * 100 / (served(v, 3000) - 200), 240, 340);
    close_desk(d);
}

/* ---------------------------------------------------------------- limits */
static void a_path_has_at_most_max_connections(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 500);
    for (int i = 0; i < 500; i++) {
        play(d, 1);
        assert_true(count_of(d, CONN_OPENING) + count_of(d, CONN_IDLE) + count_of(d, CONN_BUSY) <= 4);
    }
    assert_int_equal(count_of(d, CONN_BUSY), 4);
    close_desk(d);
}

static void the_smallest_limit_of_the_domains_that_have_mail_binds_the_path(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 4, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n"
                                      "domains: {small.test: {max_connections: 1}}\n");
    struct queue *large = stream_desk_queue(d, "one", "v", "large.test", "x"), *small = stream_desk_queue(d, "one", "v", "small.test", "x");

    stream_desk_messages(d, large, 200);
    play(d, 100);
    assert_int_equal(count_of(d, CONN_BUSY), 4);
    stream_desk_messages(d, small, 1);
    assert_int_equal(large->turns[0].path->max_connections, 1);
    play(d, 100);
    stream_desk_messages(d, large, 200);
    assert_int_equal(small->recipients, 0);
    play(d, 200);
    assert_int_equal(large->turns[0].path->max_connections, 4);
    assert_int_equal(count_of(d, CONN_BUSY), 4);
    close_desk(d);
}

static void a_connection_carries_no_more_than_the_domain_of_each_message_allows(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 1, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n"
                                      "domains: {few.test: {max_messages_per_connection: 2}}\n");
    struct queue *many = stream_desk_queue(d, "one", "v", "many.test", "x"), *few = stream_desk_queue(d, "one", "v", "few.test", "x");

    stream_desk_messages(d, many, 20); /* the connection is opened for these */
    play(d, 100);
    stream_desk_messages(d, few, 20);
    for (int i = 0; i < 500; i++) {
        play(d, 1);
        for (int k = 0; k < DESK_CONNECTIONS; k++)
            if (d->connection[k].used && d->connection[k].entry && d->connection[k].entry->queue == few)
                assert_true(d->connection[k].conn.carried <= 2);
    }
    assert_int_equal(few->recipients + many->recipients, 0);
    close_desk(d);
}

static void a_tenant_has_at_most_its_own_connections(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 10, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*'], delivery_pool: {max_connections: 3}},"
                                      " two: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *x = stream_desk_queue(d, "one", "v", "a.test", "x"), *y = stream_desk_queue(d, "one", "v", "b.test", "y"),
                 *other = stream_desk_queue(d, "two", "v", "b.test", "y");

    stream_desk_messages(d, x, 500);
    stream_desk_messages(d, y, 500);
    for (int i = 0; i < 500; i++) {
        play(d, 1);
        assert_true(count_of(d, CONN_OPENING) + count_of(d, CONN_BUSY) <= 3);
        assert_true(x->tenant_state->party.connections <= 3);
    }
    assert_in_range(served(x, 500) + served(y, 500), 145, 150);
    assert_in_range(served(x, 500), 40, 110);
    stream_desk_messages(d, other, 100);
    play(d, 300);
    assert_int_equal(other->recipients, 0);
    close_desk(d);
}

static void who_waits_for_a_ceiling_is_woken_though_the_first_in_line_cannot_go(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 1, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*'], delivery_pool: {max_connections: 1}}}\n");
    struct queue *x = stream_desk_queue(d, "one", "v", "x.test", "x"), *y = stream_desk_queue(d, "one", "v", "y.test", "y"),
                 *z = stream_desk_queue(d, "one", "v", "z.test", "z");
    struct path *py = y->turns[0].path;

    stream_desk_messages(d, x, 1);
    play(d, 1);
    stream_desk_messages(d, y, 1);
    play(d, 1);
    stream_desk_messages(d, z, 1);
    play(d, 1);
    /* what waits first for x's slot may not connect by the time that it is free */
    py->rate_until_ms = d->now.mono_ms + 60000;
    play(d, 100);
    assert_int_equal(x->recipients, 0);
    assert_int_equal(z->recipients, 0);
    close_desk(d);
}

static void a_vmta_has_at_most_its_own_connections_over_all_paths(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 4, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test, total_max_connections: 2}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q[3];

    q[0] = stream_desk_queue(d, "one", "v", "x.test", "x");
    q[1] = stream_desk_queue(d, "one", "v", "y.test", "y");
    q[2] = stream_desk_queue(d, "one", "v", "z.test", "z");
    for (int i = 0; i < 3; i++)
        stream_desk_messages(d, q[i], 10);
    for (int i = 0; i < 2000; i++) {
        play(d, 1);
        assert_true(q[0]->vmta_state->party.connections <= 2);
        /* as the driver's idle timeout */
        for (int k = 0; k < DESK_CONNECTIONS; k++)
            if (d->connection[k].used && d->connection[k].conn.state == CONN_IDLE && d->connection[k].ends_ms + 50 < d->now.mono_ms)
                end_connection(d, &d->connection[k]);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(q[i]->recipients, 0);
    close_desk(d);
}

/* ---------------------------------------------------------------- rates */
static void a_path_attempts_at_its_rate(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_message_rate: 10/s, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 500);
    play(d, 10000);
    assert_in_range(served(q, 500), 107, 111); /* a burst of one second's worth at first */
    close_desk(d);
}

static void a_message_of_many_recipients_is_cut_to_what_the_rate_permits(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_message_rate: 1/20m, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_message(d, q, 5, "a@one.test");
    play(d, 1000);
    assert_int_equal(q->recipients, 4);
    stream_desk_pass(d, 20 * MINUTE_MS - 2000);
    play(d, 500);
    assert_int_equal(q->recipients, 4);
    play(d, 1000);
    assert_int_equal(q->recipients, 3);
    close_desk(d);
}

static void a_rate_is_kept_over_a_queue_that_comes_and_goes(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_message_rate: 1/20m, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 1);
    play(d, 1000);
    assert_int_equal(q->recipients, 0);
    end_connection(d, any_of(d, CONN_IDLE));
    stream_desk_remove(d, q);
    q = stream_desk_queue(d, "one", "v", "a.test", "x");
    stream_desk_messages(d, q, 1);
    play(d, 60000);
    assert_int_equal(q->recipients, 1);
    stream_desk_pass(d, 20 * MINUTE_MS);
    play(d, 100);
    assert_int_equal(q->recipients, 0);
    end_connection(d, any_of(d, CONN_IDLE));
    stream_desk_remove(d, q);
    /* and then it is forgotten */
    stream_desk_pass(d, 21 * MINUTE_MS);
    assert_null(d->mta.sched.by_key);
    close_desk(d);
}

static void a_tenants_own_rate_on_a_domain_is_its_own(void **state)
{
    static const char with_rate[] = "defaults: {tls: none, ip_families: [ipv4], max_connections: 4}\n"
                                    "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                    "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*'], domains: {a.test: {max_message_rate: 5/s}}},"
                                    " two: {vmtas: [v], route: v, sender_domains: ['*']}}\n";
    struct stream_desk *d = open_desk(with_rate);
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *two = stream_desk_queue(d, "two", "v", "a.test", "x");

    stream_desk_messages(d, one, 200);
    stream_desk_messages(d, two, 400);
    play(d, 1010);
    assert_in_range(served(one, 200), 9, 11);
    assert_in_range(served(two, 400), 360, 400);
    close_desk(d);
}

/* ---------------------------------------------------------------- probes, windows, moves */
static void connections_grow_by_success(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 20, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 500);
    obey(d);
    assert_int_equal(count_of(d, CONN_OPENING), 2);
    play(d, 11 + CROWDED_AFTER_MS);
    assert_true(d->connection[2].used);
    play(d, 80);
    assert_int_equal(count_of(d, CONN_BUSY), 20);
    close_desk(d);
}

static void mail_waits_a_moment_for_a_busy_connection_before_a_third_is_taken(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 20, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 500);
    obey(d);
    q->turns[0].path->window = 20;
    for (int ms = 0; ms < CROWDED_AFTER_MS - 1; ms++) {
        play(d, 1);
        assert_true(count_of(d, CONN_OPENING) + count_of(d, CONN_BUSY) <= 2);
    }
    play(d, 2);
    assert_true(count_of(d, CONN_OPENING) + count_of(d, CONN_BUSY) > 2);
    close_desk(d);
}

static void a_queue_that_probes_sends_one_at_a_time(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    q->probing = true;
    stream_desk_messages(d, q, 10);
    for (int i = 0; i < 50; i++) {
        play(d, 1);
        assert_true(q->sending <= 1);
    }
    assert_true(q->recipients < 10);
    close_desk(d);
}

static void a_path_that_failed_is_probed_by_one_connection(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path *p = q->turns[0].path;
    struct sched_order o;

    p->clock = (struct setback_clock){ 1, d->now.mono_ms + 1000 };
    sched_update_path(&d->mta.sched, p);
    stream_desk_messages(d, q, 100);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_NONE);
    stream_desk_pass(d, 1000);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_CONNECT);
    assert_true(o.probe);
    begin_connection(d, &o);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_NONE);
    play(d, 100);
    assert_int_equal(p->clock.attempts, 0);
    assert_int_equal(count_of(d, CONN_BUSY), 4);
    close_desk(d);
}

static void success_before_the_clock_ends_the_wait(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path *p = q->turns[0].path;

    stream_desk_messages(d, q, 100);
    play(d, 5);
    p->clock = (struct setback_clock){ 1, d->now.mono_ms + HOUR_MS };
    sched_update_path(&d->mta.sched, p);
    play(d, 1000);
    assert_int_equal(q->recipients, 0);
    close_desk(d);
}

static void a_queue_may_leave_while_it_is_being_sent(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct desk_connection *c;
    struct queue_entry *e;

    stream_desk_messages(d, q, 1);
    play(d, 5);
    c = any_of(d, CONN_BUSY);
    assert_non_null(c);
    sched_detach(&d->mta.sched, q);
    assert_int_equal(q->tenant_state->party.connections, 1);
    e = c->entry;
    c->entry = NULL;
    stream_desk_done(d, e);
    sched_idle(&d->mta.sched, &c->conn);
    assert_int_equal(q->tenant_state->party.connections, 0);
    end_connection(d, c);
    assert_null(d->mta.sched.by_key);
    close_desk(d);
}

static void what_rides_belongs_to_the_tenant_of_the_connection(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *one = stream_desk_queue(d, "one", "v", "a.test", "x"), *three = stream_desk_queue(d, "three", "v", "a.test", "x");
    struct desk_connection *c;
    struct queue_entry *e;

    stream_desk_messages(d, one, 3);
    obey(d);
    c = any_of(d, CONN_OPENING);
    end_connection(d, c == &d->connection[0] ? &d->connection[1] : &d->connection[0]);
    c = any_of(d, CONN_OPENING);
    sched_idle(&d->mta.sched, &c->conn);
    obey(d);
    assert_non_null(c->entry);
    e = sched_ride(&d->mta.sched, &c->conn);
    assert_non_null(e);
    assert_ptr_equal(e->queue, one);
    queue_entry_move(e, ENTRY_READY);
    one->next_attempt_ms = d->now.wall_ms + 1000;
    sched_update(&d->mta.sched, one);
    assert_null(sched_ride(&d->mta.sched, &c->conn));
    one->next_attempt_ms = 0;
    stream_desk_messages(d, three, 3);
    e = sched_ride(&d->mta.sched, &c->conn);
    assert_true(!e || e->queue == one);
    if (e)
        queue_entry_move(e, ENTRY_READY);
    sched_detach(&d->mta.sched, one);
    assert_null(sched_ride(&d->mta.sched, &c->conn));
    close_desk(d);
}

static void what_rides_is_charged_by_itself_and_not_when_it_never_began(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct path_tenant *pt = q->turns[0].share->tenant;
    struct desk_connection *c;
    struct sched_order o;
    struct queue_entry *large = stream_desk_message(d, q, 50, "a@one.test"), *small = stream_desk_message(d, q, 1, "a@one.test");
    int64_t after_large, after_small;

    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_CONNECT);
    c = begin_connection(d, &o);
    sched_idle(&d->mta.sched, &c->conn);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_SEND);
    assert_ptr_equal(o.entry, large);
    after_large = pt->vtime;
    assert_ptr_equal(sched_ride(&d->mta.sched, &c->conn), small);
    after_small = pt->vtime;
    assert_int_equal(after_large / (after_small - after_large), 50);
    /* lost before the second was begun: it goes back, with its charge */
    queue_entry_move(small, ENTRY_READY);
    stream_desk_done(d, large);
    end_connection(d, c);
    assert_int_equal(pt->vtime, after_large);
    close_desk(d);
}

static void a_queue_that_leaves_lets_the_limits_of_the_others_bind(void **state)
{
    struct stream_desk *d = open_desk("defaults: {tls: none, max_connections: 4, ip_families: [ipv4]}\n"
                                      "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                                      "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*'],"
                                      " domains: {slow.test: {max_message_rate: 1/h, max_connections: 1}}}}\n"
                                      "domains: {slow.test: {max_message_rate: 1/m}}\n");
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x"), *slow = stream_desk_queue(d, "one", "v", "slow.test", "x");

    stream_desk_messages(d, slow, 3);
    stream_desk_messages(d, q, 100);
    play(d, 2000);
    assert_int_equal(served(q, 100) + served(slow, 3), 1);
    stream_desk_remove(d, slow);
    play(d, 60000);
    assert_int_equal(q->recipients, 0);
    close_desk(d);
}

static void nothing_is_ordered_while_stopped(void **state)
{
    struct stream_desk *d = open_desk(two_tenants);
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct sched_order o;

    sched_stop(&d->mta.sched, true);
    stream_desk_messages(d, q, 5);
    assert_int_equal(sched_next(&d->mta.sched, &o), SCHED_NONE);
    sched_stop(&d->mta.sched, false);
    play(d, 100);
    assert_int_equal(q->recipients, 0);
    close_desk(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_are_served_by_their_shares),
        cmocka_unit_test(many_queues_of_a_tenant_weigh_as_much_as_one),
        cmocka_unit_test(recipients_count_not_messages),
        cmocka_unit_test(a_tenant_that_comes_back_does_not_bring_what_it_did_not_use),
        cmocka_unit_test(one_message_beside_a_flood_waits_for_one_transaction),
        cmocka_unit_test(an_idle_connection_of_another_profile_makes_room),
        cmocka_unit_test(profiles_take_turns_where_all_slots_are_taken),
        cmocka_unit_test(a_path_has_at_most_max_connections),
        cmocka_unit_test(the_smallest_limit_of_the_domains_that_have_mail_binds_the_path),
        cmocka_unit_test(a_connection_carries_no_more_than_the_domain_of_each_message_allows),
        cmocka_unit_test(a_tenant_has_at_most_its_own_connections),
        cmocka_unit_test(who_waits_for_a_ceiling_is_woken_though_the_first_in_line_cannot_go),
        cmocka_unit_test(a_vmta_has_at_most_its_own_connections_over_all_paths),
        cmocka_unit_test(a_path_attempts_at_its_rate),
        cmocka_unit_test(a_message_of_many_recipients_is_cut_to_what_the_rate_permits),
        cmocka_unit_test(a_rate_is_kept_over_a_queue_that_comes_and_goes),
        cmocka_unit_test(a_tenants_own_rate_on_a_domain_is_its_own),
        cmocka_unit_test(connections_grow_by_success),
        cmocka_unit_test(mail_waits_a_moment_for_a_busy_connection_before_a_third_is_taken),
        cmocka_unit_test(a_queue_that_probes_sends_one_at_a_time),
        cmocka_unit_test(a_path_that_failed_is_probed_by_one_connection),
        cmocka_unit_test(success_before_the_clock_ends_the_wait),
        cmocka_unit_test(a_queue_may_leave_while_it_is_being_sent),
        cmocka_unit_test(what_rides_belongs_to_the_tenant_of_the_connection),
        cmocka_unit_test(what_rides_is_charged_by_itself_and_not_when_it_never_began),
        cmocka_unit_test(a_queue_that_leaves_lets_the_limits_of_the_others_bind),
        cmocka_unit_test(nothing_is_ordered_while_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
