/* stream_uv.c: see stream_uv.h and stream.h: how streams come, change and go. */
#include "stream_uv.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now_uv.h"
#include "stream_private_uv.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define TO(s) (1u << ST_##s)
static const unsigned stream_moves[ST_STATES] = {
    [ST_CONNECTING] = TO(OPEN) | TO(ENDING) | TO(GONE),
    [ST_OPEN] = TO(CLOSING) | TO(ENDING) | TO(GONE),
    [ST_CLOSING] = TO(ENDING) | TO(GONE),
    [ST_ENDING] = TO(LINGERING) | TO(GONE),
    [ST_LINGERING] = TO(GONE),
    [ST_GONE] = 0,
};
#undef TO

void stream_move(struct stream *s, enum stream_state to)
{
    assert(stream_moves[s->state] & (1u << to));
    s->state = to;
}

void stream_mark_due(struct stream *s)
{
    if (s->is_due || s->state == ST_GONE)
        return;
    s->is_due = true;
    s->due_turn = s->owner->turn;
    TAILQ_INSERT_TAIL(&s->owner->due, s, due);
}

void stream_set_timer(struct stream *s, int64_t ms)
{
    if (timer_set(s->owner->timers, &s->timer, (int64_t)uv_now(s->owner->uv) + ms) < 0)
        stream_ending(s, STREAM_NO_RESOURCES, "out of memory");
}

/* ---------------------------------------------------------------- the loop of streams */
int streams_new(uv_loop_t *uv, struct timers *timers, struct streams **ret, struct fl_err *err)
{
    struct streams *ss = calloc(1, sizeof *ss);

    if (ss)
        ss->tls = tls_engine_new();
    if (!ss || !ss->tls) {
        free(ss);
        return fl_fail(err, FL_ENOMEM, "streams: out of memory");
    }
    ss->uv = uv;
    ss->timers = timers;
    TAILQ_INIT(&ss->all);
    TAILQ_INIT(&ss->due);
    *ret = ss;
    return 0;
}

static void free_when_empty(struct streams *ss)
{
    if (!ss->freeing || ss->count > 0)
        return;
    tls_engine_free(ss->tls);
    free(ss);
}

void streams_free(struct streams *ss)
{
    struct stream *s, *next;

    if (!ss)
        return;
    for (s = TAILQ_FIRST(&ss->all); s; s = next) {
        next = TAILQ_NEXT(s, all);
        stream_abort(s);
    }
    ss->freeing = true;
    free_when_empty(ss);
}

void streams_forget_tls(struct streams *ss)
{
    tls_engine_forget(ss->tls);
}

int64_t streams_count(const struct streams *ss)
{
    return ss->count;
}

bool streams_busy(const struct streams *ss)
{
    return !TAILQ_EMPTY(&ss->due);
}

/* ---------------------------------------------------------------- beginning */
static void on_poll(uv_poll_t *handle, int status, int events);
static void on_timer(void *arg);

/* Takes fd, whatever the result. */
static struct stream *stream_new(struct streams *ss, int fd, enum stream_state state)
{
    struct stream *s = calloc(1, sizeof *s);

    if (!s || uv_poll_init(ss->uv, &s->poll, fd) != 0) {
        free(s);
        close(fd);
        return NULL;
    }
    s->poll.data = s;
    s->owner = ss;
    s->fd = fd;
    s->state = state;
    outq_init(&s->out);
    buf_init(&s->held, 0);
    timer_init(&s->timer, on_timer, s);
    TAILQ_INSERT_TAIL(&ss->all, s, all);
    ss->count++;
    return s;
}

int streams_accept(struct streams *ss, int fd, const struct inet_endpoint *peer, struct stream **ret)
{
    struct stream *s = stream_new(ss, fd, ST_OPEN);

    if (!s)
        return FL_ENOMEM;
    s->peer = *peer;
    *ret = s;
    return 0;
}

void stream_adopt(struct stream *s, const struct stream_events *events, void *arg)
{
    s->events = events;
    s->arg = arg;
    stream_watch(s);
}

/* Binds without taking a local port yet, so that ports are shared out per destination. */
static int bind_source(int fd, const struct inet_addr *source)
{
    struct inet_endpoint local = { .addr = *source };
    struct sockaddr_storage sa;
    socklen_t n;
    int on = 1;

    if (source->family == 0)
        return 0;
    n = inet_to_sockaddr(&local, &sa);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&sa, n);
}

static int begin_connect(int fd, const struct inet_addr *source, const struct inet_endpoint *dest)
{
    struct sockaddr_storage sa;
    socklen_t n = inet_to_sockaddr(dest, &sa);
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind_source(fd, source) < 0)
        return errno;
    if (connect(fd, (struct sockaddr *)&sa, n) < 0 && errno != EINPROGRESS)
        return errno;
    return 0;
}

int stream_connect(struct streams *ss, const struct inet_addr *source, const struct inet_endpoint *dest, int64_t timeout_ms,
                   const struct stream_events *events, void *arg, struct stream **ret)
{
    int family = dest->addr.family == 6 ? AF_INET6 : AF_INET, fd, e;
    struct stream *s;

    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return FL_ELIMIT;
    s = stream_new(ss, fd, ST_CONNECTING);
    if (!s)
        return FL_ENOMEM;
    s->peer = *dest;
    s->events = events;
    s->arg = arg;
    e = begin_connect(fd, source, dest);
    if (e) {
        stream_ending_errno(s, e);
    } else {
        stream_set_timer(s, timeout_ms);
        stream_watch(s);
    }
    *ret = s;
    return 0;
}

static void connected(struct stream *s)
{
    socklen_t n = sizeof(int);
    int e = 0;

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0)
        e = errno;
    if (e) {
        stream_ending_errno(s, e);
        return;
    }
    timer_stop(s->owner->timers, &s->timer);
    stream_move(s, ST_OPEN);
    stream_watch(s);
    stream_mark_due(s); /* something may be queued */
    s->events->on_connect(s->arg);
}

/* ---------------------------------------------------------------- what wakes a stream */
/* In clear text a paused stream is left alone until bytes come: pausing for a short while costs no system call. */
void stream_watch(struct stream *s)
{
    int events = 0;

    if ((s->state == ST_OPEN && s->events && !s->deaf) || s->state == ST_LINGERING)
        events |= UV_READABLE;
    if (s->state == ST_CONNECTING || ((s->state == ST_OPEN || s->state == ST_CLOSING) && s->full))
        events |= UV_WRITABLE;
    if (events == s->polled)
        return;
    s->polled = events;
    if (events)
        uv_poll_start(&s->poll, events, on_poll);
    else
        uv_poll_stop(&s->poll);
}

static void on_writable(struct stream *s)
{
    s->full = false;
    stream_send(s);
    stream_watch(s);
    stream_mark_due(s); /* it may be drained, or sent to the end */
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct stream *s = handle->data;

    now_refresh(handle->loop);
    if (s->state == ST_CONNECTING) {
        connected(s);
        return;
    }
    if (status < 0) { /* libuv has stopped the poll: the socket is in error */
        s->polled = 0;
        stream_broken(s);
        return;
    }
    if (events & UV_WRITABLE)
        on_writable(s);
    if ((events & UV_READABLE) && (s->state == ST_OPEN || s->state == ST_LINGERING))
        stream_readable(s);
}

static void stream_destroy(struct stream *s);

static void on_timer(void *arg)
{
    struct stream *s = arg;

    switch (s->state) {
    case ST_CONNECTING:
        stream_ending(s, STREAM_TIMEOUT, "no answer to the connection");
        break;
    case ST_OPEN:
        stream_ending(s, STREAM_TIMEOUT, "the TLS handshake took too long");
        break;
    case ST_CLOSING:
        stream_ending(s, STREAM_CLOSED_BY_US, NULL);
        break;
    case ST_LINGERING:
        stream_destroy(s);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- ending */
void stream_ending(struct stream *s, enum stream_end why, const char *text)
{
    if (s->state >= ST_ENDING)
        return;
    stream_move(s, ST_ENDING);
    s->why = why;
    s->why_text = text ? strdup(text) : NULL;
    timer_stop(s->owner->timers, &s->timer);
    stream_stop_shaking(s);
    stream_watch(s);
    stream_mark_due(s);
}

static enum stream_end end_of_errno(int e)
{
    switch (e) {
    case ECONNREFUSED:
        return STREAM_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
    case EINVAL: /* a source that does not fit the destination */
    case ENETDOWN:
    case EHOSTDOWN:
        return STREAM_UNREACHABLE;
    case ETIMEDOUT:
        return STREAM_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return STREAM_NO_RESOURCES;
    default:
        return STREAM_RESET;
    }
}

void stream_ending_errno(struct stream *s, int e)
{
    stream_ending(s, end_of_errno(e), strerror(e));
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    struct streams *ss = s->owner;

    free(s);
    ss->count--;
    free_when_empty(ss);
}

/* Frees all but the handle itself, which libuv gives back in the next iteration; so what runs above us may still look at
 * ->state. */
static void stream_destroy(struct stream *s)
{
    struct streams *ss = s->owner;

    if (s->state == ST_LINGERING)
        ss->lingering--;
    stream_stop_shaking(s);
    stream_move(s, ST_GONE);
    timer_stop(ss->timers, &s->timer);
    if (s->is_due)
        TAILQ_REMOVE(&ss->due, s, due);
    TAILQ_REMOVE(&ss->all, s, all);
    tls_free(s->tls);
    s->tls = NULL;
    outq_free(&s->out);
    buf_free(&s->held);
    free(s->why_text);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}

void stream_abort(struct stream *s)
{
    stream_destroy(s);
}

/* A close() while the peer's bytes are unread sends RST, which may overtake our last reply: so we close our half only, and
 * drop what comes until the peer closes too. */
static void linger(struct stream *s)
{
    if (s->owner->lingering >= STREAM_LINGERING_MAX || shutdown(s->fd, SHUT_WR) < 0) {
        stream_destroy(s);
        return;
    }
    stream_move(s, ST_LINGERING);
    s->owner->lingering++;
    tls_free(s->tls);
    s->tls = NULL;
    buf_free(&s->held);
    outq_free(&s->out);
    stream_watch(s);
    if (timer_set(s->owner->timers, &s->timer, (int64_t)uv_now(s->owner->uv) + STREAM_LINGER_MS) < 0)
        stream_destroy(s);
}

static void finish(struct stream *s)
{
    const struct stream_events *events = s->events;

    s->events = NULL;
    if (events)
        events->on_end(s->arg, s->why, s->why_text);
    if (s->state == ST_GONE) /* the owner aborted it all the same */
        return;
    if (s->lingers)
        linger(s);
    else
        stream_destroy(s);
}

void stream_close(struct stream *s, int64_t grace_ms)
{
    if (s->state == ST_CONNECTING || s->shaking) {
        stream_ending(s, STREAM_CLOSED_BY_US, NULL);
        return;
    }
    if (s->state != ST_OPEN)
        return;
    stream_move(s, ST_CLOSING);
    stream_watch(s);
    if (!s->full)
        stream_send(s);
    if (s->state == ST_CLOSING && !stream_is_sent(s)) {
        if (grace_ms > 0)
            stream_set_timer(s, grace_ms);
        else
            stream_ending(s, STREAM_CLOSED_BY_US, NULL);
    }
    stream_mark_due(s);
}

/* All that was queued is with the kernel: close_notify follows, and that was it. */
static void close_when_sent(struct stream *s)
{
    if (!stream_is_sent(s))
        return;
    if (s->tls) {
        tls_shutdown(s->tls);
        stream_send(s);
    }
    if (s->state != ST_CLOSING)
        return;
    s->lingers = true;
    stream_ending(s, STREAM_CLOSED_BY_US, NULL);
}

/* ---------------------------------------------------------------- the end of a turn */
static void feed_held(struct stream *s)
{
    struct buf held = s->held;

    s->held_due = false;
    buf_init(&s->held, 0);
    stream_feed(s, buf_slice(&held));
    buf_free(&held);
}

static void tell_drained(struct stream *s)
{
    s->drain_due = false;
    if (s->events->on_drain)
        s->events->on_drain(s->arg);
}

/* Each step may change the state, or end the stream: the next one looks again. */
static void turn(struct stream *s)
{
    if (s->state == ST_OPEN && s->held_due && !s->paused && s->events)
        feed_held(s);
    if ((s->state == ST_OPEN || s->state == ST_CLOSING) && !s->full)
        stream_send(s);
    if (s->state == ST_OPEN && s->drain_due)
        tell_drained(s);
    if (s->state == ST_CLOSING)
        close_when_sent(s);
    if (s->state == ST_ENDING)
        finish(s);
}

/* Only what is due when it begins: what the callbacks add is streams_busy, for the next round. */
void streams_turn(struct streams *ss)
{
    struct stream *s;

    ss->shaking_steps = 0;
    ss->turn++;
    while ((s = TAILQ_FIRST(&ss->due)) && s->due_turn != ss->turn) {
        TAILQ_REMOVE(&ss->due, s, due);
        s->is_due = false;
        turn(s);
    }
}

/* ---------------------------------------------------------------- what the owner asks */
bool stream_is_tls(const struct stream *s)
{
    return s->tls && !s->shaking;
}

void stream_pause(struct stream *s)
{
    s->paused = true;
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    if (s->state != ST_OPEN)
        return;
    if (s->held_due)
        stream_mark_due(s);
    s->deaf = false;
    stream_watch(s);
}

struct inet_endpoint stream_peer(const struct stream *s)
{
    return s->peer;
}

void stream_set_peer(struct stream *s, const struct inet_endpoint *peer)
{
    s->peer = *peer;
}

struct inet_endpoint stream_local(const struct stream *s)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t n = sizeof sa;

    getsockname(s->fd, (struct sockaddr *)&sa, &n);
    return inet_from_sockaddr((struct sockaddr *)&sa);
}
