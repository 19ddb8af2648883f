/* Entries of a queue in memory, and counts of what is durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream_desk.h"

#include <stdlib.h>

static const char text[] = "defaults: {tls: none, ip_families: [ipv4]}\n"
                           "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                           "tenants: {one: {vmtas: [v], route: v, sender_domains: ['*']}}\n";
static const char without[] = "defaults: {tls: none, ip_families: [ipv4]}\n"
                              "vmtas: {v: {source_addresses: [127.0.0.1], hostname: new.test}}\n"
                              "tenants: {other: {vmtas: [v], route: v, sender_domains: ['*']}}\n";

static struct stream_desk *open_desk(void)
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

static void a_queue_has_one_name_and_one_number(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    assert_string_equal(q->name, "one/v/a.test");
    assert_ptr_equal(queues_find(&d->mta.queues, SLICE("one/v/a.test")), q);
    assert_ptr_equal(queues_by_id(&d->mta.queues, q->key.id), q);
    assert_ptr_equal(queues_get(&d->mta.queues, SLICE("one"), SLICE("v"), SLICE("a.test"), 0), q);
    assert_true(stream_desk_queue(d, "one", "v", "b.test", "x")->key.id != q->key.id);
    close_desk(d);
}

static void a_cut_entry_leaves_the_rest_at_the_front(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct queue_entry *e = stream_desk_message(d, q, 10, "a@one.test"), *rest;

    stream_desk_messages(d, q, 1);
    assert_true(queue_entry_split(&d->mta.queues, e, 10));
    assert_true(queue_entry_split(&d->mta.queues, e, 3));
    rest = TAILQ_FIRST(&q->ready);
    assert_ptr_not_equal(rest, e);
    assert_int_equal(e->rcpt_count, 3);
    assert_int_equal(rest->rcpt_count, 7);
    assert_int_equal(rest->rcpt[0], 3);
    assert_int_equal(q->ready_rcpts, 11);
    assert_int_equal(q->ready_entries, 3);
    assert_int_equal(d->mta.queues.memory_rcpts, 11);
    queue_entry_move(e, ENTRY_SENDING);
    assert_int_equal(q->ready_rcpts, 8);
    assert_int_equal(q->busy_rcpts, 3);
    assert_int_equal(q->sending, 1);
    assert_true(queues_has_rcpt(&d->mta.queues, &e->env->id, 9));
    assert_false(queues_has_rcpt(&d->mta.queues, &e->env->id, 10));
    close_desk(d);
}

static void what_is_taken_out_of_an_entry_that_is_sent_is_ready(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    struct queue_entry *e = stream_desk_message(d, q, 5, "a@one.test"), *out;
    static const int which[] = { 0, 3 };

    queue_entry_move(e, ENTRY_SENDING);
    out = queue_entry_take_out(&d->mta.queues, e, which, 2);
    assert_non_null(out);
    assert_int_equal(out->state, ENTRY_READY);
    assert_int_equal(out->rcpt[0], 0);
    assert_int_equal(out->rcpt[1], 3);
    assert_int_equal(e->rcpt_count, 3);
    assert_int_equal(e->rcpt[0], 1);
    assert_int_equal(e->rcpt[1], 2);
    assert_int_equal(e->rcpt[2], 4);
    assert_int_equal(q->ready_rcpts, 2);
    assert_int_equal(q->busy_rcpts, 3);
    assert_int_equal(d->mta.queues.memory_rcpts, 5);
    close_desk(d);
}

static void counts_return_to_nothing_whatever_is_done_to_entries(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q[3] = { stream_desk_queue(d, "one", "v", "a.test", "x"), stream_desk_queue(d, "one", "v", "b.test", "x"),
                           stream_desk_queue(d, "one", "v", "c.test", "y") };

    for (int i = 0; i < 20000; i++) {
        struct queue *at = q[rand_below(&d->mta.rand, 3)];
        struct queue_entry *e = TAILQ_FIRST(&at->ready), *busy = TAILQ_FIRST(&at->busy);
        int first = 0;

        switch (rand_below(&d->mta.rand, 7)) {
        case 0:
            stream_desk_message(d, at, 1 + (int)rand_below(&d->mta.rand, 9), "a@one.test");
            break;
        case 1:
            if (e)
                assert_true(queue_entry_split(&d->mta.queues, e, 1 + (int)rand_below(&d->mta.rand, (uint64_t)e->rcpt_count)));
            break;
        case 2:
            if (e)
                queue_entry_move(e, ENTRY_SENDING);
            break;
        case 3:
            if (busy && busy->state == ENTRY_SENDING)
                queue_entry_move(busy, ENTRY_READY);
            break;
        case 4:
            if (busy && busy->rcpt_count > 1)
                assert_non_null(queue_entry_take_out(&d->mta.queues, busy, &first, 1));
            break;
        default:
            if (busy)
                stream_desk_done(d, busy);
        }
        assert_int_equal(at->recipients, queue_in_memory(at));
        assert_int_equal(d->mta.queues.total.recipients, q[0]->recipients + q[1]->recipients + q[2]->recipients);
        assert_int_equal(d->mta.queues.memory_rcpts, d->mta.queues.total.recipients);
        assert_int_equal(at->tenant_state->party.recipients, d->mta.queues.total.recipients);
    }
    for (int i = 0; i < 3; i++) {
        struct queue_entry *e;

        while ((e = TAILQ_FIRST(&q[i]->ready)) || (e = TAILQ_FIRST(&q[i]->busy)))
            stream_desk_done(d, e);
        assert_int_equal(q[i]->messages, 0);
        assert_int_equal(q[i]->bytes, 0);
        assert_int_equal(q[i]->ready_entries, 0);
        assert_int_equal(q[i]->sending, 0);
    }
    assert_int_equal(d->mta.queues.total.messages, 0);
    assert_null(d->mta.queues.messages);
    close_desk(d);
}

static void what_is_parked_before_the_place_of_the_load_rewinds_it(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");
    const struct envelope younger = { .received_ms = 4000, .expires_ms = 90000 }, older = { .received_ms = 3000, .expires_ms = 95000 };

    q->after.due_ms = 5000;
    queue_note_parked(q, 6000, &younger);
    assert_false(q->rewind);
    assert_int_equal(q->next_due_ms, 6000);
    assert_int_equal(q->next_expiry_ms, 90000);
    assert_int_equal(q->oldest_parked_ms, 4000);
    queue_note_parked(q, 5000, &older);
    assert_true(q->rewind);
    assert_int_equal(q->oldest_parked_ms, 3000);
    assert_int_equal(q->next_due_ms, 5000);
    assert_int_equal(q->next_expiry_ms, 90000);
    close_desk(d);
}

static void queues_wake_in_the_order_of_their_times(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *a = stream_desk_queue(d, "one", "v", "a.test", "x"), *b = stream_desk_queue(d, "one", "v", "b.test", "x");

    queue_set_wake(&d->mta.queues, a, 200);
    queue_set_wake(&d->mta.queues, b, 100);
    assert_null(queues_woken(&d->mta.queues, 99));
    assert_ptr_equal(queues_woken(&d->mta.queues, 300), b);
    queue_set_wake(&d->mta.queues, a, NEVER_MS);
    assert_null(queues_woken(&d->mta.queues, 300));
    close_desk(d);
}

static void a_queue_that_vanished_keeps_its_policy_for_what_is_being_sent(void **state)
{
    struct stream_desk *d = open_desk();
    struct queue *q = stream_desk_queue(d, "one", "v", "a.test", "x");

    stream_desk_messages(d, q, 1);
    q->place_is_old = false;
    stream_desk_reload(d, without);
    queue_sync(&d->mta.queues, q);
    assert_true(q->place_is_old);
    assert_true(queue_is_held(q));
    assert_null(q->tenant);
    assert_string_equal(q->profile.ehlo, "v.test");
    assert_int_equal(policy_number(&q->policy, SET_PORT), 25);
    /* and is there again with the name */
    stream_desk_reload(d, text);
    queue_sync(&d->mta.queues, q);
    assert_false(queue_is_held(q));
    close_desk(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_has_one_name_and_one_number),
        cmocka_unit_test(a_cut_entry_leaves_the_rest_at_the_front),
        cmocka_unit_test(what_is_taken_out_of_an_entry_that_is_sent_is_ready),
        cmocka_unit_test(counts_return_to_nothing_whatever_is_done_to_entries),
        cmocka_unit_test(what_is_parked_before_the_place_of_the_load_rewinds_it),
        cmocka_unit_test(queues_wake_in_the_order_of_their_times),
        cmocka_unit_test(a_queue_that_vanished_keeps_its_policy_for_what_is_being_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
