/* sink_client_uv.c: one connection to the test MX: a socket, TLS when it was asked for, and time, around sink_session.
 * It lives from accept until all its three handles are closed. */
#include "sink_client_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "cmd.h"

enum {
    RATE_TICK_MS = 100, /* a slow connection is read this often */
    FAREWELL_MS = 2000, /* what is sent at the end may take so long */
    CLIENT_HANDLES = 3,
};

struct sink_client {
    struct sink *sink;
    struct sink_client *next, **prev;
    uv_tcp_t tcp;
    uv_timer_t pause; /* a delay of the script, or the farewell */
    uv_timer_t tick;  /* grants octets to a slow connection */
    struct sink_session *session;
    int open_handles;
    bool closing; /* nothing is read or handled any more */
    bool sending; /* a write is under way, and nothing is read */
    bool reading;
    int64_t bytes_per_s; /* 0: as fast as it goes */
    int64_t granted;     /* octets that a slow connection may still read in this tick */
    uv_write_t write;
    char *unsent;
    struct tls *tls; /* NULL: in clear */
    bool shaking;    /* its handshake is not done */
    char ip[INET_TEXT];
};

static void client_pump(struct sink_client *c);

/* ---------------------------------------------------------------- closing */
static void on_handle_closed(uv_handle_t *handle)
{
    struct sink_client *c = handle->data;

    if (--c->open_handles > 0)
        return;
    sink_session_free(c->session);
    tls_free(c->tls);
    free(c->unsent);
    free(c);
}

void sink_client_close(struct sink_client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    c->closing = true;
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->pause, on_handle_closed);
    uv_close((uv_handle_t *)&c->tick, on_handle_closed);
}

static void on_farewell_over(uv_timer_t *timer)
{
    sink_client_close(timer->data);
}

/* Closes once what is under way is sent. */
static void client_farewell(struct sink_client *c)
{
    c->closing = true;
    if (!c->sending)
        sink_client_close(c);
    else
        uv_timer_start(&c->pause, on_farewell_over, FAREWELL_MS, 0);
}

/* ---------------------------------------------------------------- sending */
static void on_written(uv_write_t *write, int status)
{
    struct sink_client *c = write->data;

    c->sending = false;
    free(c->unsent);
    c->unsent = NULL;
    if (status < 0 || c->closing)
        sink_client_close(c);
    else
        client_pump(c);
}

/* Sends bytes: at once, or, when the socket is full, as a copy while nothing more is read. Only when no write is under way. */
static void client_send(struct sink_client *c, struct slice out)
{
    uv_buf_t b = uv_buf_init((char *)out.p, (unsigned)out.n);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0) {
        sink_client_close(c);
        return;
    }
    if ((size_t)n == out.n)
        return;
    c->unsent = slice_dup(slice_skip(out, (size_t)n));
    b = uv_buf_init(c->unsent, (unsigned)(out.n - (size_t)n));
    c->write.data = c;
    if (!c->unsent || uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) < 0)
        sink_client_close(c);
    else
        c->sending = true;
}

static void client_send_encrypted(struct sink_client *c)
{
    struct slice out = buf_slice(tls_output(c->tls));

    if (!out.n)
        return;
    client_send(c, out);
    buf_consume(tls_output(c->tls), out.n);
}

/* Sends what the session has to say, unless a write is under way: then later. */
static void client_flush(struct sink_client *c)
{
    struct slice out = sink_session_output(c->session);

    if (c->sending || uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    if (c->tls && !c->shaking && out.n && tls_write(c->tls, out) < 0) {
        sink_client_close(c);
        return;
    }
    if (c->tls)
        client_send_encrypted(c);
    else if (out.n)
        client_send(c, out);
    if (!c->shaking)
        sink_session_sent(c->session, out.n);
}

/* ---------------------------------------------------------------- reading */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct sink_client *c = handle->data;
    size_t n = c->bytes_per_s && c->granted < SINK_READ_SIZE ? (size_t)c->granted : SINK_READ_SIZE;
    char *p = c->sink->encrypted;

    if (!c->tls && sink_session_room(c->session, n, &p) < 0)
        n = 0; /* libuv reports ENOBUFS */
    *ret = uv_buf_init(p, (unsigned)n);
}

/* The handshake goes on with what was read; true once it is done. */
static bool client_shake_hands(struct sink_client *c)
{
    enum tls_step step = tls_handshake(c->tls);

    client_send_encrypted(c); /* an alert, too */
    if (step == TLS_STEP_FAILED)
        client_farewell(c);
    if (step != TLS_STEP_DONE)
        return false;
    c->shaking = false;
    sink_session_secured(c->session);
    return true;
}

static void client_decrypt(struct sink_client *c, struct slice encrypted)
{
    ssize_t n;
    char *p;

    tls_input(c->tls, encrypted);
    if (c->shaking && !client_shake_hands(c))
        return;
    do {
        n = sink_session_room(c->session, SINK_READ_SIZE, &p) < 0 ? FL_ENOMEM : tls_read(c->tls, p, SINK_READ_SIZE);
        if (n > 0)
            sink_session_filled(c->session, (size_t)n);
    } while (n > 0);
    if (n < 0)
        sink_client_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct sink_client *c = stream->data;

    if (n < 0) {
        sink_client_close(c);
        return;
    }
    c->granted -= n;
    if (c->tls)
        client_decrypt(c, slice_make(buf->base, (size_t)n));
    else
        sink_session_filled(c->session, (size_t)n);
    if (!c->closing && !c->shaking)
        client_pump(c);
}

/* Reads, or stops reading, as session, writes and rate allow. */
static void client_set_reading(struct sink_client *c)
{
    bool wants = !c->closing && !c->sending && sink_session_reads(c->session) && (!c->bytes_per_s || c->granted > 0);

    if (wants == c->reading)
        return;
    c->reading = wants;
    if (!wants)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) < 0)
        sink_client_close(c);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct sink_client *c = timer->data;

    sink_session_resume(c->session);
    client_pump(c);
}

static void on_tick(uv_timer_t *timer)
{
    struct sink_client *c = timer->data;
    int64_t share = c->bytes_per_s * RATE_TICK_MS / SECOND_MS;

    c->granted = share > 0 ? share : 1;
    client_set_reading(c);
}

/* Fewer octets than one a tick: the ticks come less often. */
static void client_slow_down(struct sink_client *c, int64_t bytes_per_s)
{
    uint64_t every = bytes_per_s * RATE_TICK_MS >= SECOND_MS ? RATE_TICK_MS : (uint64_t)(SECOND_MS / bytes_per_s);

    c->bytes_per_s = bytes_per_s;
    c->granted = 0;
    uv_timer_start(&c->tick, on_tick, every, every);
}

/* ---------------------------------------------------------------- what the session wants done */
static int64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

static void client_record(struct sink_client *c, const struct sink_message *m)
{
    struct sink *k = c->sink;
    const struct stream_tls_info *tls = c->tls ? tls_info(c->tls) : NULL;
    struct sink_peer peer = { .ip = c->ip, .tls_version = tls ? tls->version : NULL, .tls_cipher = tls ? tls->cipher : NULL };
    struct fl_err err;

    k->counts.messages++;
    k->counts.recipients += m->to_count;
    k->counts.bytes += m->size;
    if (sink_record_message(&k->record, wall_ms(), &peer, m, &err) < 0) {
        fprintf(stderr, "fairlead sink: %s\n", err.text);
        sink_end(k, CMD_WRONG);
    }
}

static void client_start_tls(struct sink_client *c)
{
    struct fl_err err;

    client_flush(c);
    if (c->closing)
        return;
    if (!c->sink->tls) { /* --tls broken: bytes that are no TLS record where the ServerHello belongs */
        client_send(c, SLICE("this is no handshake\r\n"));
        client_farewell(c);
    } else if (tls_new_server(c->sink->tls, &c->sink->server, &c->tls, &err) < 0) {
        fprintf(stderr, "fairlead sink: %s\n", err.text);
        sink_client_close(c);
    } else {
        c->shaking = true;
    }
}

static void client_perform(struct sink_client *c, const struct sink_action *a)
{
    switch (a->type) {
    case SINK_MESSAGE:
        client_record(c, &a->message);
        break;
    case SINK_PAUSE:
        uv_timer_start(&c->pause, on_pause_over, (uint64_t)a->ms, 0);
        break;
    case SINK_SLOW:
        client_slow_down(c, a->bytes_per_s);
        break;
    case SINK_START_TLS:
        client_start_tls(c);
        break;
    case SINK_CLOSE:
        client_flush(c);
        client_farewell(c);
        break;
    case SINK_DROP:
        sink_client_close(c);
        break;
    case SINK_WAIT:
        break;
    }
}

static void client_pump(struct sink_client *c)
{
    struct sink_action a;

    while (!c->closing && !c->shaking && sink_session_next(c->session, &a) != SINK_WAIT)
        client_perform(c, &a);
    if (c->closing)
        return;
    client_flush(c);
    if (!c->closing)
        client_set_reading(c);
}

/* ---------------------------------------------------------------- accepting */
void sink_client_accept(struct sink *k, uv_stream_t *listener)
{
    struct sink_client *c = calloc(1, sizeof *c);
    struct sockaddr_storage sa;
    int n = sizeof sa;
    struct inet_endpoint peer;

    if (!c)
        return;
    c->sink = k;
    c->tcp.data = c->pause.data = c->tick.data = c;
    c->next = k->clients;
    c->prev = &k->clients;
    if (c->next)
        c->next->prev = &c->next;
    k->clients = c;
    uv_tcp_init(&k->loop, &c->tcp);
    uv_timer_init(&k->loop, &c->pause);
    uv_timer_init(&k->loop, &c->tick);
    c->open_handles = CLIENT_HANDLES;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&sa, &n) < 0) {
        sink_client_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    peer = inet_from_sockaddr((struct sockaddr *)&sa);
    inet_addr_text(&peer.addr, c->ip);
    c->session = sink_session_new(&k->rules, slice_of(c->ip));
    if (!c->session) {
        sink_client_close(c);
        return;
    }
    k->counts.sessions++;
    client_pump(c);
}

