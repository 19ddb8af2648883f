/* session.c: see session.h. Everything about mail is decided by smtp_server.c and ingest.c; here bytes, questions and time are
 * carried between them. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth_secret.h"
#include "ingest.h"
#include "session_body.h"
#include "session_peer.h"
#include "smtp_server.h"

enum {
    CLOSE_GRACE_MS = 5000,  /* for a last reply to leave */
    MEMORY_POLL_MS = 20,    /* how often a session asks again that waits for memory */
};

struct session {
    LIST_ENTRY(session) entry;
    struct session_context *cx;
    struct stream *stream;          /* NULL: the client is gone, and the session waits for an answer only */
    struct smtp_server *smtp;       /* NULL during the handshake of implicit TLS */
    void *token;
    struct session_peer peer;
    uint64_t generation;            /* of the configuration that the peer has */

    struct timer timer;
    int64_t armed_ms;               /* what the timer is set for: it may fire early, never late */
    struct auth_job *job;           /* a log-in under way */
    const struct sasl_request *asked; /* … of whom; valid until it is answered */
    struct session_body body;
    struct ingest_origin origin;
    struct ingest_message message;
    bool committing;                /* ingest has the message */
    bool running, closing, paused;
};

static void session_run(struct session *ss);

static struct ingest *ingest_of(const struct session *ss) { return relay_ingest(ss->cx->relay); }
static int64_t now_of(const struct session *ss) { return ss->cx->now->mono_ms; }

/* After whatever changes them: a reload, a log-in, TLS. */
static void set_options(struct session *ss)
{
    struct smtp_server_options o = session_peer_options(&ss->peer);

    if (ss->smtp)
        smtp_server_set_options(ss->smtp, &o);
}

/* Takes the configuration of now. False: the client's user is not in it any more. */
static bool keep_up(struct session *ss)
{
    struct relay *r = ss->cx->relay;

    if (ss->peer.conf && ss->generation == relay_generation(r))
        return true;
    if (!session_peer_take_conf(&ss->peer, relay_conf(r)))
        return false;
    ss->generation = relay_generation(r);
    set_options(ss);
    return true;
}

/* ---------------------------------------------------------------- questions */
static struct ingest_reply reply_of(const struct smtp_reply *r)
{
    struct ingest_reply reply = { .code = r->code };

    snprintf(reply.enhanced, sizeof reply.enhanced, "%s", r->enhanced);
    snprintf(reply.text, sizeof reply.text, "%s", r->text);
    return reply;
}

static void ask_mail(struct session *ss, const struct smtp_transaction *t)
{
    struct ingest_reply reply = { .code = 250 };

    if (!keep_up(ss) || !session_peer_may_send(&ss->peer)) {
        reply = reply_of(&smtp_replies[SAY_CONF_CHANGED]);
    } else {
        ss->origin = session_peer_origin(&ss->peer, ss->smtp);
        ingest_check_mail(ingest_of(ss), &ss->origin, t->reverse_path, t->reverse_path_domain, t->declared_size, &reply);
    }
    smtp_server_answer(ss->smtp, now_of(ss), &reply);
}

static void ask_rcpt(struct session *ss, const struct smtp_transaction *t, const struct ingest_rcpt *rcpt)
{
    struct ingest_reply reply = { .code = 250 };

    ingest_check_rcpt(ingest_of(ss), &ss->origin, t->reverse_path, rcpt, &reply);
    smtp_server_answer(ss->smtp, now_of(ss), &reply);
}

static void give_seed(struct session *ss)
{
    uint8_t entropy[SASL_ENTROPY] = { 0 };

    keep_up(ss); /* a user that is gone is found missing at MAIL */
    if (secret_random(entropy, sizeof entropy) < 0)
        smtp_server_quit(ss->smtp, SAY_NO_MEMORY);
    smtp_server_seed(ss->smtp, entropy, ss->cx->now->wall_ms);
}

static void give_salt(struct session *ss, const struct sasl_request *r)
{
    uint8_t salt[SASL_SALT_MAX];
    size_t n;
    int iterations;

    auth_scram_salt(ss->cx->auth, ss->peer.conf, r->user, salt, &n, &iterations);
    smtp_server_salt(ss->smtp, slice_make(salt, n), iterations);
}

/* Whoever handles it logs it: a wrong log-in is worth a line, a right one is seen in what is accepted. */
static void log_auth(const struct session *ss, enum log_level level, const char *event)
{
    struct log_line l;
    char client[INET_TEXT];

    inet_addr_text(&ss->peer.client, client);
    log_begin(&l, ss->cx->log, level, event);
    log_text(&l, "client", client);
    log_slice(&l, "user", ss->asked->user);
    log_text(&l, "mechanism", sasl_name(ss->asked->mechanism));
    log_end(&l);
}

static void auth_judged(void *arg, enum auth_verdict verdict, const struct conf_user *user, const uint8_t *signature)
{
    static const char *const events[] = {
        [AUTH_RIGHT] = "login",
        [AUTH_WRONG] = "login_failed",
        [AUTH_LATER] = "login_postponed",
    };
    struct session *ss = arg;

    ss->job = NULL;
    log_auth(ss, verdict == AUTH_RIGHT ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, events[verdict]);
    if (verdict == AUTH_RIGHT) {
        ss->peer.user = user;
        set_options(ss); /* its tenant's limits */
    } else if (verdict == AUTH_WRONG) {
        auth_guard_failed(ss->cx->auth_guard, &ss->peer.client, ss->peer.source->max_auth_failures_per_ip, now_of(ss));
    }
    smtp_server_auth(ss->smtp, now_of(ss),
                     verdict == AUTH_RIGHT   ? SMTP_AUTH_RIGHT
                     : verdict == AUTH_WRONG ? SMTP_AUTH_WRONG
                                             : SMTP_AUTH_LATER,
                     signature);
    if (!ss->running)
        session_run(ss);
}

static void ask_auth(struct session *ss, const struct sasl_request *r)
{
    bool named;

    ss->asked = r;
    if (r->mechanism != SASL_EXTERNAL) {
        auth_verify(ss->cx->auth, ss->peer.conf, r, now_of(ss), auth_judged, ss, &ss->job);
        return;
    }
    named = ss->peer.by_certificate && ss->peer.user && (!r->user.n || slice_eq(r->user, slice_of(ss->peer.user->name)));
    auth_judged(ss, named ? AUTH_RIGHT : AUTH_WRONG, ss->peer.user, NULL);
}

/* ---------------------------------------------------------------- content */
static void resume_if_possible(struct session *ss);

static void body_written(void *arg) { resume_if_possible(arg); }

static void begin_body(struct session *ss, const struct smtp_transaction *t)
{
    session_body_begin(&ss->body, ss->cx->store, ss->cx->budget, t->body_type == BODY_BINARY, body_written, ss);
}

static void answer_commit(struct session *ss, const struct ingest_reply *reply)
{
    smtp_server_answer(ss->smtp, now_of(ss), reply);
    if (!ss->running)
        session_run(ss);
}

static void message_done(void *arg, const struct ingest_reply *reply)
{
    struct session *ss = arg;

    ss->committing = false;
    answer_commit(ss, reply);
}

static void session_free(struct session *ss);

/* The content is whole, or it is lost. */
static void body_finished(void *arg, int rc)
{
    struct session *ss = arg;
    struct ingest_reply reply;

    if (!ss->stream) { /* nobody waits for an answer: the message was not taken */
        session_free(ss);
        return;
    }
    if (rc < 0) {
        reply = session_body_reply(rc);
        for (int i = 0; i < ss->message.rcpt_count; i++)
            ingest_rejected(ingest_of(ss), &ss->origin, ss->message.reverse_path, ss->message.rcpts[i].address,
                            reply.code == 452 ? "store_full" : "store_failed", &reply);
        session_body_drop(&ss->body);
        answer_commit(ss, &reply);
        return;
    }
    ss->committing = true;
    ss->message.body = session_body_take(&ss->body);
    ingest_message(ingest_of(ss), &ss->message, message_done, ss);
}

static void ask_commit(struct session *ss, const struct smtp_transaction *t)
{
    ss->message = (struct ingest_message){
        .origin = &ss->origin,
        .reverse_path = t->reverse_path,
        .reverse_path_domain = t->reverse_path_domain,
        .envid = t->envid,
        .ret = t->ret,
        .smtputf8 = t->smtputf8,
        .body_type = t->body_type == BODY_7BIT && t->eight_bit ? BODY_8BIT : t->body_type,
        .rcpts = t->rcpts,
        .rcpt_count = t->rcpt_count,
        .size = t->size,
        .long_lines = t->long_lines,
        .dot_ms = t->dot_ms,
    };
    session_body_finish(&ss->body, body_finished, ss);
}

static void refused(struct session *ss, const struct smtp_action *a)
{
    struct ingest_reply reply = reply_of(a->reply);
    const struct smtp_transaction *t = a->transaction;
    struct slice from = t ? t->reverse_path : SLICE_NONE;

    ss->origin = session_peer_origin(&ss->peer, ss->smtp);
    if (a->rcpt || !t || !t->rcpt_count)
        ingest_rejected(ingest_of(ss), &ss->origin, from, a->rcpt ? a->rcpt->address : SLICE_NONE, a->reason, &reply);
    else
        for (int i = 0; i < t->rcpt_count; i++)
            ingest_rejected(ingest_of(ss), &ss->origin, from, t->rcpts[i].address, a->reason, &reply);
}

/* ---------------------------------------------------------------- the loop */
static void send_output(struct session *ss)
{
    struct slice out = smtp_server_output(ss->smtp);

    if (out.n)
        stream_write(ss->stream, out);
}

static void start_tls(struct session *ss)
{
    send_output(ss);
    ss->peer.user = NULL; /* RFC 3207 4.2 */
    stream_start_tls_server(ss->stream, ss->cx->tls);
}

static void perform(struct session *ss, const struct smtp_action *a)
{
    switch (a->type) {
    case SMTP_WAIT: break;
    case SMTP_START_TLS: start_tls(ss); break;
    case SMTP_ASK_SEED: give_seed(ss); break;
    case SMTP_ASK_SALT: give_salt(ss, a->auth); break;
    case SMTP_ASK_AUTH: ask_auth(ss, a->auth); break;
    case SMTP_ASK_MAIL: ask_mail(ss, a->transaction); break;
    case SMTP_ASK_RCPT: ask_rcpt(ss, a->transaction, a->rcpt); break;
    case SMTP_BEGIN_BODY: begin_body(ss, a->transaction); break;
    case SMTP_BODY: session_body_add(&ss->body, a->bytes, ingest_spool_after(ingest_of(ss))); break;
    case SMTP_DROP_BODY: session_body_drop(&ss->body); break;
    case SMTP_ASK_COMMIT: ask_commit(ss, a->transaction); break;
    case SMTP_REFUSED: refused(ss, a); break;
    case SMTP_CLOSE: ss->closing = true; break;
    }
}

/* Whether the client must be kept from sending: it does not read our replies, or we have no room for what it sends. */
static bool must_pause(const struct session *ss)
{
    if (!smtp_server_wants_input(ss->smtp) || stream_queued(ss->stream) > STREAM_HIGH_WATER)
        return true;
    return session_body_is_open(&ss->body) && (session_body_must_wait(&ss->body) || ingest_must_wait(ingest_of(ss)));
}

static void set_reading(struct session *ss)
{
    bool pause = must_pause(ss);

    if (pause == ss->paused)
        return;
    ss->paused = pause;
    if (pause)
        stream_pause(ss->stream);
    else
        stream_resume(ss->stream);
}

/* A deadline that moves away leaves the timer as it is: it fires, finds nothing due, and is set again. So commands that follow
 * each other cost no timer. */
static void set_timer(struct session *ss)
{
    int64_t at = smtp_server_deadline_ms(ss->smtp);

    if (ss->paused && session_body_is_open(&ss->body))
        at = at < now_of(ss) + MEMORY_POLL_MS ? at : now_of(ss) + MEMORY_POLL_MS;
    if (at >= ss->armed_ms)
        return;
    ss->armed_ms = at;
    if (timer_set(ss->cx->timers, &ss->timer, at) < 0)
        ss->closing = true;
}

static void session_run(struct session *ss)
{
    struct smtp_action a;

    if (ss->closing || !ss->stream)
        return;
    ss->running = true;
    do {
        while (smtp_server_next(ss->smtp, &a) != SMTP_WAIT)
            perform(ss, &a);
        send_output(ss); /* one write for all */
    } while (smtp_server_has_more(ss->smtp) && stream_queued(ss->stream) <= STREAM_HIGH_WATER);
    ss->running = false;
    stream_flush(ss->stream);
    set_reading(ss);
    set_timer(ss);
    if (ss->closing)
        stream_close(ss->stream, CLOSE_GRACE_MS);
}

static void resume_if_possible(struct session *ss)
{
    if (ss->stream && !ss->closing && !ss->running)
        set_reading(ss);
}

/* ---------------------------------------------------------------- the stream */
static void on_read(void *arg, struct slice in)
{
    struct session *ss = arg;
    bool is_secret;

    if (!ss->smtp || ss->closing)
        return;
    is_secret = smtp_server_hears_secrets(ss->smtp);
    smtp_server_input(ss->smtp, now_of(ss), in);
    session_run(ss);
    if (is_secret)
        explicit_bzero((char *)(uintptr_t)in.p, in.n);
}

static void on_drain(void *arg)
{
    struct session *ss = arg;

    if (ss->smtp)
        session_run(ss);
}

static void timer_fired(void *arg)
{
    struct session *ss = arg;

    ss->armed_ms = NEVER_MS;
    if (!ss->smtp || ss->closing || !ss->stream)
        return;
    smtp_server_tick(ss->smtp, now_of(ss));
    session_run(ss);
}

static int start_smtp(struct session *ss, enum smtp_say refusal, enum smtp_channel channel)
{
    struct smtp_server_options o = session_peer_options(&ss->peer);

    ss->smtp = smtp_server_new(&o, refusal, channel, now_of(ss));
    if (!ss->smtp)
        return FL_ENOMEM;
    session_run(ss);
    return 0;
}

static void on_end(void *arg, enum stream_end why, const char *text);

static void on_tls(void *arg, const struct stream_tls_info *info)
{
    struct session *ss = arg;

    session_peer_take_tls(&ss->peer, info);
    set_options(ss);
    if (ss->smtp) {
        smtp_server_tls_done(ss->smtp, now_of(ss), ss->peer.by_certificate);
        session_run(ss);
    } else if (start_smtp(ss, SAYS, ss->peer.by_certificate ? SMTP_TLS_KNOWS_USER : SMTP_TLS) < 0) {
        stream_close(ss->stream, 0);
    }
}

static const struct stream_events stream_events = {
    .on_read = on_read,
    .on_tls = on_tls,
    .on_drain = on_drain,
    .on_end = on_end,
};

/* ---------------------------------------------------------------- life */
static void session_free(struct session *ss)
{
    session_body_drop(&ss->body);
    smtp_server_free(ss->smtp);
    session_peer_release(&ss->peer);
    free(ss);
}

/* The connection is gone. What is committed goes its way; what was not whole is void. */
static void session_end(struct session *ss)
{
    ss->stream = NULL;
    LIST_REMOVE(ss, entry);
    ss->cx->count--;
    timer_stop(ss->cx->timers, &ss->timer);
    if (ss->job)
        auth_cancel(ss->job);
    if (ss->committing)
        ingest_forget(ingest_of(ss), ss);
    ss->cx->closed(ss->cx->arg, ss->token);
    if (!session_body_is_finishing(&ss->body))
        session_free(ss);
}

static void on_end(void *arg, enum stream_end why, const char *text) { session_end(arg); }

void session_context_init(struct session_context *cx)
{
    LIST_INIT(&cx->sessions);
    cx->count = 0;
}

static enum smtp_say refusal_of(const struct session *ss, enum smtp_say refusal)
{
    if (refusal != SAYS)
        return refusal;
    if (relay_is_draining(ss->cx->relay))
        return SAY_DRAINING;
    if (auth_guard_is_shut(ss->cx->auth_guard, &ss->peer.client, ss->peer.source->max_auth_failures_per_ip, now_of(ss)))
        return SAY_SHUT_OUT;
    return SAYS;
}

/* Begins to speak, or to shake hands first. A client of implicit TLS that is refused hears nothing: a handshake would cost more
 * than it is worth, and a reply in clear is none. */
static int greet(struct session *ss, enum smtp_say refusal)
{
    refusal = refusal_of(ss, refusal);
    if (ss->peer.tls != LISTENER_TLS_IMPLICIT)
        return start_smtp(ss, refusal, SMTP_CLEAR);
    if (refusal != SAYS || !ss->cx->tls)
        return FL_EDENIED;
    stream_start_tls_server(ss->stream, ss->cx->tls);
    return 0;
}

void session_start(struct session_context *cx, struct stream *stream, const struct conf_listener *listener,
                   enum smtp_say refusal, void *token)
{
    struct session *ss = calloc(1, sizeof *ss);

    if (!ss) {
        stream_abort(stream);
        cx->closed(cx->arg, token);
        return;
    }
    ss->cx = cx;
    ss->stream = stream;
    ss->token = token;
    ss->peer = (struct session_peer){ .client = stream_peer(stream).addr, .role = listener->role, .tls = listener->tls,
                                      .has_certificate = cx->tls != NULL };
    ss->armed_ms = NEVER_MS;
    timer_init(&ss->timer, timer_fired, ss);
    LIST_INSERT_HEAD(&cx->sessions, ss, entry);
    cx->count++;
    keep_up(ss);
    stream_adopt(stream, &stream_events, ss);
    if (greet(ss, refusal) < 0) {
        stream_abort(stream);
        session_end(ss);
    }
}

void session_context_shutdown(struct session_context *cx)
{
    struct session *ss;

    LIST_FOREACH(ss, &cx->sessions, entry) {
        if (!ss->smtp)
            continue;
        smtp_server_quit(ss->smtp, SAY_DRAINING);
        session_run(ss);
    }
}

void session_context_abort(struct session_context *cx)
{
    while (!LIST_EMPTY(&cx->sessions)) {
        struct session *ss = LIST_FIRST(&cx->sessions);

        stream_abort(ss->stream);
        session_end(ss);
    }
}

int64_t session_count(const struct session_context *cx) { return cx->count; }
