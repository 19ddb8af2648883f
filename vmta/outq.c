/* outq.c: see outq.h. */
#include "outq.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "err.h"

enum {
    OUTQ_FIRST_PARTS = 4,
    OUTQ_KEEP_BYTES = 1024, /* what an idle connection may keep */
    OUTQ_KEEP_PARTS = 16,
    OUTQ_TAKE_PIECES = 16,
};

void outq_init(struct outq *q)
{
    *q = (struct outq){ 0 };
    buf_init(&q->bytes, 0);
}

void outq_free(struct outq *q)
{
    for (unsigned i = 0; i < q->count; i++)
        body_unref(q->parts[q->first + i].body);
    free(q->parts);
    buf_free(&q->bytes);
    outq_init(q);
}

/* Room for one more part at the end; what was sent is moved over first. */
static int reserve_part(struct outq *q)
{
    struct outq_part *parts;
    unsigned cap = q->cap ? 2 * q->cap : OUTQ_FIRST_PARTS;

    if (q->first + q->count < q->cap)
        return 0;
    if (q->first > 0) {
        memmove(q->parts, q->parts + q->first, q->count * sizeof *q->parts);
        q->first = 0;
        return 0;
    }
    if (cap > OUTQ_PARTS_MAX)
        return FL_ELIMIT;
    parts = realloc(q->parts, cap * sizeof *parts);
    if (!parts)
        return FL_ENOMEM;
    q->parts = parts;
    q->cap = cap;
    return 0;
}

int outq_add(struct outq *q, struct slice bytes)
{
    struct outq_part *last = q->count ? &q->parts[q->first + q->count - 1] : NULL;
    int rc;

    if (bytes.n == 0)
        return 0;
    if (!last || last->body) {
        rc = reserve_part(q);
        if (rc < 0)
            return rc;
        last = NULL;
    }
    rc = buf_add(&q->bytes, bytes);
    if (rc < 0)
        return rc;
    if (last)
        last->n += bytes.n;
    else
        q->parts[q->first + q->count++] = (struct outq_part){ .n = bytes.n };
    q->total += bytes.n;
    return 0;
}

int outq_add_body(struct outq *q, struct body *body, uint64_t offset, uint64_t n)
{
    int rc;

    if (n == 0)
        return 0;
    rc = reserve_part(q);
    if (rc < 0)
        return rc;
    q->parts[q->first + q->count++] = (struct outq_part){ .body = body_ref(body), .offset = offset, .n = n };
    q->total += n;
    return 0;
}

/* The pieces of one body part, cut at its end. */
static int body_part_pieces(const struct outq_part *part, struct iovec *ret, int max, uint64_t *ret_bytes)
{
    int n = body_pieces(part->body, part->offset, ret, max);
    uint64_t left = part->n;

    for (int i = 0; i < n; i++) {
        if (ret[i].iov_len >= left) {
            ret[i].iov_len = left;
            *ret_bytes = part->n;
            return i + 1;
        }
        left -= ret[i].iov_len;
    }
    *ret_bytes = part->n - left;
    return n;
}

int outq_pieces(const struct outq *q, struct iovec *ret, int max, size_t *ret_bytes)
{
    const char *bytes = buf_slice(&q->bytes).p;
    size_t total = 0;
    int n = 0;

    for (unsigned i = 0; i < q->count && n < max; i++) {
        const struct outq_part *part = &q->parts[q->first + i];
        uint64_t got = part->n;

        if (part->body) {
            n += body_part_pieces(part, ret + n, max - n, &got);
        } else {
            ret[n++] = (struct iovec){ .iov_base = (void *)(uintptr_t)bytes, .iov_len = part->n };
            bytes += part->n;
        }
        total += got;
        if (got < part->n)
            break;
    }
    *ret_bytes = total;
    return n;
}

static void drop_first(struct outq *q)
{
    body_unref(q->parts[q->first].body);
    q->first++;
    q->count--;
}

static void give_back(struct outq *q)
{
    q->first = 0;
    if (q->bytes.cap > OUTQ_KEEP_BYTES)
        buf_free(&q->bytes);
    if (q->cap > OUTQ_KEEP_PARTS) {
        free(q->parts);
        q->parts = NULL;
        q->cap = 0;
    }
}

void outq_sent(struct outq *q, uint64_t n)
{
    assert(n <= q->total);
    q->total -= n;
    while (n > 0) {
        struct outq_part *part = &q->parts[q->first];
        uint64_t step = n < part->n ? n : part->n;

        if (part->body)
            part->offset += step;
        else
            buf_consume(&q->bytes, step);
        part->n -= step;
        n -= step;
        if (part->n == 0)
            drop_first(q);
    }
    if (q->count == 0)
        give_back(q);
}

size_t outq_take(struct outq *q, char *to, size_t n)
{
    size_t taken = 0;

    while (taken < n && q->total > 0) {
        struct iovec iov[OUTQ_TAKE_PIECES];
        size_t bytes, before = taken;
        int count = outq_pieces(q, iov, OUTQ_TAKE_PIECES, &bytes);

        for (int i = 0; i < count && taken < n; i++) {
            size_t step = iov[i].iov_len < n - taken ? iov[i].iov_len : n - taken;

            memcpy(to + taken, iov[i].iov_base, step);
            taken += step;
        }
        if (taken == before)
            break;
        outq_sent(q, taken - before);
    }
    return taken;
}
