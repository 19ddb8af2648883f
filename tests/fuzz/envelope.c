/* Fuzzes store/envelope_pack.c: bytes of a damaged database are refused or read, and what is read comes back as it was written. */
#include <assert.h>
#include <stdlib.h>

#include "envelope_pack.h"
#include "input.h"

static struct envelope *read_back(struct slice head, struct slice rcpts)
{
    struct envelope *e = envelope_new(1);

    if (!e)
        abort();
    if (envelope_unpack_head(&head, e) == 0 && envelope_unpack_rcpts(&rcpts, e) == 0)
        return e;
    envelope_unref(e);
    return NULL;
}

static void check_same(const struct envelope *a, const struct envelope *b)
{
    assert(slice_eq(a->tenant, b->tenant) && slice_eq(a->user, b->user) && slice_eq(a->job, b->job));
    assert(slice_eq(a->reverse_path, b->reverse_path) && slice_eq(a->envid, b->envid) && a->ret == b->ret);
    assert(a->rcpt_count == b->rcpt_count);
    for (int i = 0; i < a->rcpt_count; i++) {
        assert(a->rcpts[i].number == b->rcpts[i].number && slice_eq(a->rcpts[i].address, b->rcpts[i].address));
        assert(slice_eq(a->rcpts[i].orcpt, b->rcpts[i].orcpt) && a->rcpts[i].queue.id == b->rcpts[i].queue.id);
    }
}

static void try_whole(struct slice head, struct slice rcpts)
{
    struct envelope *e = read_back(head, rcpts), *again;
    struct buf h, r;

    if (!e)
        return;
    buf_init(&h, 0);
    buf_init(&r, 0);
    if (envelope_pack_head(&h, e) == 0 && envelope_pack_rcpts(&r, e) == 0) {
        again = read_back(buf_slice(&h), buf_slice(&r));
        assert(again);
        check_same(e, again);
        envelope_unref(again);
    }
    buf_free(&h);
    buf_free(&r);
    envelope_unref(e);
}

static void try_details(struct slice in)
{
    struct envelope_rcpt r = { 0 }, again = { 0 };
    struct last_reply reply;
    struct buf out;

    buf_init(&out, 0);
    envelope_unpack_reply(in, &reply);
    if (envelope_unpack_details(in, &r) == 0 && envelope_pack_details(&out, &r) == 0) {
        assert(envelope_unpack_details(buf_slice(&out), &again) == 0);
        assert(slice_eq(r.address, again.address) && slice_eq(r.orcpt, again.orcpt) && r.notify == again.notify);
        assert(r.reply.code == again.reply.code && slice_eq(r.reply.text, again.reply.text));
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size), head = input_text(&in);

    try_whole(head, in);
    try_details(slice_make(data, size));
    return 0;
}
