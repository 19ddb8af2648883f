/* settle.c: see settle.h. One struct settling lives from the decision to the COMMIT: it holds what the events will say. */
#include "settle.h"

#include <assert.h>
#include <stdlib.h>

#include "bounce.h"
#include "fault.h"
#include "hold.h"
#include "job.h"
#include "outcome.h"
#include "relay_figures.h"

enum {
    HEADER_WANTED = 64 << 10,  /* of a message that a DSN returns the header of */
    CONTENT_WANTED = 1 << 20,  /* RET=FULL: larger content is returned as its header only */
};

struct settling {
    struct mta *m;
    struct queue *queue;
    struct queue_entry *entry;     /* NULL: the recipients were parked */
    struct envelope *env;          /* a reference */
    struct envelope *dsn;          /* a reference, or NULL */
    bool dsn_fresh;
    struct arena *arena;           /* holds this struct and its texts */
    struct settle_place place;
    int64_t ended_ms;              /* wall */
    void (*done)(void *arg);
    void *arg;
    int count;
    struct settle_rcpt *rows;      /* for the store, one for each verdict */
    struct settle_verdict verdict[];
};

static struct slice keep(struct settling *s, struct slice text)
{
    return text.n ? arena_copy(s->arena, text) : SLICE_NONE;
}

static struct last_reply keep_reply(struct settling *s, struct last_reply r)
{
    r.enhanced = keep(s, r.enhanced);
    r.text = keep(s, r.text);
    r.mx = keep(s, r.mx);
    return r;
}

static struct settling *settling_new(struct mta *m, struct queue *q, struct envelope *env,
                                     const struct settle_verdict *verdicts, int count, const struct settle_place *place)
{
    struct arena *arena = arena_new(sizeof(struct settling) + (size_t)count * (sizeof *verdicts + sizeof(struct settle_rcpt) + 256));
    struct settling *s = arena ? arena_alloc(arena, sizeof *s + (size_t)count * sizeof *verdicts) : NULL;
    struct settle_rcpt *rows = s ? arena_alloc(arena, (size_t)count * sizeof *rows) : NULL;

    if (!rows) {
        arena_free(arena);
        return NULL;
    }
    *s = (struct settling){ .m = m, .queue = q, .env = envelope_ref(env), .arena = arena, .count = count, .rows = rows };
    s->ended_ms = m->now->wall_ms;
    s->place.delivery_ms = -1;
    if (place) {
        s->place = *place;
        s->place.mx = keep(s, place->mx);
        s->place.tls_version = keep(s, place->tls_version);
        s->place.tls_cipher = keep(s, place->tls_cipher);
    }
    for (int i = 0; i < count; i++) {
        s->verdict[i] = verdicts[i];
        s->verdict[i].reply = keep_reply(s, verdicts[i].reply);
    }
    return s;
}

static void settling_free(struct settling *s)
{
    envelope_unref(s->env);
    envelope_unref(s->dsn);
    arena_free(s->arena);
}

/* ---------------------------------------------------------------- after COMMIT */
static enum event_kind event_of(const struct settle_verdict *v)
{
    switch (v->kind) {
    case SETTLE_DELIVERED: return EVENT_DELIVERED;
    case SETTLE_BOUNCED: return EVENT_BOUNCED;
    case SETTLE_EXPIRED: return EVENT_EXPIRED;
    case SETTLE_DROPPED: return EVENT_DROPPED;
    default: return EVENT_DEFERRED;
    }
}

static void tell(struct settling *s, const struct settle_verdict *v)
{
    const struct envelope *env = s->env;
    const struct envelope_rcpt *r = &env->rcpts[v->rcpt];
    char mx_ip[INET_TEXT] = "", source_ip[INET_TEXT] = "";
    struct event e = {
        .kind = event_of(v), .message = &env->id, .tenant = env->tenant, .user = env->user, .client_ip = env->client_ip,
        .job = env->job, .from = env->reverse_path, .has_from = true, .to = r->address, .vmta = s->queue->key.vmta,
        .pool = env->pool, .mx = s->place.mx, .tls_version = s->place.tls_version, .tls_cipher = s->place.tls_cipher,
        .tls_verified = s->place.tls_verified, .enhanced = v->reply.enhanced, .text = v->reply.text, .code = v->reply.code,
        .attempt = r->attempts + v->counts_attempt, .queued_ms = s->ended_ms - env->received_ms, .delivery_ms = s->place.delivery_ms,
        .size = env->size, .recipients = -1,
    };

    if (v->reply.stage != STAGE_NONE)
        e.stage = slice_of(reply_stage_name(v->reply.stage));
    if (v->kind == SETTLE_BOUNCED && e.code == 0)
        e.code = outcome_own_code(e.enhanced);
    if (s->place.mx_ip.family) {
        inet_addr_text(&s->place.mx_ip, mx_ip);
        e.mx_ip = slice_of(mx_ip);
    }
    if (s->place.source_ip.family) {
        inet_addr_text(&s->place.source_ip, source_ip);
        e.source_ip = slice_of(source_ip);
    }
    figures_event(s->m, &e, s->queue, 1);
}

static void count_job(struct settling *s, const struct settle_verdict *v)
{
    struct job *j = jobs_find(s->m->jobs, s->env->tenant, s->env->job);
    int64_t *to = !j                              ? NULL
                  : v->kind == SETTLE_DELIVERED ? &j->delivered
                  : v->kind == SETTLE_BOUNCED   ? &j->bounced
                  : v->kind == SETTLE_EXPIRED   ? &j->expired
                  : v->kind == SETTLE_DROPPED   ? &j->dropped
                                                : NULL;

    if (!to)
        return;
    j->queued--;
    (*to)++;
    j->last_event_ms = s->ended_ms;
    if (v->kind == SETTLE_DELIVERED)
        meter_add(&j->rate, 1, s->m->now->mono_ms);
}

/* Whether this message has no recipient in the queue any more. */
static bool has_left(const struct settle_result *r, const struct queue *q)
{
    for (int i = 0; i < r->messages_left && i < (int)(sizeof r->left / sizeof *r->left); i++)
        if (r->left[i].queue == q->key.id)
            return true;
    return false;
}

/* Whether no verdict before this one moves a recipient of the message to the same queue. */
static bool is_first_there(const struct settling *s, int i)
{
    for (int k = 0; k < i; k++)
        if (s->verdict[k].to == s->verdict[i].to)
            return false;
    return true;
}

static void count_move(struct settling *s, const struct settle_verdict *v, bool first)
{
    queue_count(&s->m->queues, v->to, first, 1, first ? s->env->size : 0);
    queue_note_parked(v->to, v->due_ms, s->env);
    attend_soon(s->m, v->to);
    v->to->pending--;
}

/* Parked recipients may be acted on again. */
static void end_settling(struct settling *s)
{
    for (int i = 0; i < s->count; i++)
        queues_end_settling(&s->m->queues, &s->env->id, s->env->rcpts[s->verdict[i].rcpt].number);
}

static void on_settled(void *arg, const struct settle_result *result)
{
    struct settling *s = arg;
    struct mta *m = s->m;
    struct queue *q = s->queue;
    int gone = 0, moved = 0;
    bool left = has_left(result, q);

    m->figures->settles--;
    if (!s->entry)
        end_settling(s);
    for (int i = 0; i < s->count; i++) {
        const struct settle_verdict *v = &s->verdict[i];

        if (v->kind != SETTLE_PARK) {
            gone += !(v->kind == SETTLE_DROPPED && FAULT(dropped_still_counted));
        } else if (v->to) {
            count_move(s, v, is_first_there(s, i));
            moved++;
        } else {
            queue_note_parked(q, v->due_ms, s->env);
        }
        count_job(s, v);
        if (v->kind != SETTLE_PARK || v->is_deferral)
            tell(s, v);
    }
    if (s->entry)
        queue_entry_free(&m->queues, s->entry);
    if (gone + moved > 0)
        queue_count(&m->queues, q, left ? -1 : 0, -(gone + moved), left ? -s->env->size : 0);
    if (s->dsn)
        bounce_committed(m->ingest, s->dsn, s->dsn_fresh);
    sched_update(&m->sched, q);
    attend_soon(m, q);
    q->pending--;
    if (s->done)
        s->done(s->arg);
    settling_free(s);
}

/* ---------------------------------------------------------------- to the store */
static void post(struct settling *s)
{
    bool ends = s->count == s->env->rcpt_count;

    for (int i = 0; i < s->count; i++) {
        const struct settle_verdict *v = &s->verdict[i];
        const struct envelope_rcpt *r = &s->env->rcpts[v->rcpt];

        s->rows[i] = (struct settle_rcpt){
            .number = r->number, .kind = v->kind, .attempts = r->attempts + v->counts_attempt, .due_ms = v->due_ms,
            .delay_notified = r->delay_notified || v->delay_notice, .queue = v->to ? &v->to->key : NULL, .reply = v->reply,
        };
        ends = ends && v->kind != SETTLE_PARK;
    }
    if (!ends)
        s->env->fresh = false;
    store_settle(s->m->store, s->env, s->rows, s->count, s->dsn, s->dsn_fresh, on_settled, s);
}

static enum dsn_action action_of(const struct settle_verdict *v)
{
    if (v->kind == SETTLE_PARK)
        return DSN_DELAYED;
    if (v->kind == SETTLE_DELIVERED)
        return v->relayed ? DSN_RELAYED : DSN_DELIVERED;
    return DSN_FAILED;
}

static struct slice status_of(const struct settle_verdict *v)
{
    if (v->kind == SETTLE_EXPIRED)
        return SLICE("4.4.7");
    return v->reply.enhanced;
}

/* Those of the verdicts that a DSN may speak of; returns how many. */
static int reported(struct settling *s, struct bounce_rcpt *ret)
{
    int n = 0;

    for (int i = 0; i < s->count; i++) {
        const struct settle_verdict *v = &s->verdict[i];

        if (!v->dsn)
            continue;
        ret[n++] = (struct bounce_rcpt){
            .rcpt = &s->env->rcpts[v->rcpt], .action = action_of(v), .status = status_of(v), .reply = v->reply,
            .last_attempt_ms = s->ended_ms,
        };
    }
    return n;
}

static void with_dsn(struct settling *s, struct slice original)
{
    struct bounce_rcpt *rcpts = arena_alloc(s->arena, (size_t)s->count * sizeof *rcpts);
    int n = rcpts ? reported(s, rcpts) : 0;

    if (n > 0 && bounce_make(s->m->ingest, s->env, rcpts, n, original, &s->dsn, &s->dsn_fresh) < 0)
        log_message(s->m->log, LOG_LEVEL_ERROR, "dsn_failed", "queue %s: no memory for a DSN: it is left out", s->queue->name);
    post(s);
}

static void on_original(void *arg, int rc, struct slice bytes)
{
    /* a body that cannot be read does not keep the recipient from its end: the DSN goes without it */
    with_dsn(arg, rc == 0 ? bytes : SLICE_NONE);
}

static bool is_dsn_wanted(struct settling *s)
{
    bool wanted = false;

    for (int i = 0; i < s->count && !wanted; i++) {
        const struct settle_verdict *v = &s->verdict[i];
        struct bounce_rcpt b = { .rcpt = &s->env->rcpts[v->rcpt], .action = action_of(v), .reply = v->reply };

        wanted = v->dsn && bounce_is_wanted(s->queue->conf, s->env, &b);
    }
    return wanted;
}

static void begin(struct settling *s)
{
    struct body *body = s->env->body;
    uint64_t want = HEADER_WANTED;

    s->m->figures->settles++;
    s->queue->pending++;
    for (int i = 0; i < s->count; i++)
        if (s->verdict[i].to)
            s->verdict[i].to->pending++; /* what is on its way there keeps it */
    if (!is_dsn_wanted(s)) {
        post(s);
        return;
    }
    if (bounce_needs_content(s->env) && body_length(body) <= CONTENT_WANTED)
        want = body_length(body);
    if (body_in_memory(body) >= want || body_in_memory(body) == body_length(body))
        with_dsn(s, body_front(body, want));
    else
        store_read(s->m->store, body, 0, want, on_original, s);
}

void settle_entry(struct mta *m, struct queue_entry *e, const struct settle_verdict *verdicts, const struct settle_place *place)
{
    struct settling *s = settling_new(m, e->queue, e->env, verdicts, e->rcpt_count, place);

    if (!s) {
        if (e->state != ENTRY_READY)
            queue_entry_move(e, ENTRY_READY);
        return;
    }
    s->entry = e;
    queue_entry_move(e, ENTRY_SETTLING);
    sched_update(&m->sched, e->queue); /* it may have been the last that was ready */
    begin(s);
}

bool settle_is_held(const struct mta *m, const struct queue_entry *e)
{
    return e->hold || holds_mail_is_held(m->holds, e->queue, e->env->job);
}

void settle_put_back(struct mta *m, struct queue_entry *e)
{
    struct settle_verdict *v = e->drop || settle_is_held(m, e) ? calloc((size_t)e->rcpt_count, sizeof *v) : NULL;

    if (e->state != ENTRY_READY)
        queue_entry_move(e, ENTRY_READY);
    if (!v)
        return;
    for (int i = 0; i < e->rcpt_count; i++)
        v[i] = e->drop ? settle_by_command(e->rcpt[i], e->drop_dsn, m->now->wall_ms)
                       : (struct settle_verdict){ .rcpt = e->rcpt[i], .kind = SETTLE_PARK, .due_ms = HELD_DUE_MS };
    settle_entry(m, e, v, NULL);
    free(v);
}

struct settle_verdict settle_by_command(int rcpt, bool sender_hears, int64_t now_ms)
{
    struct settle_verdict v = { .rcpt = rcpt, .kind = SETTLE_DROPPED };

    if (!sender_hears)
        return v;
    v.kind = SETTLE_BOUNCED;
    v.dsn = true;
    v.reply = (struct last_reply){ .time_ms = now_ms, .enhanced = SLICE("5.0.0"), .text = SLICE("removed by the operator") };
    return v;
}

void settle_all(struct mta *m, struct queue_entry *e, enum settle_kind kind, const struct last_reply *reply, bool dsn)
{
    struct settle_verdict *v = calloc((size_t)e->rcpt_count, sizeof *v);

    if (!v)
        return;
    for (int i = 0; i < e->rcpt_count; i++)
        v[i] = (struct settle_verdict){ .rcpt = e->rcpt[i], .kind = kind, .reply = *reply, .dsn = dsn,
                                        .counts_attempt = kind == SETTLE_BOUNCED };
    settle_entry(m, e, v, NULL);
    free(v);
}

void settle_parked(struct mta *m, struct queue *q, struct envelope *env, const struct settle_verdict *verdicts, int count,
                   void (*done)(void *arg), void *arg)
{
    struct settling *s = settling_new(m, q, env, verdicts, count, NULL);

    if (!s) {
        if (done)
            done(arg);
        return;
    }
    s->done = done;
    s->arg = arg;
    /* or a load brings it into memory meanwhile, and it ends twice */
    for (int i = 0; i < count; i++)
        if (queues_begin_settling(&m->queues, &env->id, env->rcpts[verdicts[i].rcpt].number) < 0) {
            end_settling(s);
            if (done)
                done(arg);
            settling_free(s);
            return;
        }
    begin(s);
}

int settles_pending(const struct mta *m)
{
    return m->figures->settles;
}
