/* stream_sim.c: see stream_sim.h. Each direction is a line of packets that arrive in order. */
#include "stream_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "oracle.h"

enum { WINDOW = 64 << 10, PIECES = 8, FIRST_LATENCY_MS = 10 };

enum packet_kind { PACKET_BYTES, PACKET_SYN, PACKET_SYN_ACK, PACKET_FIN, PACKET_RST, PACKET_TLS, PACKET_TLS_DONE };

struct packet {
    STAILQ_ENTRY(packet) link;
    enum packet_kind kind;
    int64_t at_ms;
    bool ok, verified;       /* PACKET_TLS_DONE */
    struct slice bytes;      /* owned, behind the struct */
};

STAILQ_HEAD(packets, packet);

/* One direction. */
struct line {
    struct wire *wire;
    struct packets packets;
    struct timer timer;
    int64_t last_ms;
    uint64_t bytes;          /* sent so far */
    uint64_t cut_at;         /* UINT64_MAX: never */
    bool cut_silent;
};

/* What the relay sent up to this byte left it then. */
struct mark {
    STAILQ_ENTRY(mark) link;
    uint64_t upto;
    int64_t at_ms;
};

/* Both ends of one connection. */
struct wire {
    struct stream *stream;   /* NULL: the relay's end is gone */
    const struct wire_end *end; /* NULL: the far end is gone, or was never there */
    void *end_arg;
    struct streams *all;
    struct line to_remote, to_relay;
    int64_t latency_ms;
    uint64_t heard;          /* bytes read by the relay */
    STAILQ_HEAD(, mark) marks;
    int64_t left_ms;         /* when the relay closed or lost its end; 0: it holds it */
    int busy;                /* inside its own events: it stays */
};

struct stream {
    LIST_ENTRY(stream) link;
    struct streams *all;
    struct wire *wire;
    const struct stream_events *events;
    void *arg;
    struct inet_addr source;
    struct inet_endpoint dest;
    struct buf out;
    struct timer deadline;   /* connect or close */
    bool connected, closing, shaking, is_tls, was_high;
    int64_t in_flight;
    char host[256];          /* of the handshake */
};

struct streams {
    struct world *world;
    LIST_HEAD(, stream) streams;
};

/* ---------------------------------------------------------------- packets */
static void on_line(void *arg);

static void line_init(struct line *l, struct wire *wire)
{
    l->wire = wire;
    l->cut_at = UINT64_MAX;
    STAILQ_INIT(&l->packets);
    timer_init(&l->timer, on_line, l);
}

static void line_arm(struct world *w, struct line *l)
{
    struct packet *p = STAILQ_FIRST(&l->packets);

    (void)timer_set(&w->events, &l->timer, p ? p->at_ms : NEVER_MS);
}

static void line_clear(struct world *w, struct line *l)
{
    struct packet *p;

    while ((p = STAILQ_FIRST(&l->packets))) {
        STAILQ_REMOVE_HEAD(&l->packets, link);
        free(p);
    }
    timer_stop(&w->events, &l->timer);
}

static struct packet *send_packet(struct line *l, enum packet_kind kind, struct slice bytes)
{
    struct world *w = l->wire->all->world;
    struct packet *p = calloc(1, sizeof *p + bytes.n);
    int64_t at = w->now.mono_ms + l->wire->latency_ms;

    if (!p)
        abort();
    p->kind = kind;
    p->at_ms = at > l->last_ms ? at : l->last_ms;
    if (bytes.n)
        memcpy(p + 1, bytes.p, bytes.n);
    p->bytes = slice_make(p + 1, bytes.n);
    l->last_ms = p->at_ms;
    STAILQ_INSERT_TAIL(&l->packets, p, link);
    line_arm(w, l);
    return p;
}

static void send_bytes(struct line *l, struct slice bytes)
{
    struct wire *wire = l->wire;

    if (l->bytes + bytes.n < l->cut_at) {
        l->bytes += bytes.n;
        if (bytes.n)
            send_packet(l, PACKET_BYTES, bytes);
        return;
    }
    if (l->bytes < l->cut_at)
        send_packet(l, PACKET_BYTES, slice_head(bytes, (size_t)(l->cut_at - l->bytes)));
    l->bytes += bytes.n;
    if (l->cut_silent)
        return;
    send_packet(&wire->to_remote, PACKET_RST, SLICE_NONE);
    send_packet(&wire->to_relay, PACKET_RST, SLICE_NONE);
}

static void mark_sent(struct wire *wire)
{
    struct mark *m = calloc(1, sizeof *m);

    if (!m)
        abort();
    *m = (struct mark){ .upto = wire->to_remote.bytes, .at_ms = wire->all->world->now.mono_ms };
    STAILQ_INSERT_TAIL(&wire->marks, m, link);
}

static void mark_free(struct wire *wire)
{
    struct mark *m = STAILQ_FIRST(&wire->marks);

    STAILQ_REMOVE_HEAD(&wire->marks, link);
    free(m);
}

/* ---------------------------------------------------------------- ends */
static void wire_release(struct wire *wire)
{
    if (wire->stream || wire->end || wire->busy > 0)
        return;
    line_clear(wire->all->world, &wire->to_remote);
    line_clear(wire->all->world, &wire->to_relay);
    while (!STAILQ_EMPTY(&wire->marks))
        mark_free(wire);
    free(wire);
}

static void end_remote(struct wire *wire)
{
    const struct wire_end *end = wire->end;

    wire->end = NULL;
    if (end)
        end->on_gone(wire->end_arg);
}

static void stream_free(struct stream *s)
{
    LIST_REMOVE(s, link);
    timer_stop(&s->all->world->events, &s->deadline);
    s->wire->stream = NULL;
    if (!s->closing)
        s->wire->left_ms = s->all->world->now.mono_ms;
    buf_free(&s->out);
    free(s);
}

static void end_stream(struct stream *s, enum stream_end why, const char *text)
{
    const struct stream_events *events = s->events;
    void *arg = s->arg;

    send_packet(&s->wire->to_remote, PACKET_RST, SLICE_NONE);
    stream_free(s);
    events->on_end(arg, why, text);
}

/* ---------------------------------------------------------------- arrival at the far end */
static void remote_bytes(struct wire *wire, struct packet *p)
{
    struct stream *s = wire->stream;

    if (s) {
        s->in_flight -= (int64_t)p->bytes.n;
        if (s->was_high && stream_queued(s) < STREAM_LOW_WATER && !s->closing) {
            s->was_high = false;
            s->events->on_drain(s->arg);
        }
    }
    if (wire->end)
        wire->end->on_bytes(wire->end_arg, p->bytes);
}

static void remote_syn(struct wire *wire)
{
    struct stream *s = wire->stream;
    struct world *w = wire->all->world;
    enum wire_fate fate;

    if (!s)
        return;
    fate = remote_connected(w, wire, &s->dest, &wire->end, &wire->end_arg, &wire->latency_ms);
    if (fate == WIRE_REFUSED)
        send_packet(&wire->to_relay, PACKET_RST, SLICE_NONE);
    else if (fate == WIRE_OPEN)
        send_packet(&wire->to_relay, PACKET_SYN_ACK, SLICE_NONE);
}

static void arrive_at_remote(struct wire *wire, struct packet *p)
{
    if (p->kind == PACKET_SYN)
        remote_syn(wire);
    else if (p->kind == PACKET_BYTES)
        remote_bytes(wire, p);
    else if (p->kind == PACKET_TLS && wire->end)
        wire->end->on_tls(wire->end_arg, wire->stream ? wire->stream->host : "");
    else if (p->kind == PACKET_FIN || p->kind == PACKET_RST)
        end_remote(wire);
}

/* ---------------------------------------------------------------- arrival at the relay */
/* In pieces: what one read gives is the network's choice. */
static void relay_bytes(struct wire *wire, struct packet *p)
{
    struct world *w = wire->all->world;
    struct slice rest = p->bytes;

    for (int i = 0; rest.n && wire->stream && !wire->stream->closing; i++) {
        size_t n = i < PIECES && !w->plain && world_dice(w, 300) ? 1 + (size_t)world_below(w, rest.n) : rest.n;
        struct slice piece = slice_head(rest, n);

        if (wire->stream->shaking)
            return; /* belongs to the handshake */
        rest = slice_skip(rest, n);
        wire->heard += n;
        if (wire->end)
            wire->end->on_heard(wire->end_arg, wire->heard);
        wire->stream->events->on_read(wire->stream->arg, piece);
    }
}

static void relay_tls(struct wire *wire, const struct packet *p)
{
    struct stream *s = wire->stream;
    struct stream_tls_info info = { .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .verified = p->verified,
                                    .verify_error = p->verified ? NULL : "self-signed certificate" };

    s->shaking = false;
    if (!p->ok) {
        end_stream(s, STREAM_TLS_FAILED, "handshake failure");
        return;
    }
    s->is_tls = true;
    s->events->on_tls(s->arg, &info);
}

static void arrive_at_relay(struct wire *wire, struct packet *p)
{
    struct stream *s = wire->stream;

    if (!s)
        return;
    if (s->closing) {
        if (p->kind == PACKET_FIN || p->kind == PACKET_RST)
            end_stream(s, STREAM_CLOSED_BY_US, NULL);
        return;
    }
    if (p->kind == PACKET_SYN_ACK) {
        s->connected = true;
        timer_stop(&s->all->world->events, &s->deadline);
        s->events->on_connect(s->arg);
    } else if (p->kind == PACKET_BYTES) {
        relay_bytes(wire, p);
    } else if (p->kind == PACKET_TLS_DONE) {
        relay_tls(wire, p);
    } else if (p->kind == PACKET_FIN) {
        end_stream(s, STREAM_EOF, NULL);
    } else if (p->kind == PACKET_RST) {
        end_stream(s, s->connected ? STREAM_RESET : STREAM_REFUSED, NULL);
    }
}

static void on_line(void *arg)
{
    struct line *l = arg;
    struct wire *wire = l->wire;
    struct packet *p = STAILQ_FIRST(&l->packets);

    STAILQ_REMOVE_HEAD(&l->packets, link);
    line_arm(wire->all->world, l);
    wire->busy++;
    if (l == &wire->to_remote)
        arrive_at_remote(wire, p);
    else
        arrive_at_relay(wire, p);
    wire->busy--;
    free(p);
    wire_release(wire);
}

/* ---------------------------------------------------------------- the port */
static void on_deadline(void *arg)
{
    struct stream *s = arg;
    struct wire *wire = s->wire;

    wire->busy++;
    end_stream(s, s->closing ? STREAM_CLOSED_BY_US : STREAM_TIMEOUT, NULL);
    wire->busy--;
    wire_release(wire);
}

int stream_connect(struct streams *ss, const struct inet_addr *source, const struct inet_endpoint *dest, int64_t timeout_ms,
                   const struct stream_events *events, void *arg, struct stream **ret)
{
    struct stream *s = calloc(1, sizeof *s);
    struct wire *wire = calloc(1, sizeof *wire);

    if (!s || !wire)
        abort();
    *wire = (struct wire){ .stream = s, .all = ss, .latency_ms = FIRST_LATENCY_MS };
    STAILQ_INIT(&wire->marks);
    line_init(&wire->to_remote, wire);
    line_init(&wire->to_relay, wire);
    *s = (struct stream){ .all = ss, .wire = wire, .events = events, .arg = arg, .source = *source, .dest = *dest };
    buf_init(&s->out, 0);
    timer_init(&s->deadline, on_deadline, s);
    (void)timer_set(&ss->world->events, &s->deadline, ss->world->now.mono_ms + timeout_ms);
    LIST_INSERT_HEAD(&ss->streams, s, link);
    oracle_connected(ss->world->oracle, source, &dest->addr);
    send_packet(&wire->to_remote, PACKET_SYN, SLICE_NONE);
    *ret = s;
    return 0;
}

void stream_start_tls_client(struct stream *s, const struct tls_client_params *params)
{
    stream_flush(s);
    s->shaking = true;
    snprintf(s->host, sizeof s->host, "%s", params->host);
    send_packet(&s->wire->to_remote, PACKET_TLS, SLICE_NONE);
}

void stream_write(struct stream *s, struct slice bytes)
{
    if (buf_add(&s->out, bytes) < 0)
        abort();
}

void stream_write_body(struct stream *s, struct body *body, uint64_t offset, uint64_t n)
{
    struct iovec piece;

    while (n > 0 && body_pieces(body, offset, &piece, 1) == 1) {
        size_t take = piece.iov_len < n ? piece.iov_len : (size_t)n;

        stream_write(s, slice_make(piece.iov_base, take));
        offset += take;
        n -= take;
    }
    assert(n == 0);
}

void stream_flush(struct stream *s)
{
    struct slice out = buf_slice(&s->out);

    if (out.n) {
        s->in_flight += (int64_t)out.n;
        send_bytes(&s->wire->to_remote, out);
        mark_sent(s->wire);
        buf_clear(&s->out);
    }
    s->was_high = s->was_high || stream_queued(s) > STREAM_HIGH_WATER;
}

int64_t stream_queued(const struct stream *s)
{
    int64_t beyond = s->in_flight - WINDOW;

    return (int64_t)buf_len(&s->out) + (beyond > 0 ? beyond : 0);
}

void stream_close(struct stream *s, int64_t grace_ms)
{
    struct world *w = s->all->world;
    int64_t takes = w->plain ? grace_ms : 1 + (int64_t)world_below(w, (uint64_t)grace_ms);

    stream_flush(s);
    s->closing = true;
    s->wire->left_ms = w->now.mono_ms;
    send_packet(&s->wire->to_remote, PACKET_FIN, SLICE_NONE);
    (void)timer_set(&w->events, &s->deadline, w->now.mono_ms + takes);
}

void stream_abort(struct stream *s)
{
    struct wire *wire = s->wire;

    send_packet(&wire->to_remote, PACKET_RST, SLICE_NONE);
    stream_free(s);
    wire_release(wire);
}

/* ---------------------------------------------------------------- for the far end */
int64_t wire_sent_ms(struct wire *wire, uint64_t offset)
{
    while (STAILQ_FIRST(&wire->marks)->upto < offset)
        mark_free(wire);
    return STAILQ_FIRST(&wire->marks)->at_ms;
}

bool wire_is_held(const struct wire *wire)
{
    return wire->stream && !wire->stream->closing;
}

int64_t wire_left_ms(const struct wire *wire)
{
    return wire->left_ms;
}

/* ---------------------------------------------------------------- for the world */
struct streams *streams_sim_new(struct world *w)
{
    struct streams *ss = calloc(1, sizeof *ss);

    if (!ss)
        abort();
    ss->world = w;
    LIST_INIT(&ss->streams);
    return ss;
}

void streams_sim_free(struct streams *ss)
{
    assert(LIST_EMPTY(&ss->streams));
    free(ss);
}

void streams_sim_crash(struct streams *ss)
{
    struct stream *s, *next;

    for (s = LIST_FIRST(&ss->streams); s; s = next) {
        struct wire *wire = s->wire;

        next = LIST_NEXT(s, link);
        if (!s->closing)
            continue;
        end_stream(s, STREAM_CLOSED_BY_US, NULL);
        wire_release(wire);
    }
}

int streams_sim_count(const struct streams *ss, const struct inet_addr *source, const struct inet_addr *dest)
{
    const struct stream *s;
    int n = 0;

    LIST_FOREACH(s, &ss->streams, link)
        n += !s->closing && (!source->family || inet_addr_eq(source, &s->source)) &&
             (!dest->family || inet_addr_eq(dest, &s->dest.addr));
    return n;
}

/* ---------------------------------------------------------------- for the far end */
void wire_say(struct wire *w, struct slice bytes)
{
    send_bytes(&w->to_relay, bytes);
}

uint64_t wire_said(const struct wire *w)
{
    return w->to_relay.bytes;
}

void wire_close(struct wire *w)
{
    send_packet(&w->to_relay, PACKET_FIN, SLICE_NONE);
}

void wire_reset(struct wire *w)
{
    send_packet(&w->to_relay, PACKET_RST, SLICE_NONE);
}

void wire_shake(struct wire *w, bool ok, bool verified)
{
    struct packet *p = send_packet(&w->to_relay, PACKET_TLS_DONE, SLICE_NONE);

    p->ok = ok;
    p->verified = verified;
}

void wire_cut_after(struct wire *w, bool to_remote, uint64_t bytes, bool silence)
{
    struct line *l = to_remote ? &w->to_remote : &w->to_relay;

    l->cut_at = l->bytes + bytes;
    l->cut_silent = silence;
}

struct inet_addr wire_source(const struct wire *w)
{
    return w->stream->source;
}
