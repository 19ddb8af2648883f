/* setback.c: see setback.h. */
#include "setback.h"

#include "fault.h"

bool setback_host(struct mta *m, struct path *p, const struct inet_addr *addr)
{
    struct path_host *h = path_host(p, addr);

    /* without memory for its state the path is set back as a whole: late is better than a busy loop */
    if (!h)
        return true;
    h->failed_this_round = true;
    h->last_until_ms = m->now->mono_ms + SETBACK_HOST_MS;
    return path_is_exhausted(p);
}

void setback_further_connection(struct mta *m, struct path *p)
{
    p->window = p->open > 1 ? p->open - 1 : 1; /* the one that was refused still counts */
    p->one_more_ms = m->now->mono_ms + PATH_ONE_MORE_MS;
    p->grows_slowly = true;
    sched_update_path(&m->sched, p);
}

/* How long a path or lane waits: by the schedule of a queue that has mail on it, and never past the first expiry there, so that
 * what expires was tried at the end. */
static int64_t waits_until(struct mta *m, struct path *p, const struct lane *l, int attempts)
{
    int64_t first_expiry = NEVER_MS, interval = NEVER_MS;
    struct turn *t;

    TAILQ_FOREACH(t, &p->turns, on_path) {
        int64_t own;

        if ((l && t->share->lane != l) || queue_is_empty(t->queue))
            continue;
        own = retry_interval(t->queue->policy.value[SET_RETRY]->retry, attempts, &m->rand);
        if (own < interval)
            interval = own;
        if (t->queue->next_expiry_ms > m->now->wall_ms && t->queue->next_expiry_ms < first_expiry)
            first_expiry = t->queue->next_expiry_ms;
    }
    if (interval == NEVER_MS)
        interval = PATH_ONE_MORE_MS;
    if (first_expiry - m->now->wall_ms < interval)
        interval = first_expiry - m->now->wall_ms;
    return m->now->mono_ms + interval;
}

bool setback_path(struct mta *m, struct path *p, const struct last_reply *why)
{
    note_set(&p->last, why);
    path_end_round(p);
    if (setback_waits(&p->clock, m->now->mono_ms))
        return false; /* connections that were under way together are one attempt */
    p->clock.attempts++;
    p->clock.until_ms = waits_until(m, p, NULL, p->clock.attempts);
    p->window = 1;
    p->one_more_ms = 0;
    p->grows_slowly = false;
    sched_update_path(&m->sched, p);
    return true;
}

bool setback_lane(struct mta *m, struct lane *l, const struct last_reply *why)
{
    note_set(&l->last, why);
    path_end_round(l->path);
    if (setback_waits(&l->clock, m->now->mono_ms))
        return false;
    l->clock.attempts++;
    l->clock.until_ms = waits_until(m, l->path, l, l->clock.attempts);
    sched_update_path(&m->sched, l->path);
    return true;
}

bool setback_queue(struct mta *m, struct queue *q, const struct last_reply *why)
{
    int64_t wall = m->now->wall_ms, expiry = q->next_expiry_ms > wall ? q->next_expiry_ms : NEVER_MS;

    note_set(&q->last, why);
    if (q->attempts > 0 && !queue_is_due(q, wall))
        return false; /* transactions that were under way together are one attempt */
    q->attempts++;
    q->next_attempt_ms = retry_next(q->policy.value[SET_RETRY]->retry, q->attempts, wall, expiry, &m->rand);
    q->probing = true;
    store_queue_clock(m->store, &q->key, q->attempts, q->next_attempt_ms, &q->last.reply);
    sched_update(&m->sched, q);
    queue_set_wake(&m->queues, q, wall);
    return true;
}

void setback_clear_queue(struct mta *m, struct queue *q)
{
    if (q->attempts == 0 && !q->probing)
        return;
    q->attempts = 0;
    q->next_attempt_ms = 0;
    q->probing = false;
    store_queue_clock(m->store, &q->key, 0, 0, &q->last.reply);
}

void setback_clear_lane(struct mta *m, struct lane *l)
{
    bool waited = setback_waits(&l->clock, m->now->mono_ms);

    if (l->clock.attempts == 0)
        return;
    l->clock = (struct setback_clock){ 0 };
    if (waited)
        sched_update_path(&m->sched, l->path);
    sched_mark(&m->sched, l->path);
}

void setback_try_now(struct mta *m, struct path *p, struct lane *l)
{
    p->clock.until_ms = 0;
    l->clock.until_ms = 0;
    if (p->one_more_ms)
        p->window++;
    p->one_more_ms = 0;
    for (struct path_host *h = p->hosts; h; h = h->next)
        h->last_until_ms = 0;
    path_end_round(p);
    sched_update_path(&m->sched, p);
    sched_mark(&m->sched, p);
}

/* FNV-1a: told apart, not kept. Two domains that clash count as one, which only makes the path slower to be blamed. */
static uint32_t domain_hash(struct slice reverse_path)
{
    uint32_t h = 2166136261u;
    const char *at = reverse_path.n ? memrchr(reverse_path.p, '@', reverse_path.n) : NULL;
    struct slice domain = at ? slice_skip(reverse_path, (size_t)(at - reverse_path.p) + 1) : SLICE_NONE;

    for (size_t i = 0; i < domain.n; i++)
        h = (h ^ (uint8_t)ascii_lower(domain.p[i])) * 16777619u;
    return h;
}

bool setback_count_mail_refusal(struct path *p, struct tenant_state *tenant, struct slice reverse_path)
{
    uint32_t domain = domain_hash(reverse_path);
    bool known = false;

    if (p->refused_tenant && p->refused_tenant != tenant)
        p->refused_two_tenants = true;
    p->refused_tenant = tenant;
    for (int i = 0; i < p->refused_domain_count; i++)
        known = known || p->refused_domains[i] == domain;
    if (!known && p->refused_domain_count < 3)
        p->refused_domains[p->refused_domain_count++] = domain;
    return FAULT(refusal_blames_path) || p->refused_two_tenants || p->refused_domain_count >= 3;
}
