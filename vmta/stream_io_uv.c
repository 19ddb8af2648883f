/* stream_io_uv.c: the bytes of a stream, from the socket to its owner and back. See stream_private_uv.h. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "stream_private_uv.h"
#include "stream_uv.h"

enum { BROKEN_READS = 64 }; /* of 64 KiB: what a peer sent before its reset */

/* ---------------------------------------------------------------- in */
void stream_feed(struct stream *s, struct slice in)
{
    if (s->tls)
        stream_feed_tls(s, in);
    else if (in.n > 0)
        s->events->on_read(s->arg, in);
}

int stream_unread(struct stream *s, struct slice bytes)
{
    if (s->state != ST_OPEN || bytes.n == 0)
        return 0;
    if (buf_add(&s->held, bytes) < 0)
        return FL_ENOMEM;
    s->held_due = true;
    stream_mark_due(s);
    return 0;
}

/* One read. False when there is nothing more: it would block, or the stream is ending. */
static bool read_once(struct stream *s)
{
    ssize_t n;

    do
        n = recv(s->fd, s->owner->read, STREAM_READ_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        stream_feed(s, slice_make(s->owner->read, (size_t)n));
        return true;
    }
    if (n == 0) {
        stream_send(s);
        stream_ending(s, STREAM_EOF, s->shaking ? "closed during the TLS handshake" : NULL);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        stream_ending_errno(s, errno);
    }
    return false;
}

static void drop_once(struct stream *s)
{
    ssize_t n = recv(s->fd, s->owner->read, STREAM_READ_BYTES, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    s->lingered += n;
    if (n <= 0 || s->lingered > STREAM_LINGER_BYTES)
        stream_abort(s);
}

void stream_readable(struct stream *s)
{
    if (s->state == ST_LINGERING) {
        drop_once(s);
        return;
    }
    if (s->paused || s->held_due) { /* in order: what is held first */
        s->deaf = s->paused;
        stream_watch(s);
        return;
    }
    if (s->shaking && ++s->owner->shaking_steps > STREAM_HANDSHAKE_STEPS)
        return; /* still readable in the next turn */
    read_once(s);
}

void stream_broken(struct stream *s)
{
    if (s->state == ST_LINGERING) {
        stream_abort(s);
        return;
    }
    for (int i = 0; i < BROKEN_READS && s->state == ST_OPEN && !s->paused; i++)
        if (!read_once(s))
            break;
    stream_ending(s, STREAM_RESET, "connection reset");
}

/* ---------------------------------------------------------------- out */
ssize_t stream_send_pieces(struct stream *s, const struct iovec *pieces, int count, size_t bytes)
{
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count };
    ssize_t n;

    do /* a reply is one piece: the kernel then reads neither header nor vector */
        n = count == 1 ? send(s->fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL) : sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        stream_ending_errno(s, errno);
        return -1;
    }
    if (n < (ssize_t)bytes) {
        s->full = true;
        stream_watch(s);
    }
    return n;
}

static void send_clear(struct stream *s)
{
    while (s->out.total > 0 && !s->full) {
        struct iovec pieces[STREAM_PIECES];
        size_t bytes;
        int count = outq_pieces(&s->out, pieces, STREAM_PIECES, &bytes);
        ssize_t n;

        if (count == 0) {
            stream_ending(s, STREAM_NO_RESOURCES, "the content left memory");
            return;
        }
        n = stream_send_pieces(s, pieces, count, bytes);
        if (n < 0)
            return;
        outq_sent(&s->out, (uint64_t)n);
    }
}

/* on_drain is owed once the queue has been high and is low again. */
static void note_drain(struct stream *s)
{
    if (!s->above_high || stream_queued(s) >= STREAM_LOW_WATER)
        return;
    s->above_high = false;
    s->drain_due = true;
    stream_mark_due(s);
}

void stream_send(struct stream *s)
{
    if ((s->state != ST_OPEN && s->state != ST_CLOSING) || s->full)
        return;
    if (s->tls)
        stream_send_tls(s);
    else
        send_clear(s);
    note_drain(s);
}

bool stream_is_sent(const struct stream *s)
{
    return stream_queued(s) == 0;
}

int64_t stream_queued(const struct stream *s)
{
    return (int64_t)s->out.total + (s->tls ? (int64_t)buf_len(tls_output(s->tls)) : 0);
}

static void queued(struct stream *s, int rc)
{
    if (rc < 0) {
        stream_ending(s, STREAM_NO_RESOURCES, "out of memory");
        return;
    }
    if (stream_queued(s) > STREAM_HIGH_WATER)
        s->above_high = true;
    stream_mark_due(s);
}

void stream_write(struct stream *s, struct slice bytes)
{
    if (bytes.n > 0 && (s->state == ST_OPEN || s->state == ST_CONNECTING))
        queued(s, outq_add(&s->out, bytes));
}

void stream_write_body(struct stream *s, struct body *body, uint64_t offset, uint64_t n)
{
    if (n > 0 && (s->state == ST_OPEN || s->state == ST_CONNECTING))
        queued(s, outq_add_body(&s->out, body, offset, n));
}

void stream_flush(struct stream *s)
{
    stream_send(s);
}
