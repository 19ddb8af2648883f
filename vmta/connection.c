/* connection.c: stream ↔ smtp_client: carries bytes, performs actions, keeps the deadline. */
#include "connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>

#include "body_feed.h"
#include "content_scan.h"
#include "err.h"
#include "smtp_client.h"

enum {
    CLOSE_GRACE_MS = 2 * SECOND_MS, /* for QUIT to go out when we close by ourselves */
    TLS_TEXT = 64,
    TLS_ERROR_TEXT = 160,
    CACHE_KEY = 512,
};

struct connection {
    struct connection_context *cx;
    struct connection_target target;
    char mx[256];              /* target.mx points here */
    const struct connection_events *events;
    void *arg;
    struct stream *stream;     /* NULL once it ended */
    struct smtp_client *smtp;
    struct timer timer;
    int64_t timer_ms;          /* what it is set to; NEVER_MS: not set */
    int depth;                 /* of entries; only the outermost performs actions, and may free */
    bool told;                 /* the owner knows that it ended, or wants to know nothing more … */
    bool aborted;              /* … */
    bool shaking;              /* a handshake is under way */

    struct body_feed *feed;    /* the content being sent, or looked at */
    bool feed_waits;           /* for on_drain */
    struct content_scan scan;
    bool unstuffs;             /* the content is sent without its doubled dots */
    struct wire_unstuff unstuff;
    char last[2];              /* octets of the content sent last */
    int last_n;

    struct stream_tls_info tls;
    bool has_tls;
    char tls_version[TLS_TEXT], tls_cipher[TLS_TEXT], tls_error[TLS_ERROR_TEXT];
};

static void enter(struct connection *c);
static void leave(struct connection *c, bool may_call_back);

static int64_t now_ms(const struct connection *c)
{
    return c->cx->now->mono_ms;
}

static void destroy(struct connection *c)
{
    timer_stop(c->cx->timers, &c->timer);
    body_feed_stop(c->feed);
    smtp_client_free(c->smtp);
    free(c);
}

/* ---------------------------------------------------------------- the deadline */
/* A timer that is set too early only wakes us to be set again, which is cheaper than moving it with every reply. */
static void keep_deadline(struct connection *c, int64_t at_ms)
{
    if (at_ms >= c->timer_ms)
        return;
    if (timer_set(c->cx->timers, &c->timer, at_ms) == 0)
        c->timer_ms = at_ms;
}

static void on_timer(void *arg)
{
    struct connection *c = arg;

    enter(c);
    c->timer_ms = NEVER_MS;
    if (smtp_client_deadline_ms(c->smtp) <= now_ms(c))
        smtp_client_timeout(c->smtp, now_ms(c));
    leave(c, true);
}

/* ---------------------------------------------------------------- the content */
static void note_last(struct connection *c, struct slice piece)
{
    if (piece.n >= 2) {
        memcpy(c->last, piece.p + piece.n - 2, 2);
        c->last_n = 2;
    } else if (piece.n == 1) {
        c->last[0] = c->last[1];
        c->last[1] = piece.p[0];
        c->last_n = 2;
    }
}

static bool ends_in_crlf(const struct connection *c)
{
    return c->last_n == 0 || (c->last[0] == '\r' && c->last[1] == '\n');
}

/* More, unless the peer must read first. */
static void send_on(struct connection *c)
{
    smtp_client_body_progress(c->smtp, now_ms(c));
    if (stream_queued(c->stream) > STREAM_HIGH_WATER)
        stream_flush(c->stream);
    c->feed_waits = stream_queued(c->stream) > STREAM_HIGH_WATER;
    if (!c->feed_waits)
        body_feed_more(c->feed);
}

static void send_unstuffed(struct connection *c, struct slice bytes)
{
    struct slice raw;

    while (wire_unstuff_next(&c->unstuff, &bytes, &raw))
        stream_write(c->stream, raw);
}

static void send_unstuffed_memory(struct connection *c, struct body *body, uint64_t offset, uint64_t n)
{
    struct iovec piece;

    for (; n > 0 && body_pieces(body, offset, &piece, 1) == 1; offset += piece.iov_len, n -= piece.iov_len) {
        if (piece.iov_len > n)
            piece.iov_len = n;
        send_unstuffed(c, slice_make(piece.iov_base, piece.iov_len));
    }
    send_on(c);
}

static void send_memory(void *arg, struct body *body, uint64_t offset, uint64_t n)
{
    struct connection *c = arg;
    struct iovec pieces[2];
    uint64_t tail = n < 2 ? n : 2;
    int count = body_pieces(body, offset + n - tail, pieces, 2);

    if (c->unstuffs) {
        send_unstuffed_memory(c, body, offset, n);
        return;
    }
    stream_write_body(c->stream, body, offset, n);
    for (int i = 0; i < count && tail > 0; i++) {
        size_t take = pieces[i].iov_len < tail ? pieces[i].iov_len : tail;

        note_last(c, slice_make(pieces[i].iov_base, take));
        tail -= take;
    }
    send_on(c);
}

static void send_bytes(void *arg, struct slice bytes)
{
    struct connection *c = arg;

    enter(c);
    if (c->unstuffs)
        send_unstuffed(c, bytes);
    else
        stream_write(c->stream, bytes);
    note_last(c, bytes);
    send_on(c);
    leave(c, true);
}

static void send_end(void *arg, int rc)
{
    struct connection *c = arg;

    enter(c);
    c->feed = NULL;
    if (rc == 0)
        smtp_client_body_sent(c->smtp, now_ms(c), ends_in_crlf(c));
    else
        smtp_client_body_failed(c->smtp, now_ms(c), "the content cannot be read from the store");
    leave(c, true);
}

static const struct body_feed_sink send_sink = { .on_memory = send_memory, .on_bytes = send_bytes, .on_end = send_end };

static void scan_over(struct connection *c)
{
    smtp_client_scanned(c->smtp, now_ms(c), &c->scan);
}

/* Looks at one piece, then at the next, unless all is known. */
static void scan_piece(struct connection *c, bool known)
{
    if (!known) {
        body_feed_more(c->feed);
        return;
    }
    body_feed_stop(c->feed);
    c->feed = NULL;
    scan_over(c);
}

static void scan_memory(void *arg, struct body *body, uint64_t offset, uint64_t n)
{
    struct connection *c = arg;
    bool known = false;

    while (n > 0 && !known) {
        struct iovec piece;

        if (body_pieces(body, offset, &piece, 1) != 1)
            break;
        if (piece.iov_len > n)
            piece.iov_len = n;
        known = content_scan_add(&c->scan, slice_make(piece.iov_base, piece.iov_len));
        offset += piece.iov_len;
        n -= piece.iov_len;
    }
    scan_piece(c, known);
}

static void scan_bytes(void *arg, struct slice bytes)
{
    struct connection *c = arg;

    enter(c);
    scan_piece(c, content_scan_add(&c->scan, bytes));
    leave(c, true);
}

static void scan_end(void *arg, int rc)
{
    struct connection *c = arg;

    enter(c);
    c->feed = NULL;
    if (rc == 0)
        scan_over(c);
    else
        smtp_client_body_failed(c->smtp, now_ms(c), "the content cannot be read from the store");
    leave(c, true);
}

static const struct body_feed_sink scan_sink = { .on_memory = scan_memory, .on_bytes = scan_bytes, .on_end = scan_end };

static void feed(struct connection *c, struct envelope *env, const struct body_feed_sink *sink)
{
    c->feed = body_feed_new(c->cx->store, env->body, sink, c);
    if (c->feed)
        body_feed_more(c->feed);
    else
        smtp_client_body_failed(c->smtp, now_ms(c), "out of memory");
}

/* ---------------------------------------------------------------- TLS */
static void start_tls(struct connection *c)
{
    const struct profile *p = c->target.profile;
    char source[INET_TEXT], key[CACHE_KEY];
    int n;

    inet_addr_text(&c->target.source, source);
    n = snprintf(key, sizeof key, "%s %d %d %s", source, p->tls, p->tls_min_version, p->tls_ca ? p->tls_ca : "");
    c->shaking = true;
    stream_start_tls_client(c->stream, &(struct tls_client_params){
        .host = c->mx,
        .host_is_address = c->target.mx_is_address,
        .min_version = p->tls_min_version,
        .ca_file = p->tls_ca,
        .must_verify = p->tls == TLS_VERIFY,
        .cache_key = slice_make(key, n < (int)sizeof key ? (size_t)n : sizeof key - 1),
    });
}

/* What the handshake said outlives the callback; names in the peer's certificate are not kept. */
static void keep_tls_info(struct connection *c, const struct stream_tls_info *info)
{
    c->tls = *info;
    c->has_tls = true;
    snprintf(c->tls_version, sizeof c->tls_version, "%s", info->version);
    snprintf(c->tls_cipher, sizeof c->tls_cipher, "%s", info->cipher);
    snprintf(c->tls_error, sizeof c->tls_error, "%s", info->verify_error ? info->verify_error : "");
    c->tls.version = c->tls_version;
    c->tls.cipher = c->tls_cipher;
    c->tls.verify_error = info->verify_error ? c->tls_error : NULL;
    c->tls.peer_dns = NULL;
    c->tls.peer_dns_count = 0;
}

/* ---------------------------------------------------------------- actions */
static void on_send(struct connection *c, const struct smtp_client_action *a)
{
    if (c->stream)
        stream_write(c->stream, a->bytes);
}

static void on_start_tls(struct connection *c, const struct smtp_client_action *a)
{
    start_tls(c);
}

static void on_ready(struct connection *c, const struct smtp_client_action *a)
{
    if (!c->told)
        c->events->on_ready(c->arg);
}

static void on_scan(struct connection *c, const struct smtp_client_action *a)
{
    c->scan = (struct content_scan){ .measures = a->measures };
    wire_unstuff_init(&c->scan.unstuff);
    feed(c, a->env, &scan_sink);
}

static void on_body(struct connection *c, const struct smtp_client_action *a)
{
    c->last_n = 0;
    c->last[0] = c->last[1] = 0;
    c->unstuffs = a->unstuffed;
    wire_unstuff_init(&c->unstuff);
    feed(c, a->env, &send_sink);
}

static void on_room(struct connection *c, const struct smtp_client_action *a)
{
    if (!c->told && connection_can_send(c))
        c->events->on_may_send(c->arg);
}

static void on_result(struct connection *c, const struct smtp_client_action *a)
{
    if (!c->told)
        c->events->on_result(c->arg, a->result);
    envelope_unref(a->env);
}

static void on_close(struct connection *c, const struct smtp_client_action *a)
{
    body_feed_stop(c->feed);
    c->feed = NULL;
    if (!c->told)
        c->events->on_ended(c->arg, a->failure);
    c->told = true;
    if (c->stream && c->aborted) {
        stream_abort(c->stream);
        c->stream = NULL;
    } else if (c->stream) {
        stream_close(c->stream, CLOSE_GRACE_MS);
    }
}

/* Which actions call the owner, and so wait for a moment of our own. */
static const struct {
    void (*perform)(struct connection *c, const struct smtp_client_action *a);
    bool calls_back;
} actions[] = {
    [SMTP_CLIENT_WAIT] = { NULL, false },
    [SMTP_CLIENT_SEND] = { on_send, false },
    [SMTP_CLIENT_START_TLS] = { on_start_tls, false },
    [SMTP_CLIENT_READY] = { on_ready, true },
    [SMTP_CLIENT_SCAN] = { on_scan, false },
    [SMTP_CLIENT_BODY] = { on_body, false },
    [SMTP_CLIENT_ROOM] = { on_room, true },
    [SMTP_CLIENT_RESULT] = { on_result, true },
    [SMTP_CLIENT_CLOSE] = { on_close, true },
};

static void perform_all(struct connection *c, bool may_call_back)
{
    struct smtp_client_action a;

    for (;;) {
        enum smtp_client_action_type type = smtp_client_peek(c->smtp);

        if (actions[type].calls_back && !may_call_back) {
            keep_deadline(c, now_ms(c));
            return;
        }
        if (smtp_client_next(c->smtp, &a) == SMTP_CLIENT_WAIT)
            return;
        actions[type].perform(c, &a);
    }
}

/* Whatever happens to the connection happens between these two. The outermost leave performs what the client wants and
 * flushes once; c may be gone after it. */
static void enter(struct connection *c)
{
    c->depth++;
}

static void leave(struct connection *c, bool may_call_back)
{
    if (c->depth == 1)
        perform_all(c, may_call_back);
    if (--c->depth > 0)
        return;
    if (c->told && !c->stream) {
        destroy(c);
        return;
    }
    if (c->stream && !c->told)
        stream_flush(c->stream);
    if (!c->told)
        keep_deadline(c, smtp_client_deadline_ms(c->smtp));
}

/* ---------------------------------------------------------------- what the stream tells */
static void stream_connected(void *arg)
{
    struct connection *c = arg;

    enter(c);
    if (c->target.profile->implicit_tls)
        start_tls(c);
    else
        smtp_client_connected(c->smtp, now_ms(c), false);
    leave(c, true);
}

static void stream_tls_done(void *arg, const struct stream_tls_info *info)
{
    struct connection *c = arg;

    enter(c);
    c->shaking = false;
    keep_tls_info(c, info);
    if (c->target.profile->implicit_tls)
        smtp_client_connected(c->smtp, now_ms(c), info->verified);
    else
        smtp_client_tls(c->smtp, now_ms(c), info->verified);
    leave(c, true);
}

static void stream_read(void *arg, struct slice in)
{
    struct connection *c = arg;

    enter(c);
    while (in.n && !c->told) {
        smtp_client_input(c->smtp, now_ms(c), &in);
        perform_all(c, true);
    }
    leave(c, true);
}

static void stream_drained(void *arg)
{
    struct connection *c = arg;

    if (!c->feed || !c->feed_waits)
        return;
    enter(c);
    send_on(c);
    leave(c, true);
}

static const char *end_text(enum stream_end why)
{
    static const char *const texts[] = {
        [STREAM_CLOSED_BY_US] = "closed by us",
        [STREAM_EOF] = "the host closed the connection",
        [STREAM_TLS_CLOSED] = "the host ended TLS",
        [STREAM_REFUSED] = "connection refused",
        [STREAM_UNREACHABLE] = "host unreachable",
        [STREAM_TIMEOUT] = "connection timed out",
        [STREAM_RESET] = "connection reset",
        [STREAM_TLS_FAILED] = "TLS handshake failed",
        [STREAM_NO_RESOURCES] = "out of file descriptors or memory",
    };

    return texts[why];
}

static void stream_ended(void *arg, enum stream_end why, const char *text)
{
    struct connection *c = arg;
    char words[TLS_ERROR_TEXT];

    enter(c);
    if (text && strcasecmp(text, end_text(why)) == 0)
        text = NULL;
    if (text && why != STREAM_EOF)
        snprintf(words, sizeof words, "%s: %s", end_text(why), text);
    else
        snprintf(words, sizeof words, "%s", end_text(why));
    c->stream = NULL;
    smtp_client_lost(c->smtp, now_ms(c), &(struct smtp_client_loss){
        .stage = c->shaking ? STAGE_TLS : STAGE_NONE,
        .tls_handshake = why == STREAM_TLS_FAILED && c->shaking,
        .no_resources = why == STREAM_NO_RESOURCES,
        .text = words,
    });
    leave(c, true);
}

static const struct stream_events stream_events = {
    .on_connect = stream_connected,
    .on_read = stream_read,
    .on_tls = stream_tls_done,
    .on_drain = stream_drained,
    .on_end = stream_ended,
};

/* ---------------------------------------------------------------- what the owner asks */
int connection_open(struct connection_context *cx, const struct connection_target *t, const struct connection_events *events,
                    void *arg, struct connection **ret)
{
    struct connection *c = calloc(1, sizeof *c);
    int rc = FL_ENOMEM;

    if (!c)
        return FL_ENOMEM;
    c->cx = cx;
    c->target = *t;
    snprintf(c->mx, sizeof c->mx, "%s", t->mx);
    c->target.mx = c->mx;
    c->events = events;
    c->arg = arg;
    c->timer_ms = NEVER_MS;
    timer_init(&c->timer, on_timer, c);
    c->smtp = smtp_client_new(t->profile, t->skip_tls);
    if (c->smtp)
        rc = stream_connect(cx->streams, &t->source, &t->remote, t->profile->connect_timeout_ms, &stream_events, c, &c->stream);
    if (rc < 0) {
        destroy(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void connection_send(struct connection *c, struct envelope *env, const int *rcpt_index, int count)
{
    enter(c);
    if (smtp_client_send(c->smtp, now_ms(c), env, rcpt_index, count) == 0)
        envelope_ref(env);
    else
        smtp_client_lost(c->smtp, now_ms(c), &(struct smtp_client_loss){ .no_resources = true, .text = "out of memory" });
    leave(c, false);
}

bool connection_can_send(const struct connection *c)
{
    bool is_first_of_probe = c->target.is_probe && smtp_client_transactions(c->smtp) == 1;

    return smtp_client_can_send(c->smtp) && (smtp_client_is_idle(c->smtp) || !is_first_of_probe);
}

bool connection_is_idle(const struct connection *c)
{
    return smtp_client_is_idle(c->smtp);
}

int connection_transactions(const struct connection *c)
{
    return smtp_client_transactions(c->smtp);
}

void connection_quit(struct connection *c)
{
    enter(c);
    smtp_client_quit(c->smtp, now_ms(c));
    leave(c, false);
}

void connection_abort(struct connection *c)
{
    enter(c);
    c->told = c->aborted = true;
    smtp_client_lost(c->smtp, now_ms(c), &(struct smtp_client_loss){ .text = "closed by us" });
    leave(c, true); /* lets go of envelopes; nobody is called */
}

struct slice connection_protocol(const struct connection *c)
{
    return smtp_client_protocol(c->smtp);
}

const struct stream_tls_info *connection_tls(const struct connection *c)
{
    return c->has_tls ? &c->tls : NULL;
}

int64_t connection_remote_size(const struct connection *c)
{
    return smtp_client_remote_size(c->smtp);
}
