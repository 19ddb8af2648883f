/* attend.c: see attend.h. */
#include "attend.h"

#include <stdlib.h>

#include "hold.h"
#include "job.h"
#include "relay_figures.h"
#include "resolution.h"
#include "setback.h"
#include "settle.h"

enum {
    ATTENDED_A_TURN = 2000,
    IDLE_FREED_A_TURN = 100,
    VERDICT_LASTS_MS = 60 * 1000, /* of a domain that takes no mail: asked again then */
    MEMORY_RETRY_MS = 1000,
    OVERDUE_GRACE_MS = 60 * 1000,
    OWED_GRACE_MS = 60 * 60 * 1000,
    LOOK_UP_MS = 30 * 1000,
};

void attend_forget_place(struct mta *m, struct queue *q)
{
    if (q->turns)
        sched_detach(&m->sched, q);
    sites_forget(&m->sites, q);
}

/* ---------------------------------------------------------------- into memory */
int attend_take_in(struct mta *m, struct queue *q, struct envelope *env, bool at_front)
{
    int *rcpt = malloc((size_t)env->rcpt_count * sizeof *rcpt), n = 0;
    struct queue_entry *e;

    if (!rcpt)
        return FL_ENOMEM;
    for (int i = 0; i < env->rcpt_count; i++)
        if (env->rcpts[i].queue.id == q->key.id && !queues_has_rcpt(&m->queues, &env->id, env->rcpts[i].number))
            rcpt[n++] = i;
    e = n ? queue_entry_new(&m->queues, q, env, rcpt, n, at_front) : NULL;
    free(rcpt);
    if (!e)
        return n ? FL_ENOMEM : 0;
    queue_entry_set_job(e, jobs_find(m->jobs, env->tenant, env->job));
    settle_put_back(m, e); /* its job may have been held since it was accepted */
    return n;
}

static bool has_room(const struct mta *m, const struct queue *q)
{
    return m->queues.memory_rcpts < m->queues.memory_limit || queue_in_memory(q) == 0;
}

/* A held job's mail goes back to where it was, until the rule is gone. False without memory. */
static bool put_aside(struct mta *m, struct queue *q, struct envelope *env)
{
    struct settle_verdict *v = calloc((size_t)env->rcpt_count, sizeof *v);
    int n = 0;

    if (!v)
        return false;
    for (int i = 0; i < env->rcpt_count; i++)
        if (!queues_has_rcpt(&m->queues, &env->id, env->rcpts[i].number))
            v[n++] = (struct settle_verdict){ .rcpt = i, .kind = SETTLE_PARK, .due_ms = HELD_DUE_MS };
    if (n)
        settle_parked(m, q, env, v, n, NULL, NULL);
    free(v);
    return true;
}

/* What was loaded is in memory now, or put aside. False where memory was short: it is loaded again. */
static bool take_loaded(struct mta *m, struct queue *q, struct envelope *env)
{
    bool aside = holds_mail_is_held(m->holds, q, env->job) || quarantine_has(&m->quarantine, &env->id);

    return aside ? put_aside(m, q, env) : attend_take_in(m, q, env, false) >= 0;
}

/* A load under way. */
struct queue_load {
    struct mta *m;
    struct queue *queue;
    int settling; /* of what had expired, and its own hold on this */
};

static struct queue *end_load(void *arg, struct mta **ret)
{
    struct queue_load *l = arg;
    struct queue *q = l->queue;

    *ret = l->m;
    free(l);
    q->loading = false;
    q->pending--;
    return q;
}

static struct queue_load *begin_load(struct mta *m, struct queue *q)
{
    struct queue_load *l = malloc(sizeof *l);

    if (!l)
        return NULL;
    *l = (struct queue_load){ .m = m, .queue = q };
    q->loading = true;
    q->noted_due_ms = NEVER_MS;
    q->pending++;
    return l;
}

static void on_loaded(void *arg, int rc, const struct load_result *r)
{
    struct mta *m;
    struct queue *q = ((struct queue_load *)arg)->queue;
    int64_t noted = q->noted_due_ms;
    bool short_of_memory = false;

    end_load(arg, &m);
    if (rc < 0) {
        queue_set_wake(&m->queues, q, m->now->wall_ms + MEMORY_RETRY_MS);
        return;
    }
    for (int i = 0; i < r->count; i++) {
        short_of_memory |= !take_loaded(m, q, r->envelopes[i]);
        envelope_unref(r->envelopes[i]);
    }
    q->after = r->after;
    if (!q->rewind)
        q->next_due_ms = r->more ? m->now->wall_ms : r->next_due_ms;
    /* what was parked while the load was under way may not be in its answer */
    if (noted <= q->after.due_ms)
        q->rewind = true;
    if (noted < q->next_due_ms)
        q->next_due_ms = noted;
    if (short_of_memory) {
        q->rewind = true;
        q->next_due_ms = m->now->wall_ms + MEMORY_RETRY_MS;
    }
    attend_soon(m, q);
}

/* No retry is meant to lie so far off: the clock went back since it was written. It counts as due. */
static bool is_too_far_off(const struct mta *m, const struct queue *q, int64_t due_ms)
{
    return due_ms < HELD_DUE_MS && due_ms - m->now->wall_ms > retry_longest(q->policy.value[SET_RETRY]->retry);
}

static void load(struct mta *m, struct queue *q)
{
    bool too_far = is_too_far_off(m, q, q->next_due_ms);
    struct queue_load *l;

    if (q->loading || q->ready_rcpts >= LOAD_BELOW || queue_parked(q) <= 0 || (q->next_due_ms > m->now->wall_ms && !too_far))
        return;
    if (!has_room(m, q)) {
        queue_set_wake(&m->queues, q, m->now->wall_ms + MEMORY_RETRY_MS);
        return;
    }
    l = begin_load(m, q);
    if (!l)
        return;
    if (q->rewind)
        q->after = (struct load_key){ 0 };
    q->rewind = false;
    store_load(m->store, q->key.id, too_far ? HELD_DUE_MS - 1 : m->now->wall_ms, &q->after, LOAD_BATCH, on_loaded, l);
}

/* ---------------------------------------------------------------- out of memory */
static void shed_fresh(struct mta *m, struct queue_entry *e)
{
    struct settle_verdict *v = calloc((size_t)e->rcpt_count, sizeof *v);

    if (!v)
        return;
    for (int i = 0; i < e->rcpt_count; i++)
        v[i] = (struct settle_verdict){ .rcpt = e->rcpt[i], .kind = SETTLE_PARK, .due_ms = m->now->wall_ms };
    settle_entry(m, e, v, NULL);
    free(v);
}

/* What is parked in the database anyway just leaves; what is fresh is parked first. */
static void shed_some(struct mta *m, struct queue *q)
{
    struct queue_entry *e;

    for (int i = 0; i < SHED_BATCH && (e = TAILQ_FIRST(&q->ready)); i++) {
        if (e->env->fresh) {
            shed_fresh(m, e);
            continue;
        }
        queue_note_parked(q, m->now->wall_ms, e->env);
        q->rewind = true;
        queue_entry_free(&m->queues, e);
    }
}

static void shed(struct mta *m, struct queue *q, bool wanted)
{
    if (q->shedding == (wanted && q->ready_entries > 0))
        return;
    q->shedding = !q->shedding;
    if (q->shedding)
        TAILQ_INSERT_TAIL(&m->queues.shed, q, shed_link);
    else
        TAILQ_REMOVE(&m->queues.shed, q, shed_link);
}

static void shed_turn(struct mta *m)
{
    struct queue *q = TAILQ_FIRST(&m->queues.shed);

    if (!q)
        return;
    shed_some(m, q);
    TAILQ_REMOVE(&m->queues.shed, q, shed_link);
    q->shedding = q->ready_entries > 0;
    if (q->shedding)
        TAILQ_INSERT_TAIL(&m->queues.shed, q, shed_link);
    sched_update(&m->sched, q);
}

/* ---------------------------------------------------------------- too old */
static struct last_reply expired_reply(const struct mta *m, const struct queue *q, const struct envelope_rcpt *r)
{
    struct last_reply reply = r->reply.time_ms ? r->reply : q->last.reply;

    if (!reply.time_ms)
        reply = (struct last_reply){ .text = SLICE("not delivered in time") };
    reply.time_ms = m->now->wall_ms;
    return reply;
}

/* Nothing is loaded before all of it is settled (a DSN may need the content first): it would be found again. */
static void on_expiry_settled(void *arg)
{
    struct queue_load *l = arg;
    struct mta *m;
    struct queue *q;

    if (--l->settling > 0)
        return;
    q = end_load(l, &m);
    attend_soon(m, q);
}

static void expire_parked(struct queue_load *l, struct envelope *env)
{
    struct mta *m = l->m;
    struct queue *q = l->queue;
    struct settle_verdict *v = calloc((size_t)env->rcpt_count, sizeof *v);
    int n = 0;

    for (int i = 0; v && i < env->rcpt_count; i++) {
        const struct envelope_rcpt *r = &env->rcpts[i];

        if (r->due_ms != HELD_DUE_MS && !queues_has_rcpt(&m->queues, &env->id, r->number))
            v[n++] = (struct settle_verdict){ .rcpt = i, .kind = SETTLE_EXPIRED, .reply = expired_reply(m, q, r), .dsn = true };
    }
    if (n) {
        l->settling++;
        settle_parked(m, q, env, v, n, on_expiry_settled, l);
    }
    free(v);
}

static void on_expired(void *arg, int rc, const struct load_result *r)
{
    struct queue_load *l = arg;
    int64_t now = l->m->now->wall_ms;

    l->settling = 1;
    for (int i = 0; rc == 0 && i < r->count; i++) {
        expire_parked(l, r->envelopes[i]);
        envelope_unref(r->envelopes[i]);
    }
    /* nothing more is known of the first to expire: it is asked for again when something can have; what a hold keeps can not */
    l->queue->next_expiry_ms = l->settling > 1 ? now : now + MINUTE_MS;
    on_expiry_settled(l);
}

static void expire_in_memory(struct mta *m, struct queue *q)
{
    struct queue_entry *e, *next;
    int looked_at = 0;

    for (e = TAILQ_FIRST(&q->ready); e && looked_at < LOAD_BATCH; e = next, looked_at++) {
        next = TAILQ_NEXT(e, link);
        if (e->env->expires_ms <= m->now->wall_ms) {
            struct last_reply reply = expired_reply(m, q, &e->env->rcpts[e->rcpt[0]]);

            settle_all(m, e, SETTLE_EXPIRED, &reply, true);
        }
    }
}

/* All that is too old. */
static void expire_now(struct mta *m, struct queue *q)
{
    struct queue_load *l;

    if (q->loading)
        return;
    expire_in_memory(m, q);
    if (queue_parked(q) <= 0) {
        q->next_expiry_ms = m->now->wall_ms + MINUTE_MS;
        return;
    }
    l = begin_load(m, q);
    if (l)
        store_load_expired(m->store, q->key.id, m->now->wall_ms, LOAD_BATCH, on_expired, l);
}

/* Since when an attempt is owed before anything expires: a start, a step of the clock, the end of a hold. */
static int64_t owed_since_ms(const struct mta *m, const struct queue *q)
{
    return q->released_ms > m->clock.stepped_ms ? q->released_ms : m->clock.stepped_ms;
}

/* While a queue waits because an attempt failed: what is too old ends. (What can be tried is tried before it is too old: its due time
 * is never past its expiry.) */
static void expire(struct mta *m, struct queue *q)
{
    if (retry_is_expired(m->now->wall_ms, q->next_expiry_ms, owed_since_ms(m, q), q->last.reply.time_ms))
        expire_now(m, q);
}

/* It may go, but limits let it go so slowly that mail becomes too old meanwhile. What is tried at its expiry is given time for that. */
static void expire_overdue(struct mta *m, struct queue *q)
{
    int64_t wall = m->now->wall_ms;

    if (wall - q->next_expiry_ms > OVERDUE_GRACE_MS && wall - owed_since_ms(m, q) > OWED_GRACE_MS)
        expire_now(m, q);
}

static void on_looked_up(void *arg, int rc, const struct load_result *r)
{
    struct mta *m;
    struct queue *q = end_load(arg, &m);

    if (rc == 0 && r->count > 0) {
        q->oldest_parked_ms = r->envelopes[0]->received_ms;
        q->next_expiry_ms = r->envelopes[0]->expires_ms;
    }
    for (int i = 0; rc == 0 && i < r->count; i++)
        envelope_unref(r->envelopes[i]);
    attend_soon(m, q);
}

/* Which parked mail expires first, and so is the oldest: known exactly now and then, and in between as a bound. */
static void look_up_oldest(struct mta *m, struct queue *q)
{
    struct queue_load *l;

    if (q->loading || queue_parked(q) <= 0 || (q->looked_up_ms && m->now->mono_ms - q->looked_up_ms < LOOK_UP_MS))
        return;
    l = begin_load(m, q);
    if (!l)
        return;
    q->looked_up_ms = m->now->mono_ms;
    store_load_expired(m->store, q->key.id, NEVER_MS, 1, on_looked_up, l);
}

/* ---------------------------------------------------------------- delay notices */
bool attend_wants_delay_notice(const struct mta *m, const struct queue *q, const struct envelope *env, const struct envelope_rcpt *r)
{
    int64_t after = policy_ms(&q->policy, SET_DSN_DELAY_AFTER);

    return after != NEVER_MS && !r->delay_notified && !env->is_dsn && m->now->wall_ms - env->received_ms >= after;
}

/* Recipients that wait for a path or for their queue are not judged one by one: their senders are told here, some at each look. */
static void tell_delays(struct mta *m, struct queue *q)
{
    struct queue_entry *e, *next;
    int looked_at = 0;

    for (e = TAILQ_FIRST(&q->ready); e && looked_at < SHED_BATCH; e = next, looked_at++) {
        struct settle_verdict *v;

        next = TAILQ_NEXT(e, link);
        if (!attend_wants_delay_notice(m, q, e->env, &e->env->rcpts[e->rcpt[0]]))
            continue;
        v = calloc((size_t)e->rcpt_count, sizeof *v);
        for (int i = 0; v && i < e->rcpt_count; i++)
            v[i] = (struct settle_verdict){
                .rcpt = e->rcpt[i], .kind = SETTLE_PARK, .due_ms = m->now->wall_ms, .reply = q->last.reply, .dsn = true, .delay_notice = true,
            };
        if (v)
            settle_entry(m, e, v, NULL);
        free(v);
    }
}

/* ---------------------------------------------------------------- where to */
static void bounce_ready(struct mta *m, struct queue *q)
{
    struct queue_entry *e;

    for (int i = 0; i < LOAD_BATCH && (e = TAILQ_FIRST(&q->ready)); i++) {
        q->verdict.reply.time_ms = m->now->wall_ms;
        settle_all(m, e, SETTLE_BOUNCED, &q->verdict.reply, true);
        if (TAILQ_FIRST(&q->ready) == e)
            return; /* no memory: at the next turn */
    }
}

void attend_resolved(void *arg, struct queue *q, const struct outcome *o, const struct reply *reply)
{
    struct mta *m = arg;
    struct last_reply why;

    if (q->turns)
        sched_detach(&m->sched, q);
    if (q->resolve == RESOLVE_DONE) {
        attend_soon(m, q);
        return;
    }
    why = note_of_reply(reply, STAGE_DNS, SLICE_NONE, m->now->wall_ms);
    note_set(&q->last, &why);
    if (q->resolve == RESOLVE_BOUNCE) {
        note_set(&q->verdict, &why);
        q->next_attempt_ms = 0;
        q->verdict_until_ms = m->now->mono_ms + VERDICT_LASTS_MS;
        attend_soon(m, q);
        return;
    }
    if (setback_queue(m, q, &why))
        figures_path_deferred(m, q, &q->last.reply, q->attempts);
}

/* Finds out where it goes, when that is not known (any more). */
static void resolve(struct mta *m, struct queue *q)
{
    if (q->resolve == RESOLVE_BOUNCE && q->verdict_until_ms <= m->now->mono_ms)
        q->resolve = RESOLVE_NEEDED;
    if (q->resolve == RESOLVE_DONE && q->site->expires_ms <= m->now->mono_ms)
        q->resolve = RESOLVE_NEEDED;
    if (q->resolve == RESOLVE_NEEDED && q->ready_entries > 0 && sites_resolve(&m->sites, q) < 0)
        queue_set_wake(&m->queues, q, m->now->wall_ms + MEMORY_RETRY_MS);
    if (q->resolve == RESOLVE_DONE && !q->turns && sched_attach(&m->sched, q) < 0)
        queue_set_wake(&m->queues, q, m->now->wall_ms + MEMORY_RETRY_MS);
}

/* ---------------------------------------------------------------- one look */
/* How long it waits at least, in ms; 0: it does not. */
static int64_t waits_for(struct mta *m, struct queue *q)
{
    int64_t until;

    if (!queue_is_due(q, m->now->wall_ms))
        return q->next_attempt_ms - m->now->wall_ms;
    if (q->turn_count == 0 || queue_has_open_path(q, m->now->mono_ms, &until))
        return 0;
    return until == NEVER_MS ? 0 : until - m->now->mono_ms;
}

static void idle(struct mta *m, struct queue *q)
{
    if (queue_is_empty(q) == (q->idle_ms != 0))
        return;
    if (q->idle_ms) {
        TAILQ_REMOVE(&m->queues.idle, q, idle_link);
        q->idle_ms = 0;
    } else {
        TAILQ_INSERT_TAIL(&m->queues.idle, q, idle_link);
        q->idle_ms = m->now->mono_ms ? m->now->mono_ms : 1;
    }
}

static void wake_again(struct mta *m, struct queue *q, int64_t waits)
{
    int64_t at = NEVER_MS;

    if (heap_has(&q->wake))
        return; /* somebody asked for it already */
    if (waits > 0)
        at = m->now->wall_ms + waits;
    else if (queue_parked(q) > 0 && q->next_due_ms > m->now->wall_ms)
        at = q->next_due_ms;
    if (waits > 0 && q->next_expiry_ms > m->now->wall_ms && q->next_expiry_ms < at)
        at = q->next_expiry_ms;
    queue_set_wake(&m->queues, q, at);
}

static void attend(struct mta *m, struct queue *q)
{
    int64_t waits;

    queue_sync(&m->queues, q);
    if (q->place_is_old) {
        q->place_is_old = false;
        attend_forget_place(m, q);
        q->hold = holds_match(m->holds, q);
        if (q->next_attempt_ms && !q->held_by_conf)
            q->next_attempt_ms = retry_pulled_in(q->policy.value[SET_RETRY]->retry, q->next_attempt_ms, m->now->wall_ms);
    }
    idle(m, q);
    if (q->idle_ms)
        return;
    if (queue_is_held(q)) {
        sched_update(&m->sched, q);
        shed(m, q, true);
        return;
    }
    waits = waits_for(m, q);
    shed(m, q, waits > SHED_AFTER_MS);
    if (waits > 0) {
        expire(m, q);
        tell_delays(m, q);
    } else {
        load(m, q);
        look_up_oldest(m, q);
        expire_overdue(m, q);
        resolve(m, q);
        if (q->resolve == RESOLVE_BOUNCE)
            bounce_ready(m, q);
        waits = waits_for(m, q); /* it may have found its place on paths that wait */
    }
    sched_update(&m->sched, q);
    wake_again(m, q, waits);
}

/* Empty queues that nobody used for a while. */
static void idle_turn(struct mta *m)
{
    struct queue *q;

    for (int i = 0; i < IDLE_FREED_A_TURN && (q = TAILQ_FIRST(&m->queues.idle)); i++) {
        if (m->now->mono_ms - q->idle_ms < QUEUE_IDLE_MS)
            return;
        if (!queue_is_empty(q)) {
            idle(m, q); /* mail is coming for it */
            continue;
        }
        attend_forget_place(m, q);
        store_queue_forget(m->store, q->key.id);
        queues_remove(&m->queues, q);
    }
}

void attend_turn(struct mta *m)
{
    struct queue *q;

    for (int i = 0; i < ATTENDED_A_TURN && (q = queues_woken(&m->queues, m->now->wall_ms)); i++)
        attend(m, q);
    shed_turn(m);
    idle_turn(m);
}
