/* smtp_client.c: the conversation as a whole: phases, replies in order, deadlines, actions. */
#include "smtp_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "smtp_client_state.h"
#include "tls_policy.h"

static void banner_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);
static void ready_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);
static void quit_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);

/* ---------------------------------------------------------------- phases */
#define TO(p) (1u << CLIENT_##p)
static const struct {
    const char *awaits;      /* for people: "timed out waiting for …" */
    enum reply_stage stage;
    int64_t patience_ms;     /* RFC 5321 4.5.3.2; 0: no deadline here */
    unsigned to;
    void (*on_reply)(struct smtp_client *c, int64_t now_ms, const struct reply *r);
} phases[CLIENT_PHASES] = {
    [CLIENT_NEW]       = { "the connection", STAGE_CONNECT, 0, TO(BANNER) | TO(ENDED), NULL },
    [CLIENT_BANNER]    = { "the banner", STAGE_BANNER, 5 * MINUTE_MS, TO(EHLO) | TO(ENDED), banner_on_reply },
    [CLIENT_EHLO]      = { "the reply to EHLO", STAGE_EHLO, 5 * MINUTE_MS,
                           TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(READY) | TO(ENDED), ehlo_on_reply },
    [CLIENT_HELO]      = { "the reply to HELO", STAGE_EHLO, 5 * MINUTE_MS, TO(READY) | TO(ENDED), helo_on_reply },
    [CLIENT_STARTTLS]  = { "the reply to STARTTLS", STAGE_STARTTLS, 5 * MINUTE_MS,
                           TO(HANDSHAKE) | TO(AUTH) | TO(READY) | TO(ENDED), starttls_on_reply },
    [CLIENT_HANDSHAKE] = { "the TLS handshake", STAGE_TLS, 0, TO(EHLO) | TO(ENDED), NULL }, /* the stream bounds it */
    [CLIENT_AUTH]      = { "the reply to AUTH", STAGE_AUTH, 5 * MINUTE_MS, TO(READY) | TO(ENDED), auth_on_reply },
    [CLIENT_READY]     = { "nothing", STAGE_NONE, 0, TO(QUIT) | TO(ENDED), ready_on_reply },
    [CLIENT_QUIT]      = { "the reply to QUIT", STAGE_NONE, 5 * SECOND_MS, TO(ENDED), quit_on_reply },
    [CLIENT_ENDED]     = { "nothing", STAGE_NONE, 0, 0, NULL },
};
#undef TO

/* What is waited for inside a transaction. */
static const struct {
    const char *awaits;
    int64_t patience_ms;
} tx_waits[TX_PHASES] = {
    [TX_RSET] = { "the reply to RSET", 5 * MINUTE_MS },
    [TX_MAIL] = { "the reply to MAIL", 5 * MINUTE_MS },
    [TX_RCPT] = { "the reply to RCPT", 5 * MINUTE_MS },
    [TX_DATA] = { "the reply to DATA", 2 * MINUTE_MS },
    [TX_BODY] = { "the content to be taken", 3 * MINUTE_MS },
    [TX_DOT]  = { "the reply to the final dot", 10 * MINUTE_MS },
};

void client_move(struct smtp_client *c, enum client_phase to)
{
    assert(phases[c->phase].to & (1u << to));
    c->phase = to;
}

/* The i-th that is under way or not reported yet, counted from the oldest. */
static struct transaction *nth(struct smtp_client *c, int i)
{
    return &c->tx[(c->first + c->reported + i) % TRANSACTIONS_AT_ONCE];
}

struct transaction *client_oldest(struct smtp_client *c)
{
    return c->count > c->reported ? nth(c, 0) : NULL;
}

static const struct transaction *oldest(const struct smtp_client *c)
{
    return client_oldest((struct smtp_client *)c);
}

static int live(const struct smtp_client *c)
{
    return c->count - c->reported;
}

struct smtp_client *smtp_client_new(const struct profile *profile, bool skip_tls)
{
    struct smtp_client *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->profile = profile;
    c->skip_tls = skip_tls;
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->log_text, 0);
    reply_init(&c->parser);
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    if (!c)
        return;
    for (int i = 0; i < TRANSACTIONS_AT_ONCE; i++) {
        free(c->tx[i].index);
        free(c->tx[i].result.rcpts);
    }
    sasl_client_free(c->sasl);
    buf_wipe(&c->out);
    buf_free(&c->log_text);
    free(c);
}

/* ---------------------------------------------------------------- output */
/* Without memory for a command the conversation cannot go on. */
bool client_out_failed(struct smtp_client *c, int64_t now_ms, int rc)
{
    if (rc < 0)
        client_fail(c, now_ms, CONNECTION_NO_RESOURCES, STAGE_NONE, NULL, "4.3.0", "out of memory");
    return rc < 0;
}

/* What next() handed out is gone with the first byte that comes after it. */
static void drop_taken(struct smtp_client *c)
{
    if (c->out_taken)
        buf_clear(&c->out);
    c->out_taken = false;
}

struct buf *client_out(struct smtp_client *c)
{
    drop_taken(c);
    return &c->out;
}

int client_said(struct smtp_client *c, size_t from)
{
    protocol_log_add(&c->log, 'C', slice_skip(buf_slice(&c->out), from));
    c->issued++;
    return buf_add(&c->out, SLICE("\r\n"));
}

int client_say(struct smtp_client *c, const char *command)
{
    struct buf *out = client_out(c);
    size_t from = buf_len(out);
    int rc = buf_add_text(out, command);

    return rc < 0 ? rc : client_said(c, from);
}

/* ---------------------------------------------------------------- the end */
/* The reply that a failure goes by: the remote's, or our own words. */
static void set_failure_reply(struct smtp_client *c, const struct reply *reply, const char *enhanced, const char *text)
{
    if (reply)
        c->failure.reply = *reply;
    else
        attempt_reply(&c->failure.reply, enhanced, text);
    if (!reply)
        protocol_log_add(&c->log, '#', slice_of(text));
}

static bool is_busy(struct smtp_client *c)
{
    for (int i = 0; i < live(c); i++)
        if (nth(c, i)->phase != TX_OVER)
            return true;
    return false;
}

static void clear_actions(struct smtp_client *c)
{
    c->ask_tls = c->say_ready = c->ask_scan = c->ask_body = c->say_room = c->body_asked = false;
}

void client_fail(struct smtp_client *c, int64_t now_ms, enum connection_end end, enum reply_stage stage,
                 const struct reply *reply, const char *enhanced, const char *text)
{
    if (c->phase == CLIENT_ENDED)
        return;
    c->failure.end = end;
    c->failure.stage = stage;
    c->failure.was_busy = is_busy(c);
    c->failure.is_421 = reply && reply->code == 421;
    set_failure_reply(c, reply, enhanced, text);
    client_move(c, CLIENT_ENDED);
    clear_actions(c);
    buf_clear(client_out(c));
    for (int i = 0; i < live(c); i++)
        transaction_abandon(nth(c, i), now_ms, &c->failure.reply, c->failure.is_421);
    c->say_close = true;
}

void client_refuse(struct smtp_client *c, int64_t now_ms, enum reply_stage stage, const struct reply *reply,
                   const char *enhanced, const char *text)
{
    client_fail(c, now_ms, CONNECTION_FAILED, stage, reply, enhanced, text);
    if (!c->failure.is_421)
        buf_add(&c->out, SLICE("QUIT\r\n")); /* RFC 5321 4.1.1.10: a courtesy, so that no memory for it is no loss */
}

/* Where the conversation stands. */
static enum reply_stage stage_now(const struct smtp_client *c)
{
    const struct transaction *tx = oldest(c);

    if (c->phase == CLIENT_READY && tx)
        return transaction_stage(tx);
    return phases[c->phase].stage;
}

/* The remote broke off, or broke the rules. */
void client_lose(struct smtp_client *c, int64_t now_ms, const struct reply *reply, const char *text)
{
    enum connection_end end = c->phase == CLIENT_QUIT    ? CONNECTION_QUIT
                              : c->phase == CLIENT_READY ? CONNECTION_LOST
                                                         : CONNECTION_FAILED;

    client_fail(c, now_ms, end, stage_now(c), reply, "", text);
}

/* ---------------------------------------------------------------- replies, in order */
static void banner_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    if (r->code / 100 == 2)
        ehlo_say(c, now_ms);
    else
        client_refuse(c, now_ms, STAGE_BANNER, r, NULL, NULL);
}

static void quit_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    client_fail(c, now_ms, CONNECTION_QUIT, STAGE_NONE, r, NULL, NULL);
}

static void ready_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    transaction_on_reply(c, client_oldest(c), now_ms, r);
}

/* A reply that nothing asked for: 421 may come at any time (RFC 5321 3.8), and a host may refuse the content before its end. */
static void take_unasked(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    struct transaction *tx = client_oldest(c);

    if (r->code == 421)
        client_lose(c, now_ms, r, NULL);
    else if (c->phase == CLIENT_READY && tx && tx->phase == TX_BODY && r->code >= 400)
        content_interrupted(c, tx, now_ms, r);
    else
        client_lose(c, now_ms, NULL, "the host spoke before it was asked");
}

static void take_reply(struct smtp_client *c, int64_t now_ms)
{
    struct reply r = *reply_get(&c->parser);
    bool unasked = c->premature;

    c->premature = false;
    if (unasked) {
        take_unasked(c, now_ms, &r);
        return;
    }
    c->answered++;
    c->since_ms = now_ms;
    if (r.code == 421 && c->phase != CLIENT_QUIT)
        client_lose(c, now_ms, &r, NULL);
    else
        phases[c->phase].on_reply(c, now_ms, &r);
}

/* An action waits that input must not overtake, or there is nobody to read for. */
static bool must_act_first(const struct smtp_client *c)
{
    enum smtp_client_action_type t = smtp_client_peek(c);

    return t != SMTP_CLIENT_WAIT && t != SMTP_CLIENT_SEND;
}

void smtp_client_input(struct smtp_client *c, int64_t now_ms, struct slice *in)
{
    if (!c->unread) /* a new read: it can answer what was handed out up to now, and nothing later */
        c->answerable = c->handed;
    while (in->n && !must_act_first(c)) {
        enum reply_status status;

        if (!phases[c->phase].on_reply) { /* ENDED, or a stream that speaks before it is connected */
            *in = slice_skip(*in, in->n);
            break;
        }
        if (!reply_is_pending(&c->parser))
            c->premature = c->answered >= c->answerable;
        status = reply_next(&c->parser, in);
        if (status == REPLY_MALFORMED)
            client_lose(c, now_ms, NULL, "the host's reply is no SMTP reply, or too long");
        if (status != REPLY_LINE && status != REPLY_DONE)
            continue;
        protocol_log_add_reply(&c->log, reply_get(&c->parser)->code, status == REPLY_DONE, reply_line(&c->parser));
        if (c->phase == CLIENT_EHLO)
            ehlo_take_line(c, reply_line(&c->parser));
        if (status == REPLY_DONE)
            take_reply(c, now_ms);
    }
    c->unread = in->n > 0;
}

/* ---------------------------------------------------------------- what the driver tells */
void smtp_client_connected(struct smtp_client *c, int64_t now_ms, bool verified)
{
    struct tls_verdict v = { .step = TLS_GO_ON };

    client_move(c, CLIENT_BANNER);
    c->since_ms = now_ms;
    c->handed = c->issued = 1; /* the banner answers the connection */
    c->is_tls = c->profile->implicit_tls;
    if (c->is_tls)
        v = tls_policy_after_handshake(c->profile, verified);
    if (v.step == TLS_FAIL)
        client_fail(c, now_ms, CONNECTION_FAILED, v.stage, NULL, "4.7.5", v.reason);
}

void smtp_client_tls(struct smtp_client *c, int64_t now_ms, bool verified)
{
    struct tls_verdict v = tls_policy_after_handshake(c->profile, verified);

    if (c->phase != CLIENT_HANDSHAKE)
        return;
    c->is_tls = true;
    protocol_log_add(&c->log, '#', SLICE("TLS"));
    if (v.step == TLS_FAIL)
        client_refuse(c, now_ms, v.stage, NULL, "4.7.5", v.reason);
    else
        ehlo_say(c, now_ms);
}

void smtp_client_lost(struct smtp_client *c, int64_t now_ms, const struct smtp_client_loss *loss)
{
    if (c->phase == CLIENT_ENDED)
        return;
    client_lose(c, now_ms, NULL, loss->text);
    if (loss->stage != STAGE_NONE && c->failure.end == CONNECTION_FAILED)
        c->failure.stage = loss->stage;
    if (loss->no_resources)
        c->failure.end = CONNECTION_NO_RESOURCES;
    c->failure.tls_handshake = loss->tls_handshake;
}

/* What is waited for now, and how long; 0: nothing. */
static int64_t patience(const struct smtp_client *c, const char **ret_awaits)
{
    const struct transaction *tx = oldest(c);
    int64_t ms = phases[c->phase].patience_ms;

    *ret_awaits = phases[c->phase].awaits;
    if (c->phase == CLIENT_READY && tx) {
        ms = tx_waits[tx->phase].patience_ms;
        *ret_awaits = tx_waits[tx->phase].awaits;
    }
    if (ms && c->profile->reply_timeout_ms && c->phase != CLIENT_QUIT)
        ms = c->profile->reply_timeout_ms;
    return ms;
}

int64_t smtp_client_deadline_ms(const struct smtp_client *c)
{
    const char *awaits;
    int64_t ms = patience(c, &awaits);

    return ms ? c->since_ms + ms : NEVER_MS;
}

void smtp_client_timeout(struct smtp_client *c, int64_t now_ms)
{
    char text[80];
    const char *awaits;

    if (smtp_client_deadline_ms(c) > now_ms)
        return;
    patience(c, &awaits);
    snprintf(text, sizeof text, "timed out waiting for %s", awaits);
    client_lose(c, now_ms, NULL, text);
}

void smtp_client_quit(struct smtp_client *c, int64_t now_ms)
{
    if (c->phase == CLIENT_QUIT || c->phase == CLIENT_ENDED)
        return;
    if (!smtp_client_is_idle(c)) {
        client_fail(c, now_ms, CONNECTION_QUIT, STAGE_NONE, NULL, "", "closed by us");
        return;
    }
    c->since_ms = now_ms;
    if (!client_out_failed(c, now_ms, client_say(c, "QUIT")))
        client_move(c, CLIENT_QUIT);
}

void client_ready(struct smtp_client *c, int64_t now_ms)
{
    client_move(c, CLIENT_READY);
    c->say_ready = true;
    c->since_ms = now_ms;
}

/* ---------------------------------------------------------------- transactions */
bool smtp_client_can_send(const struct smtp_client *c)
{
    const struct transaction *tx = oldest(c);

    if (c->phase != CLIENT_READY || c->count == TRANSACTIONS_AT_ONCE)
        return false;
    return !tx || (tx->phase == TX_DOT && c->offer.pipelining && !tx->by_bdat);
}

bool smtp_client_is_idle(const struct smtp_client *c)
{
    return c->phase == CLIENT_READY && !oldest(c);
}

int smtp_client_transactions(const struct smtp_client *c)
{
    return c->begun;
}

/* Room for count recipients, kept for the next transaction. */
static int make_room(struct transaction *tx, int count)
{
    int *index;
    struct rcpt_result *rcpts;

    if (count <= tx->room)
        return 0;
    index = realloc(tx->index, (size_t)count * sizeof *index);
    if (!index)
        return FL_ENOMEM;
    tx->index = index;
    rcpts = realloc(tx->result.rcpts, (size_t)count * sizeof *rcpts);
    if (!rcpts)
        return FL_ENOMEM;
    tx->result.rcpts = rcpts;
    tx->room = count;
    return 0;
}

int smtp_client_send(struct smtp_client *c, int64_t now_ms, struct envelope *env, const int *rcpt_index, int count)
{
    struct transaction *tx = &c->tx[(c->first + c->count) % TRANSACTIONS_AT_ONCE];
    struct transaction fresh = { .index = NULL };

    assert(smtp_client_can_send(c) && count > 0);
    if (make_room(tx, count) < 0)
        return FL_ENOMEM;
    fresh.index = tx->index;
    fresh.room = tx->room;
    fresh.result.rcpts = tx->result.rcpts;
    *tx = fresh;
    memcpy(tx->index, rcpt_index, (size_t)count * sizeof *rcpt_index);
    tx->env = env;
    tx->result.rcpt_count = count;
    tx->result.began_ms = now_ms;
    tx->result.remote_has_dsn = c->offer.dsn;
    if (!oldest(c))
        c->since_ms = now_ms;
    c->count++;
    c->begun++;
    c->say_room = false;
    transaction_begin(c, tx, now_ms);
    return 0;
}

/* The transaction whose content is being looked at: the one that began last. */
void smtp_client_scanned(struct smtp_client *c, int64_t now_ms, const struct content_scan *scan)
{
    struct transaction *tx = live(c) ? nth(c, live(c) - 1) : NULL;

    if (c->phase == CLIENT_READY && tx && tx->phase == TX_SCAN)
        transaction_scanned(c, tx, now_ms, scan);
}

void smtp_client_body_progress(struct smtp_client *c, int64_t now_ms)
{
    if (c->body_asked)
        c->since_ms = now_ms;
}

void smtp_client_body_sent(struct smtp_client *c, int64_t now_ms, bool ends_in_crlf)
{
    if (!c->body_asked)
        return;
    c->body_asked = false;
    c->since_ms = now_ms;
    content_sent(c, client_oldest(c), now_ms, ends_in_crlf);
}

void smtp_client_body_failed(struct smtp_client *c, int64_t now_ms, const char *text)
{
    if (c->phase == CLIENT_ENDED)
        return;
    if (c->body_asked)
        content_unreadable(client_oldest(c), text);
    client_fail(c, now_ms, CONNECTION_NO_RESOURCES, STAGE_DATA, NULL, "4.3.0", text);
}

bool smtp_client_wants_body(const struct smtp_client *c)
{
    return c->body_asked;
}

/* ---------------------------------------------------------------- actions */
enum smtp_client_action_type smtp_client_peek(const struct smtp_client *c)
{
    const struct transaction *tx = oldest(c);

    if (buf_len(&c->out) && !c->out_taken)
        return SMTP_CLIENT_SEND;
    if (c->ask_tls)
        return SMTP_CLIENT_START_TLS;
    if (tx && tx->phase == TX_OVER)
        return SMTP_CLIENT_RESULT;
    if (c->say_close)
        return SMTP_CLIENT_CLOSE;
    if (c->say_ready)
        return SMTP_CLIENT_READY;
    if (c->ask_scan)
        return SMTP_CLIENT_SCAN;
    if (c->ask_body)
        return SMTP_CLIENT_BODY;
    if (c->say_room)
        return SMTP_CLIENT_ROOM;
    return SMTP_CLIENT_WAIT;
}

/* Lets go of the transaction that was handed out. */
static void drop_reported(struct smtp_client *c)
{
    if (!c->reported)
        return;
    c->tx[c->first].phase = TX_FREE;
    c->first = (c->first + 1) % TRANSACTIONS_AT_ONCE;
    c->count--;
    c->reported = 0;
}

enum smtp_client_action_type smtp_client_next(struct smtp_client *c, struct smtp_client_action *ret)
{
    enum smtp_client_action_type type;

    drop_taken(c);
    drop_reported(c);
    type = smtp_client_peek(c);
    switch (type) {
    case SMTP_CLIENT_SEND:
        ret->bytes = buf_slice(&c->out);
        c->out_taken = true;
        c->handed = c->issued;
        break;
    case SMTP_CLIENT_START_TLS:
        c->ask_tls = false;
        break;
    case SMTP_CLIENT_READY:
        c->say_ready = false;
        break;
    case SMTP_CLIENT_SCAN:
        ret->env = nth(c, live(c) - 1)->env;
        ret->measures = transaction_unstuffs(nth(c, live(c) - 1));
        c->ask_scan = false;
        break;
    case SMTP_CLIENT_BODY:
        ret->env = oldest(c)->env;
        ret->unstuffed = transaction_unstuffs(oldest(c));
        c->ask_body = false;
        c->body_asked = true;
        break;
    case SMTP_CLIENT_ROOM:
        c->say_room = false;
        break;
    case SMTP_CLIENT_RESULT:
        ret->env = oldest(c)->env;
        ret->result = &oldest(c)->result;
        c->reported = 1;
        break;
    case SMTP_CLIENT_CLOSE:
        ret->failure = &c->failure;
        c->say_close = false;
        break;
    case SMTP_CLIENT_WAIT:
        break;
    }
    return type;
}

int64_t smtp_client_remote_size(const struct smtp_client *c)
{
    return c->offer.size;
}

struct slice smtp_client_protocol(struct smtp_client *c)
{
    buf_clear(&c->log_text);
    if (protocol_log_write(&c->log, &c->log_text) < 0)
        return SLICE_NONE;
    return buf_slice(&c->log_text);
}
