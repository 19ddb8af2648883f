/* envelope_pack.c: an envelope comes back as it was; and no spoilt bytes do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "envelope_pack.h"
#include "err.h"
#include "rand.h"

static struct envelope *sample(void)
{
    struct envelope *e = envelope_new(2);
    struct envelope_rcpt r = {
        .queue = { .id = 1u << 31, .tenant = SLICE("acme"), .vmta = SLICE("v1"), .domain = SLICE("two.test") },
        .address = SLICE("a@two.test"),
        .orcpt = SLICE("rfc822;a+40two.test"),
        .notify = NOTIFY_NEVER,
        .attempts = 3,
        .delay_notified = true,
        .due_ms = -5,
        .reply = { .time_ms = 7,
                   .stage = STAGE_DOT,
                   .code = 451,
                   .enhanced = SLICE("4.7.1"),
                   .text = SLICE("later"),
                   .mx = SLICE("mx.test") },
    };

    e->tenant = SLICE("acme");
    e->envid = SLICE("id");
    e->reverse_path = SLICE("me@acme.test");
    e->ret = RET_FULL;
    e->is_dsn = true;
    e->long_lines = true;
    e->body_type = BODY_BINARY;
    e->received_ms = 1764000000000;
    e->expires_ms = INT64_MAX;
    e->size = INT64_MIN;
    assert_non_null(envelope_add_rcpt(e, &r));
    r.address = SLICE("b@two.test");
    r.reply = (struct last_reply){ 0 };
    assert_non_null(envelope_add_rcpt(e, &r));
    r.queue = (struct queue_key){ .id = 5, .tenant = SLICE("other"), .vmta = SLICE("v2"), .domain = SLICE("x.test") };
    assert_non_null(envelope_add_rcpt(e, &r));
    e->rcpts[2].number = 9;
    return e;
}

static void an_envelope_comes_back_as_it_was(void **state)
{
    struct envelope *e = sample(), *f = envelope_new(1);
    struct buf out;
    struct slice in;

    buf_init(&out, 0);
    assert_int_equal(envelope_pack_head(&out, e), 0);
    assert_int_equal(envelope_pack_rcpts(&out, e), 0);
    in = buf_slice(&out);
    assert_int_equal(envelope_unpack_head(&in, f), 0);
    assert_int_equal(envelope_unpack_rcpts(&in, f), 0);
    assert_int_equal(in.n, 0);
    assert_true(f->is_dsn && f->long_lines && !f->smtputf8 && f->ret == RET_FULL && f->body_type == BODY_BINARY);
    assert_true(f->expires_ms == INT64_MAX && f->size == INT64_MIN && f->received_ms == e->received_ms);
    assert_true(slice_eq(f->envid, e->envid) && slice_eq(f->reverse_path, e->reverse_path) && f->job.n == 0);
    assert_int_equal(f->rcpt_count, 3);
    for (int i = 0; i < 3; i++) {
        const struct envelope_rcpt *a = &e->rcpts[i], *b = &f->rcpts[i];

        assert_int_equal(a->number, b->number);
        assert_true(a->queue.id == b->queue.id && slice_eq(a->queue.tenant, b->queue.tenant) &&
                    slice_eq(a->queue.vmta, b->queue.vmta) && slice_eq(a->queue.domain, b->queue.domain));
        assert_true(slice_eq(a->address, b->address) && slice_eq(a->orcpt, b->orcpt) && a->notify == b->notify);
        assert_true(a->attempts == b->attempts && a->due_ms == b->due_ms && a->delay_notified == b->delay_notified);
        assert_true(a->reply.time_ms == b->reply.time_ms && a->reply.code == b->reply.code &&
                    slice_eq(a->reply.mx, b->reply.mx));
    }
    assert_ptr_equal(envelope_rcpt_find(f, 9), &f->rcpts[2]);
    assert_null(envelope_rcpt_find(f, 2));
    buf_free(&out);
    envelope_unref(e);
    envelope_unref(f);
}

/* Whatever it makes of them, it neither reads beyond nor stores what is out of range. */
static void try_bytes(struct slice in)
{
    struct envelope *f = envelope_new(1);
    struct envelope_rcpt r = { 0 };
    struct last_reply reply;
    char *exact = malloc(in.n ? in.n : 1); /* so that a byte too far is noticed */
    struct slice rest = slice_make(exact, in.n);

    if (in.n)
        memcpy(exact, in.p, in.n);
    if (envelope_unpack_head(&rest, f) == 0)
        envelope_unpack_rcpts(&rest, f);
    for (int i = 0; i < f->rcpt_count; i++)
        assert_true(f->rcpts[i].reply.stage < STAGES && f->rcpts[i].attempts >= 0);
    envelope_unpack_details(slice_make(exact, in.n), &r);
    envelope_unpack_reply(slice_make(exact, in.n), &reply);
    envelope_unref(f);
    free(exact);
}

static void spoilt_bytes_are_refused_or_harmless(void **state)
{
    struct envelope *e = sample();
    struct rand rand;
    struct buf out;
    struct slice in;

    rand_seed(&rand, 1);
    buf_init(&out, 0);
    assert_int_equal(envelope_pack_head(&out, e), 0);
    assert_int_equal(envelope_pack_rcpts(&out, e), 0);
    in = buf_slice(&out);
    for (size_t n = 0; n < in.n; n++)
        try_bytes(slice_head(in, n));
    for (int i = 0; i < 20000; i++) {
        char copy[512];

        assert_true(in.n < sizeof copy);
        memcpy(copy, in.p, in.n);
        for (uint64_t k = 0; k <= rand_below(&rand, 3); k++)
            copy[rand_below(&rand, in.n)] = (char)rand_next(&rand);
        try_bytes(slice_make(copy, in.n));
    }
    buf_free(&out);
    envelope_unref(e);
}

static int unpack(const char *bytes, size_t n)
{
    struct envelope *e = envelope_new(1);
    struct slice in = slice_make(bytes, n);
    int rc;

    assert_non_null(e);
    rc = envelope_unpack_rcpts(&in, e);
    envelope_unref(e);
    return rc;
}

/* Count; then number, queue (id, tenant, vmta, domain; or 0: as before), due, attempts, details. */
static void recipients_without_a_queue_or_out_of_order_are_refused(void **state)
{
    static const char first_without[] = "\1" "\0" "\0" "\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char number_too_large[] = "\1" "\377\377\377\377\377\377\1" "\1\0\1v\1d" "\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0";

    assert_int_equal(unpack(first_without, sizeof first_without), FL_ECORRUPT);
    assert_int_equal(unpack(number_too_large, sizeof number_too_large), FL_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_comes_back_as_it_was),
        cmocka_unit_test(recipients_without_a_queue_or_out_of_order_are_refused),
        cmocka_unit_test(spoilt_bytes_are_refused_or_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
