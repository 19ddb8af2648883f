/* stream_tls_uv.c: streams under TLS: the handshake, and the way of bytes through tls.c. See stream_private_uv.h. */
#include <sys/uio.h>

#include "stream_private_uv.h"

/* ---------------------------------------------------------------- handshake */
void stream_stop_shaking(struct stream *s)
{
    if (!s->shaking)
        return;
    s->shaking = false;
    s->owner->shaking--;
}

/* Queued output is in clear: it goes before the first record. What the kernel does not take now is put there as bytes. */
static int put_clear_first(struct stream *s, struct tls *tls)
{
    while (s->out.total > 0) {
        uint64_t left = s->out.total;
        size_t n = left < STREAM_TLS_RECORD ? (size_t)left : STREAM_TLS_RECORD;
        char *to;
        int rc = buf_reserve(tls_output(tls), n, &to);

        if (rc < 0)
            return rc;
        n = outq_take(&s->out, to, n);
        if (n == 0)
            return FL_EIO;
        buf_grown(tls_output(tls), n);
    }
    return 0;
}

/* A client speaks first; a server may have the client's first record already. */
static void begin(struct stream *s, struct tls *tls)
{
    if (put_clear_first(s, tls) < 0) {
        tls_free(tls);
        stream_ending(s, STREAM_NO_RESOURCES, "out of memory");
        return;
    }
    s->tls = tls;
    s->shaking = true;
    s->owner->shaking++;
    stream_set_timer(s, STREAM_HANDSHAKE_MS);
    s->held_due = true;
    stream_mark_due(s);
}

static bool may_begin(struct stream *s)
{
    if (s->state != ST_OPEN || s->tls)
        return false;
    stream_send(s);
    if (s->state == ST_OPEN && s->owner->shaking >= STREAM_HANDSHAKES_MAX)
        stream_ending(s, STREAM_NO_RESOURCES, "too many TLS handshakes under way");
    return s->state == ST_OPEN;
}

void stream_start_tls_server(struct stream *s, struct tls_server *server)
{
    struct fl_err err;
    struct tls *tls;

    if (!may_begin(s))
        return;
    if (tls_new_server(s->owner->tls, server, &tls, &err) < 0)
        stream_ending(s, STREAM_NO_RESOURCES, err.text);
    else
        begin(s, tls);
}

void stream_start_tls_client(struct stream *s, const struct tls_client_params *params)
{
    struct fl_err err;
    struct tls *tls;

    if (!may_begin(s))
        return;
    if (tls_new_client(s->owner->tls, params, &tls, &err) < 0)
        stream_ending(s, err.code == FL_ENOMEM ? STREAM_NO_RESOURCES : STREAM_TLS_FAILED, err.text);
    else
        begin(s, tls);
}

static void shake(struct stream *s)
{
    enum tls_step step = tls_handshake(s->tls);

    stream_send(s); /* an alert too */
    if (step == TLS_STEP_FAILED)
        stream_ending(s, STREAM_TLS_FAILED, tls_error(s->tls));
    if (step != TLS_STEP_DONE || s->state != ST_OPEN)
        return;
    stream_stop_shaking(s);
    timer_stop(s->owner->timers, &s->timer);
    stream_mark_due(s); /* what was queued meanwhile */
    s->events->on_tls(s->arg, tls_info(s->tls));
}

/* ---------------------------------------------------------------- in */
/* As many records as fit the shared buffer, so that what came in one read is answered in one write. */
static size_t read_plain(struct stream *s, ssize_t *ret_last)
{
    char *to = s->owner->plain;
    size_t n = 0;

    do {
        *ret_last = tls_read(s->tls, to + n, STREAM_READ_BYTES - n);
        if (*ret_last > 0)
            n += (size_t)*ret_last;
    } while (*ret_last > 0 && n < STREAM_READ_BYTES);
    return n;
}

/* After close_notify or a bad record nothing more is read, whatever follows: an unfinished message must not be completed in
 * clear. */
static void tls_ended(struct stream *s, ssize_t why)
{
    const char *text = why == FL_ECLOSED ? "TLS was closed by the peer" : tls_error(s->tls);

    if (why == FL_ECLOSED)
        tls_shutdown(s->tls);
    stream_send(s); /* close_notify or an alert in answer */
    stream_ending(s, STREAM_TLS_CLOSED, text);
}

static void read_records(struct stream *s)
{
    while (s->state == ST_OPEN && !s->paused && !s->shaking) {
        ssize_t last;
        size_t n = read_plain(s, &last);

        if (n > 0)
            s->events->on_read(s->arg, slice_make(s->owner->plain, n));
        if (s->state == ST_OPEN && last < 0)
            tls_ended(s, last);
        if (last <= 0)
            break;
    }
}

/* The owner stopped reading half-way: the rest waits here, and inside OpenSSL. */
static void hold_rest(struct stream *s)
{
    struct slice left = tls_input_left(s->tls);

    s->held_due = s->paused || left.n > 0;
    if (left.n > 0 && buf_add(&s->held, left) < 0)
        stream_ending(s, STREAM_NO_RESOURCES, "out of memory");
    if (s->held_due && !s->paused)
        stream_mark_due(s);
}

void stream_feed_tls(struct stream *s, struct slice in)
{
    tls_input(s->tls, in);
    if (s->shaking)
        shake(s);
    if (s->state == ST_OPEN)
        read_records(s);
    if (s->state == ST_OPEN)
        hold_rest(s);
    if (s->tls)
        tls_input(s->tls, SLICE_NONE);
}

/* ---------------------------------------------------------------- out */
/* Encrypts up to STREAM_TLS_AHEAD bytes of what is queued. */
static int encrypt(struct stream *s)
{
    struct buf *out = tls_output(s->tls);

    while (!s->shaking && s->out.total > 0 && buf_len(out) < STREAM_TLS_AHEAD) {
        char record[STREAM_TLS_RECORD];
        size_t n = outq_take(&s->out, record, sizeof record);
        int rc = n > 0 ? tls_write(s->tls, slice_make(record, n)) : FL_EIO;

        if (rc < 0)
            return rc;
    }
    return 0;
}

void stream_send_tls(struct stream *s)
{
    struct buf *out = tls_output(s->tls);

    do {
        struct iovec piece;
        ssize_t n;

        if (encrypt(s) < 0) {
            stream_ending(s, STREAM_NO_RESOURCES, "what is queued cannot be encrypted");
            return;
        }
        if (buf_len(out) == 0)
            break;
        piece = (struct iovec){ .iov_base = (char *)(uintptr_t)buf_slice(out).p, .iov_len = buf_len(out) };
        n = stream_send_pieces(s, &piece, 1, piece.iov_len);
        if (n < 0)
            return;
        buf_consume(out, (size_t)n);
    } while (!s->full && (buf_len(out) > 0 || s->out.total > 0) && !s->shaking);
    buf_shrink(out);
}
