/* The store above real files: what is accepted is there after a restart, what is settled is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sqlite_version.h"
#include "store_desk.h"

#define RCPTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct store_recovered *found(struct desk *d)
{
    return store_recovered(d->store);
}

static void assert_text(struct slice s, const char *text)
{
    assert_true(slice_eq(s, slice_of(text)));
}

static void what_was_accepted_is_there_after_a_restart(void **state)
{
    struct desk d;
    struct envelope *e, *f;

    desk_open(&d);
    e = desk_message(&d, "Subject: x\r\n\r\nhello\r\n", NULL, RCPTS("7 a@two.test", "7 b@two.test", "9 c@three.test"));
    e->envid = SLICE("env-1");
    e->ret = RET_HDRS;
    e->smtputf8 = true;
    e->rcpts[1].orcpt = SLICE("rfc822;b@two.test");
    e->rcpts[1].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
    assert_int_equal(desk_accept(&d, e, true), 0);
    assert_true(e->fresh);
    desk_reopen(&d);
    assert_int_equal(found(&d)->fresh_count, 1);
    assert_int_equal(found(&d)->next_queue_id, 10);
    f = envelope_ref(found(&d)->fresh[0]);
    assert_memory_equal(&f->id, &e->id, sizeof e->id);
    assert_true(f->fresh && f->smtputf8 && f->ret == RET_HDRS);
    assert_text(f->envid, "env-1");
    assert_text(f->reverse_path, "sender@acme.test");
    assert_int_equal(f->rcpt_count, 3);
    assert_text(f->rcpts[1].orcpt, "rfc822;b@two.test");
    assert_int_equal(f->rcpts[1].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
    assert_text(f->rcpts[2].queue.domain, "three.test");
    assert_text(f->rcpts[2].queue.tenant, "acme");
    assert_int_equal(f->rcpts[2].number, 2);
    store_forget_recovered(d.store);
    assert_int_equal(desk_read(&d, f->body), 0);
    assert_int_equal(d.read_n, strlen("Subject: x\r\n\r\nhello\r\n"));
    assert_memory_equal(d.read, "Subject: x\r\n\r\nhello\r\n", d.read_n);
    envelope_unref(e);
    envelope_unref(f);
    desk_close(&d);
}

static void what_was_settled_is_gone_and_its_segment_with_the_next_start(void **state)
{
    struct desk d;
    struct envelope *e;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test", "9 c@three.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    assert_int_equal(desk_files(&d, "segment-"), 1);
    desk_settle(&d, e, -1, SETTLE_DELIVERED, 0);
    assert_true(d.settled.message_gone);
    assert_int_equal(d.settled.messages_left, 2);
    assert_int_equal(d.settled.left[0].queue, 7);
    assert_int_equal(d.settled.left[1].queue, 9);
    desk_show(&d, &e->id);
    assert_int_equal(d.loaded.count, 0);
    desk_reopen(&d);
    assert_int_equal(found(&d)->fresh_count, 0);
    assert_int_equal(desk_accept(&d, e, true), 0); /* the first batch removes what is idle */
    assert_int_equal(desk_files(&d, "segment-"), 1);
    envelope_unref(e);
    desk_close(&d);
}

static void a_deferred_recipient_waits_in_its_queue(void **state)
{
    struct desk d;
    struct envelope *e;
    const struct envelope_rcpt *r;
    const struct stored_queue *q;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test", "7 b@two.test", "9 c@three.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    desk_settle(&d, e, 2, SETTLE_DELIVERED, 0); /* the others become parked, due at once */
    assert_false(d.settled.message_gone);
    assert_int_equal(d.settled.messages_left, 1);
    assert_int_equal(d.settled.left[0].queue, 9);
    assert_false(e->fresh);
    desk_settle(&d, e, 0, SETTLE_PARK, d.wall_ms + 1000);
    assert_int_equal(d.settled.messages_left, 0);
    desk_load(&d, 7, d.wall_ms, 10);
    assert_int_equal(d.loaded.count, 1);
    assert_int_equal(d.loaded.envelopes[0]->rcpt_count, 1);
    assert_int_equal(d.loaded.envelopes[0]->rcpts[0].number, 1);
    assert_false(d.loaded.more);
    assert_true(d.loaded.next_due_ms == d.wall_ms + 1000);
    desk_reopen(&d);
    assert_int_equal(found(&d)->queue_count, 1);
    q = &found(&d)->queues[0];
    assert_int_equal(q->key.id, 7);
    assert_text(q->key.domain, "two.test");
    assert_int_equal(q->messages, 1);
    assert_int_equal(q->recipients, 2);
    assert_int_equal(q->bytes, 7);
    assert_int_equal(q->next_due_ms, 0);
    assert_true(q->oldest_ms == d.wall_ms);
    desk_load(&d, 7, NEVER_MS, 10);
    assert_int_equal(d.loaded.count, 2);
    r = &d.loaded.envelopes[1]->rcpts[0];
    assert_int_equal(r->number, 0);
    assert_int_equal(r->attempts, 1);
    assert_int_equal(r->reply.code, 451);
    assert_int_equal(r->reply.stage, STAGE_RCPT);
    assert_text(r->reply.text, "later");
    assert_text(r->reply.mx, "mx.two.test");
    assert_true(d.loaded.next_due_ms == NEVER_MS);
    assert_int_equal(desk_read(&d, d.loaded.envelopes[0]->body), 0);
    assert_memory_equal(d.read, "hello\r\n", 7);
    desk_settle(&d, d.loaded.envelopes[0], 1, SETTLE_BOUNCED, 0);
    assert_false(d.settled.message_gone);
    assert_int_equal(d.settled.messages_left, 0);
    desk_settle(&d, e, 0, SETTLE_EXPIRED, 0);
    assert_true(d.settled.message_gone);
    assert_int_equal(d.settled.messages_left, 1);
    desk_settle(&d, e, 0, SETTLE_EXPIRED, 0); /* again: nothing more happens */
    assert_int_equal(d.settled.messages_left, 0);
    desk_reopen(&d);
    q = &found(&d)->queues[0];
    assert_int_equal(q->messages + q->recipients + q->bytes, 0);
    assert_true(q->next_due_ms == NEVER_MS);
    envelope_unref(e);
    desk_close(&d);
}

static void accepting_twice_stores_once(void **state)
{
    struct desk d;
    struct envelope *e;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", "j1", RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    assert_int_equal(desk_accept(&d, e, true), 0);
    assert_int_equal(desk_accept(&d, e, false), 0);
    desk_reopen(&d);
    assert_int_equal(found(&d)->fresh_count, 1);
    assert_int_equal(found(&d)->queue_count, 0);
    assert_int_equal(found(&d)->job_count, 1);
    assert_int_equal(found(&d)->jobs[0].queued, 1);
    desk_settle(&d, found(&d)->fresh[0], -1, SETTLE_DELIVERED, 0);
    assert_true(d.settled.message_gone);
    envelope_unref(e);
    desk_close(&d);
}

static void a_job_counts_its_recipients(void **state)
{
    struct desk d;
    struct envelope *e, *f;
    const struct stored_job *j;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", "j1", RCPTS("7 a@two.test", "7 b@two.test", "9 c@three.test"));
    f = desk_message(&d, "hello\r\n", "j1", RCPTS("7 a@two.test"));
    f->received_ms -= 2; /* it took longer to come in */
    d.wall_ms += 7;
    assert_int_equal(desk_accept(&d, e, true), 0);
    assert_int_equal(desk_accept(&d, f, false), 0);
    d.wall_ms += 5000;
    desk_settle(&d, e, 0, SETTLE_DELIVERED, 0);
    desk_settle(&d, e, 1, SETTLE_BOUNCED, 0);
    desk_settle(&d, e, 1, SETTLE_BOUNCED, 0);
    desk_settle(&d, f, 0, SETTLE_DROPPED, 0);
    desk_reopen(&d);
    assert_int_equal(found(&d)->job_count, 1);
    j = &found(&d)->jobs[0];
    assert_text(j->tenant, "acme");
    assert_text(j->job, "j1");
    assert_int_equal(j->queued, 1);
    assert_int_equal(j->delivered, 1);
    assert_int_equal(j->bounced, 1);
    assert_int_equal(j->dropped, 1);
    assert_int_equal(j->expired, 0);
    assert_int_equal(j->bytes, 14);
    assert_true(j->first_accepted_ms == f->received_ms);
    assert_true(j->last_event_ms == j->first_accepted_ms + 5009);
    store_job_forget(d.store, SLICE("acme"), SLICE("j1"));
    desk_settle(&d, e, 2, SETTLE_DELIVERED, 0);
    desk_reopen(&d);
    assert_int_equal(found(&d)->job_count, 0);
    envelope_unref(e);
    envelope_unref(f);
    desk_close(&d);
}

static void a_dsn_is_stored_with_the_settle_it_speaks_of(void **state)
{
    struct desk d;
    struct envelope *e, *dsn;
    struct settle_rcpt r = { .number = 0, .kind = SETTLE_BOUNCED };

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    dsn = desk_message(&d, "it failed\r\n", NULL, RCPTS("8 sender@acme.test"));
    dsn->is_dsn = true;
    assert_int_equal(desk_accept(&d, e, true), 0);
    store_settle(d.store, e, &r, 1, dsn, true, desk_on_settled, &d);
    desk_wait(&d, 1);
    assert_true(d.settled.message_gone);
    desk_reopen(&d);
    assert_int_equal(found(&d)->fresh_count, 1);
    assert_true(found(&d)->fresh[0]->is_dsn);
    assert_memory_equal(&found(&d)->fresh[0]->id, &dsn->id, sizeof dsn->id);
    envelope_unref(e);
    envelope_unref(dsn);
    desk_close(&d);
}

static void a_recipient_moves_to_another_queue(void **state)
{
    struct desk d;
    struct envelope *e;
    struct queue_key to = { .id = 12, .tenant = SLICE("acme"), .vmta = SLICE("v2"), .domain = SLICE("two.test") };
    struct settle_rcpt r = { .number = 0, .kind = SETTLE_PARK, .queue = &to };

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, false), 0);
    store_settle(d.store, e, &r, 1, NULL, false, desk_on_settled, &d);
    desk_wait(&d, 1);
    assert_int_equal(d.settled.messages_left, 1);
    assert_int_equal(d.settled.left[0].queue, 7);
    desk_load(&d, 7, NEVER_MS, 10);
    assert_int_equal(d.loaded.count, 0);
    desk_load(&d, 12, NEVER_MS, 10);
    assert_int_equal(d.loaded.count, 1);
    assert_text(d.loaded.envelopes[0]->rcpts[0].queue.vmta, "v2");
    desk_settle(&d, e, 0, SETTLE_DELIVERED, 0); /* by the envelope that knows the old queue */
    assert_true(d.settled.message_gone);
    desk_reopen(&d);
    assert_int_equal(found(&d)->queue_count, 2);
    assert_int_equal(found(&d)->queues[0].recipients + found(&d)->queues[1].recipients, 0);
    assert_int_equal(found(&d)->next_queue_id, 13);
    store_queue_forget(d.store, 12);
    desk_reopen(&d);
    assert_int_equal(found(&d)->queue_count, 1);
    assert_int_equal(found(&d)->next_queue_id, 13);
    envelope_unref(e);
    desk_close(&d);
}

static void a_load_goes_on_after_its_key(void **state)
{
    struct desk d;
    struct load_key after = { 0 };
    int total = 0, calls = 0;

    desk_open(&d);
    for (int i = 0; i < 10; i++) {
        struct envelope *e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test", "7 b@two.test"));

        e->rcpts[0].due_ms = e->rcpts[1].due_ms = i < 5 ? 100 : 100 + i;
        assert_int_equal(desk_accept(&d, e, false), 0);
        envelope_unref(e);
    }
    do {
        store_load(d.store, 7, 108, &after, 3, desk_on_loaded, &d);
        desk_wait(&d, 1);
        for (int i = 0; i < d.loaded.count; i++)
            total += d.loaded.envelopes[i]->rcpt_count;
        after = d.loaded.after;
        calls++;
    } while (d.loaded.more);
    assert_int_equal(total, 18);
    assert_int_equal(calls, 6);
    assert_true(d.loaded.next_due_ms == 109);
    desk_close(&d);
}

static void expired_mail_is_found_by_its_own_clock(void **state)
{
    struct desk d;

    desk_open(&d);
    for (int i = 0; i < 3; i++) {
        struct envelope *e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));

        e->expires_ms = 1000 * (3 - i);
        e->rcpts[0].due_ms = NEVER_MS - 1;
        assert_int_equal(desk_accept(&d, e, false), 0);
        envelope_unref(e);
    }
    store_load_expired(d.store, 7, 2000, 10, desk_on_loaded, &d);
    desk_wait(&d, 1);
    assert_int_equal(d.loaded.count, 2);
    assert_int_equal(d.loaded.envelopes[0]->expires_ms, 1000);
    assert_false(d.loaded.more);
    store_load_expired(d.store, 7, 2000, 1, desk_on_loaded, &d);
    desk_wait(&d, 1);
    assert_int_equal(d.loaded.count, 1);
    assert_true(d.loaded.more);
    desk_close(&d);
}

static int selected(struct desk *d, const struct store_selection *sel, int limit)
{
    struct load_key after = { 0 };
    int total = 0;

    do {
        store_select(d->store, sel, &after, limit, desk_on_loaded, d);
        desk_wait(d, 1);
        assert_int_equal(d->rc, 0);
        for (int i = 0; i < d->loaded.count; i++)
            total += d->loaded.envelopes[i]->rcpt_count;
        after = d->loaded.after;
    } while (d->loaded.more);
    return total;
}

static void a_selection_finds_by_queue_job_message_and_age(void **state)
{
    struct desk d;
    struct ulid third;
    struct store_selection sel = { .received_before_ms = NEVER_MS };

    desk_open(&d);
    for (int i = 0; i < 6; i++) {
        struct envelope *e = desk_message(&d, "hello\r\n", i % 2 ? "odd" : NULL,
                                          RCPTS("7 a@two.test", "9 b@three.test", "7 c@two.test"));

        e->received_ms = i;
        if (i == 3)
            third = e->id;
        assert_int_equal(desk_accept(&d, e, false), 0);
        envelope_unref(e);
    }
    for (int limit = 1; limit < 8; limit++) {
        sel = (struct store_selection){ .queue = 7, .received_before_ms = NEVER_MS };
        assert_int_equal(selected(&d, &sel, limit), 12);
        sel.job = SLICE("odd");
        assert_int_equal(selected(&d, &sel, limit), 6);
        sel = (struct store_selection){ .tenant = SLICE("acme"), .job = SLICE("odd"), .received_before_ms = NEVER_MS };
        assert_int_equal(selected(&d, &sel, limit), 9);
        sel.received_before_ms = 3;
        assert_int_equal(selected(&d, &sel, limit), 3);
        sel = (struct store_selection){ .message = &third, .received_before_ms = NEVER_MS };
        assert_int_equal(selected(&d, &sel, limit), 3);
        sel.queue = 7;
        assert_int_equal(selected(&d, &sel, limit), 2);
    }
    desk_close(&d);
}

static void a_queue_keeps_its_clock(void **state)
{
    struct desk d;
    struct queue_key key = { .id = 3, .tenant = SLICE("acme"), .vmta = SLICE("v1"), .domain = SLICE("two.test") };
    struct last_reply reply = { .time_ms = 5, .stage = STAGE_CONNECT, .text = SLICE("connection refused") };

    desk_open(&d);
    store_queue_clock(d.store, &key, 1, 100, NULL);
    store_queue_clock(d.store, &key, 2, 200, &reply);
    desk_reopen(&d); /* a stop commits what waits */
    assert_int_equal(found(&d)->queue_count, 1);
    assert_int_equal(found(&d)->queues[0].attempts, 2);
    assert_int_equal(found(&d)->queues[0].next_attempt_ms, 200);
    assert_int_equal(found(&d)->queues[0].reply.stage, STAGE_CONNECT);
    assert_text(found(&d)->queues[0].reply.text, "connection refused");
    desk_close(&d);
}

static void rules_outlive_a_restart(void **state)
{
    struct desk d;
    struct stored_hold h = {
        .id = { { 1 } }, .tenant = SLICE("acme"), .domain = SLICE("two.test"), .who = SLICE("root"), .since_ms = 77
    };
    struct stored_hold g = { .id = { { 2 } }, .tenant = SLICE("other"), .refuse = true, .who = SLICE("ops") };

    desk_open(&d);
    store_hold_put(d.store, &h, desk_on_done, &d);
    store_hold_put(d.store, &g, desk_on_done, &d);
    desk_wait(&d, 2);
    desk_reopen(&d);
    assert_int_equal(found(&d)->hold_count, 2);
    assert_text(found(&d)->holds[0].domain, "two.test");
    assert_text(found(&d)->holds[0].vmta, "");
    assert_text(found(&d)->holds[0].who, "root");
    assert_int_equal(found(&d)->holds[0].since_ms, 77);
    assert_true(found(&d)->holds[1].refuse);
    store_hold_delete(d.store, &h.id, desk_on_done, &d);
    desk_wait(&d, 1);
    desk_reopen(&d);
    assert_int_equal(found(&d)->hold_count, 1);
    desk_close(&d);
}

static void what_is_fresh_above_a_number_is_parked_at_the_start(void **state)
{
    struct desk d;

    desk_open(&d);
    for (int i = 0; i < 5; i++) {
        struct envelope *e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));

        assert_int_equal(desk_accept(&d, e, true), 0);
        envelope_unref(e);
    }
    d.options.max_fresh_at_start = 2;
    desk_reopen(&d);
    assert_int_equal(found(&d)->fresh_count, 2);
    assert_int_equal(found(&d)->queue_count, 1);
    assert_int_equal(found(&d)->queues[0].messages, 3);
    desk_load(&d, 7, NEVER_MS, 10);
    assert_int_equal(d.loaded.count, 3);
    assert_true(ulid_cmp(&found(&d)->fresh[1]->id, &d.loaded.envelopes[0]->id) < 0);
    desk_close(&d);
}

static void listings_and_single_messages_come_from_the_reader(void **state)
{
    struct desk d;
    struct envelope *e, *f;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test", "9 b@three.test"));
    f = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, false), 0);
    assert_int_equal(desk_accept(&d, f, true), 0);
    store_list_queue(d.store, 7, NULL, 10, desk_on_shown, &d);
    desk_wait(&d, 1);
    assert_int_equal(d.loaded.count, 1);
    assert_int_equal(d.loaded.envelopes[0]->rcpt_count, 1);
    desk_show(&d, &e->id);
    assert_int_equal(d.loaded.count, 1);
    assert_int_equal(d.loaded.envelopes[0]->rcpt_count, 2);
    desk_show(&d, &f->id);
    assert_int_equal(d.loaded.count, 1);
    assert_int_equal(d.loaded.envelopes[0]->rcpt_count, 1);
    envelope_unref(e);
    envelope_unref(f);
    desk_close(&d);
}

static void a_second_daemon_is_refused_with_the_first_ones_pid(void **state)
{
    struct desk d;
    struct store *second;
    struct fl_err err;
    char pid[32];

    desk_open(&d);
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_int_equal(store_open(&d.options, &second, &err), FL_EBUSY);
    assert_non_null(strstr(err.text, pid));
    desk_close(&d);
}

static void a_group_is_one_commit(void **state)
{
    struct desk d;
    struct store_stats before, after;

    desk_open(&d);
    store_stats(d.store, &before);
    for (int i = 0; i < 50; i++) {
        struct envelope *e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));

        store_accept(d.store, e, true, desk_on_done, &d);
        envelope_unref(e);
    }
    desk_wait(&d, 50);
    store_stats(d.store, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.messages - before.messages, 50);
    assert_int_equal(after.group_bucket[6], 1);
    assert_true(after.wal_bytes > 0 && after.free_bytes > 0);
    desk_close(&d);
}

static void a_version_is_judged_as_text_too(void **state)
{
    assert_string_equal(store_sqlite_version(), sqlite_version());
    assert_true(store_sqlite_is_affected("3.40.1"));
    assert_true(store_sqlite_is_affected("3.51.2"));
    assert_false(store_sqlite_is_affected("3.51.3"));
    assert_false(store_sqlite_is_affected("3.44.6"));
    assert_false(store_sqlite_is_affected("3.6.23"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_accepted_is_there_after_a_restart),
        cmocka_unit_test(what_was_settled_is_gone_and_its_segment_with_the_next_start),
        cmocka_unit_test(a_deferred_recipient_waits_in_its_queue),
        cmocka_unit_test(accepting_twice_stores_once),
        cmocka_unit_test(a_job_counts_its_recipients),
        cmocka_unit_test(a_dsn_is_stored_with_the_settle_it_speaks_of),
        cmocka_unit_test(a_recipient_moves_to_another_queue),
        cmocka_unit_test(a_load_goes_on_after_its_key),
        cmocka_unit_test(expired_mail_is_found_by_its_own_clock),
        cmocka_unit_test(a_selection_finds_by_queue_job_message_and_age),
        cmocka_unit_test(a_queue_keeps_its_clock),
        cmocka_unit_test(rules_outlive_a_restart),
        cmocka_unit_test(what_is_fresh_above_a_number_is_parked_at_the_start),
        cmocka_unit_test(listings_and_single_messages_come_from_the_reader),
        cmocka_unit_test(a_second_daemon_is_refused_with_the_first_ones_pid),
        cmocka_unit_test(a_group_is_one_commit),
        cmocka_unit_test(a_version_is_judged_as_text_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
