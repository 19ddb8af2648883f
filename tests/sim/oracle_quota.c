/* oracle_quota.c: what a tenant may hand in: recipients in the queue and messages in a span of time. See oracle.h. */
#include "oracle_books.h"

/* Not answered yet, or refused, or at its end: it takes no room. */
static int live_of(const struct oracle *o, const char *tenant)
{
    int n = 0;

    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < o->messages[i]->count; k++)
            n += o->messages[i]->state == ACCEPTED && strcmp(o->messages[i]->tenant, tenant) == 0 &&
                 !has_ended(&o->messages[i]->rcpts[k]);
    return n;
}

/* All spans that end with this one: N/[K]unit, evenly spaced, with a burst of one second's worth, at least one. */
static void judge_rate(struct oracle *o, const struct message *m, struct rate r)
{
    double per_ms = (double)r.count / (double)r.per_ms, burst = per_ms * 1000 < 1 ? 1 : per_ms * 1000;
    int n = 0;

    for (int i = m->number; i >= 0 && !rate_is_unlimited(r); i--) {
        const struct message *x = o->messages[i];

        if (x->life != m->life || strcmp(x->tenant, m->tenant) != 0 || x->state != ACCEPTED)
            continue;
        n++;
        if (n > burst + per_ms * (double)(m->offered_mono_ms - x->offered_mono_ms) + 1e-6)
            world_broken(o->world, "tenant %s handed in %d messages from %.3f on, where %lld/%lld ms are allowed", m->tenant, n,
                         (double)(x->offered_mono_ms - o->world->began_ms) / 1000, (long long)r.count, (long long)r.per_ms);
    }
}

void oracle_judge_quota(struct oracle *o, const struct message *m)
{
    int live = live_of(o, m->tenant);

    if (live > m->max_queued)
        world_broken(o->world, "tenant %s has %d recipients in the queue, %lld are allowed", m->tenant, live, (long long)m->max_queued);
    judge_rate(o, m, m->max_rate);
}
