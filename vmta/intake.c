/* intake.c: see intake.h. */
#include "intake.h"

#include "attend.h"
#include "fault.h"
#include "hold.h"
#include "job.h"
#include "relay_figures.h"
#include "setback.h"
#include "stray.h"

enum {
    /* How many recipients of one queue may be in memory, as memory fills: a queue alone may take an eighth; when all is taken, a queue
     * that has next to nothing there still goes on. */
    QUEUE_SHARE_OF_MEMORY = 8,
    QUEUE_WHEN_HALF_FULL = 2000,
    QUEUE_WHEN_FULL = 50,
    BODIES_KEPT = 1000, /* recipients of a queue whose content stays in memory; the rest is read again when it is sent */
};

static int queue_key(void *arg, const struct conf_tenant *t, const struct conf_vmta *v, struct slice domain, struct queue_key *ret)
{
    struct mta *m = arg;
    struct queue *q = queues_get(&m->queues, slice_of(t->name), slice_of(v->name), domain, 0);

    if (!q)
        return FL_ENOMEM;
    if (!q->hold && q->recipients == 0)
        q->hold = holds_match(m->holds, q);
    *ret = q->key;
    return 0;
}

static bool queue_has_room(const struct mta *m, const struct queue *q)
{
    int64_t used = m->queues.memory_rcpts, limit = m->queues.memory_limit, own = queue_in_memory(q) + q->pending;

    if (used < limit / 2)
        return own < limit / QUEUE_SHARE_OF_MEMORY;
    return own < (used < limit ? QUEUE_WHEN_HALF_FULL : used < limit + limit / 4 ? QUEUE_WHEN_FULL : 0);
}

/* It could be delivered now but for limits: not held, no clock that waits, nothing parked that is due before it. */
static bool queue_takes_fresh(struct mta *m, struct queue *q)
{
    int64_t until;

    queue_sync(&m->queues, q);
    if (queue_is_held(q) || !queue_is_due(q, m->now->wall_ms) || !queue_has_room(m, q))
        return false;
    if (queue_parked(q) > 0 && q->next_due_ms <= m->now->wall_ms)
        return false;
    return q->turn_count == 0 || queue_has_open_path(q, m->now->mono_ms, &until);
}

static void pin(struct mta *m, const struct envelope *env, int64_t n)
{
    for (int i = 0; i < env->rcpt_count; i++)
        queues_by_id(&m->queues, env->rcpts[i].queue.id)->pending += n;
}

static bool may_be_fresh(void *arg, const struct envelope *env)
{
    struct mta *m = arg;
    bool fresh = true;
    uint64_t last = 0;

    for (int i = 0; i < env->rcpt_count && fresh; i++) {
        struct queue *q;

        if (env->rcpts[i].queue.id == last)
            continue;
        last = env->rcpts[i].queue.id;
        q = queues_by_id(&m->queues, last);
        fresh = queue_takes_fresh(m, q) && !holds_mail_is_held(m->holds, q, env->job);
    }
    pin(m, env, 1);
    if (fresh)
        m->queues.memory_rcpts += env->rcpt_count;
    return fresh;
}

/* Its recipients in one queue: counted, and in memory or noted as parked, or astray without memory. first: the index of its first recipient there. */
static void enter_queue(struct mta *m, struct envelope *env, int first, bool fresh, bool counts_in_store)
{
    struct queue *q = queues_by_id(&m->queues, env->rcpts[first].queue.id);
    int64_t n = 0;

    for (int i = first; i < env->rcpt_count; i++)
        n += env->rcpts[i].queue.id == q->key.id;
    queue_count(&m->queues, q, 1, n, env->size);
    if (!fresh) {
        queue_note_parked(q, env->rcpts[first].due_ms, env);
        q->rewind = true;
    } else if (attend_take_in(m, q, env, false) < 0) {
        stray_add(m, env, first);
    } else if (counts_in_store && queue_in_memory(q) > BODIES_KEPT) {
        body_forget(env->body);
    }
    sched_update(&m->sched, q);
    attend_soon(m, q);
}

static void count_job(struct mta *m, const struct envelope *env)
{
    struct job *j = jobs_get(m->jobs, env->tenant, env->job);

    if (!j)
        return;
    if (!j->first_accepted_ms || env->received_ms < j->first_accepted_ms)
        j->first_accepted_ms = env->received_ms;
    j->queued += env->rcpt_count;
    j->bytes += env->size;
    j->last_event_ms = m->now->wall_ms;
}

static void accepted(void *arg, struct envelope *env, bool fresh, int rc)
{
    struct mta *m = arg;

    if (fresh)
        m->queues.memory_rcpts -= env->rcpt_count;
    if (rc == 0) {
        env->fresh = fresh;
        count_job(m, env);
    }
    for (int i = 0; i < env->rcpt_count && rc == 0; i++)
        if (envelope_is_first_of_queue(env, i))
            enter_queue(m, env, i, fresh, true);
    pin(m, env, -1);
    if (rc == 0 && !fresh)
        body_forget(env->body);
    if (rc < 0)
        for (int i = 0; i < env->rcpt_count; i++)
            attend_soon(m, queues_by_id(&m->queues, env->rcpts[i].queue.id));
}

static int64_t expire_after(void *arg, const struct queue_key *key)
{
    struct mta *m = arg;
    struct queue *q = queues_by_id(&m->queues, key->id);

    queue_sync(&m->queues, q);
    return q->held_by_conf ? DAY_MS : policy_ms(&q->policy, SET_EXPIRE_AFTER);
}

static struct slice job_name(void *arg, struct slice tenant, struct slice job)
{
    struct mta *m = arg;

    return jobs_name(m->jobs, tenant, job);
}

static void took(void *arg, int64_t ms)
{
    struct mta *m = arg;

    figures_accepted(m->figures, ms * 1000);
}

static void tenant_queued(void *arg, const struct conf_tenant *t, int64_t *ret_recipients, int64_t *ret_bytes)
{
    struct mta *m = arg;
    const struct tenant_state *ts = tenancy_tenant(&m->tenancy, slice_of(t->name));

    *ret_recipients = ts ? ts->party.recipients : 0;
    *ret_bytes = ts ? ts->party.bytes : 0;
}

static bool is_refused(void *arg, const struct conf_tenant *t)
{
    const struct mta *m = arg;

    return holds_is_refused(m->holds, slice_of(t->name));
}

static bool is_draining(void *arg)
{
    const struct mta *m = arg;

    return m->draining || m->shutting_down;
}

/* An accepted message counts for its tenant and VMTA, whatever queues it is in. */
static void event(void *arg, const struct event *e)
{
    struct mta *m = arg;
    struct event copy = *e;

    if (e->kind == EVENT_ACCEPTED) {
        struct tenant_state *t = tenancy_tenant(&m->tenancy, e->tenant);
        struct vmta_state *v = tenancy_vmta(&m->tenancy, e->vmta);
        struct stream_counters *c = t && v ? tenancy_counters(&m->tenancy, t, v) : NULL;

        if (c)
            c->results[EVENT_ACCEPTED]++;
    }
    figures_event(m, &copy, NULL, 1);
}

void intake_ports(struct mta *m, struct ingest_ports *ret)
{
    *ret = (struct ingest_ports){
        .store = m->store, .timers = m->timers, .now = m->now, .log = m->log, .rand = &m->rand, .budget = m->budget, .arg = m,
        .queue_key = queue_key, .may_be_fresh = may_be_fresh, .accepted = accepted, .expire_after = expire_after,
        .job_name = job_name, .took = took, .tenant_queued = tenant_queued,
        .is_refused = is_refused, .is_draining = is_draining, .event = event,
    };
}

/* ---------------------------------------------------------------- at start */
static int recover_queue(struct mta *m, const struct stored_queue *s)
{
    struct queue *q = queues_get(&m->queues, s->key.tenant, s->key.vmta, s->key.domain, s->key.id);

    if (!q)
        return FL_ENOMEM;
    queue_count(&m->queues, q, s->messages, s->recipients, s->bytes);
    q->next_due_ms = s->next_due_ms;
    q->oldest_parked_ms = s->oldest_ms;
    /* its first expiry is looked up when it can have come */
    q->next_expiry_ms = s->recipients ? m->now->wall_ms : NEVER_MS;
    q->attempts = s->attempts;
    q->next_attempt_ms = s->next_attempt_ms;
    if (s->attempts && !q->held_by_conf) {
        const struct retry_schedule *retry = q->policy.value[SET_RETRY]->retry;

        q->next_attempt_ms = retry_pulled_in(retry, s->next_attempt_ms, m->now->wall_ms);
        q->probing = true;
    }
    if (s->reply.time_ms)
        note_set(&q->last, &s->reply);
    q->hold = holds_match(m->holds, q);
    attend_soon(m, q);
    return 0;
}

static int recover_job(struct mta *m, const struct stored_job *s)
{
    struct job *j = jobs_get(m->jobs, s->tenant, s->job);

    if (!j)
        return FL_ENOMEM;
    j->queued = s->queued;
    j->delivered = s->delivered;
    j->bounced = s->bounced;
    j->expired = s->expired;
    j->dropped = s->dropped;
    j->bytes = s->bytes;
    j->first_accepted_ms = s->first_accepted_ms;
    j->last_event_ms = s->last_event_ms;
    j->held = holds_job_is_held(m->holds, s->tenant, s->job);
    return 0;
}

static int recover_fresh(struct mta *m, struct envelope *env)
{
    for (int i = 0; i < env->rcpt_count; i++) {
        const struct queue_key *k = &env->rcpts[i].queue;
        struct queue *q = queues_by_id(&m->queues, k->id);

        if (!q)
            q = queues_get(&m->queues, k->tenant, k->vmta, k->domain, k->id);
        if (!q)
            return FL_ENOMEM;
        if (!q->hold)
            q->hold = holds_match(m->holds, q);
    }
    env->fresh = true;
    for (int i = 0; i < env->rcpt_count; i++)
        if (envelope_is_first_of_queue(env, i))
            enter_queue(m, env, i, true, false);
    return 0;
}

int intake_recovered(struct mta *m, const struct store_recovered *found, struct fl_err *err)
{
    int rc = 0;

    for (int i = 0; i < found->hold_count && rc == 0 && !FAULT(hold_forgotten); i++)
        rc = holds_add(m->holds, &found->holds[i]) ? 0 : FL_ENOMEM;
    for (int i = 0; i < found->queue_count && rc == 0; i++)
        rc = recover_queue(m, &found->queues[i]);
    for (int i = 0; i < found->job_count && rc == 0; i++)
        rc = recover_job(m, &found->jobs[i]);
    for (int i = 0; i < found->fresh_count && rc == 0; i++)
        rc = recover_fresh(m, found->fresh[i]);
    return rc < 0 ? fl_fail(err, rc, "recovery: out of memory") : 0;
}
