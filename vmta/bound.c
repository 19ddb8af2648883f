/* bound.c: see bound.h. */
#include "bound.h"

#include "share.h"

static bool rate_is_lower(struct rate a, struct rate b)
{
    if (rate_is_unlimited(a) || rate_is_unlimited(b))
        return !rate_is_unlimited(a);
    return (__int128)a.count * b.per_ms < (__int128)b.count * a.per_ms;
}

struct turn_limits bound_limits_of(const struct queue *q)
{
    const struct policy *p = &q->policy;

    return (struct turn_limits){
        .connections = policy_number(p, SET_MAX_CONNECTIONS),
        .tenant_connections = p->tenant_max_connections ? p->tenant_max_connections->number : INT64_MAX,
        .rate = p->value[SET_MAX_MESSAGE_RATE]->rate,
        .tenant_rate = p->tenant_max_message_rate ? p->tenant_max_message_rate->rate : (struct rate){ 0, 0 },
    };
}

/* The smallest of two of everything. */
static void lower(struct turn_limits *l, const struct turn_limits *by, bool has_mail)
{
    if (has_mail && by->connections < l->connections)
        l->connections = by->connections;
    if (has_mail && by->tenant_connections < l->tenant_connections)
        l->tenant_connections = by->tenant_connections;
    if (rate_is_lower(by->rate, l->rate))
        l->rate = by->rate;
    if (rate_is_lower(by->tenant_rate, l->tenant_rate))
        l->tenant_rate = by->tenant_rate;
}

static void bound(struct path *p, struct path_tenant *pt, const struct turn_limits *l, int64_t now)
{
    p->max_connections = l->connections;
    bucket_set_rate(&p->rate, l->rate, now);
    if (pt)
        bucket_set_rate(&pt->cap_rate, l->tenant_rate, now);
    if (pt)
        ceiling_set_max(&pt->cap, l->tenant_connections);
}

static void count_binding(int *binding, int64_t smallest, int64_t limit)
{
    if (limit < smallest)
        *binding = 1;
    else if (limit == smallest)
        ++*binding;
}

/* One more queue, or one that has mail now, can only make the limits smaller. */
void bound_by(struct sched *s, struct turn *t)
{
    struct path *p = t->path;
    struct path_tenant *pt = t->share->tenant;
    struct turn_limits l = { p->max_connections, pt->cap.max, p->rate.rate, pt->cap_rate.rate };

    if (p->bounds_stale)
        return;
    if (t->has_mail) {
        count_binding(&p->binding, p->max_connections, t->limits.connections);
        count_binding(&pt->binding, pt->cap.max, t->limits.tenant_connections);
    }
    lower(&l, &t->limits, t->has_mail);
    bound(p, pt, &l, s->now->mono_ms);
}

/* Who waits for a rate that is another one now asks again. */
static void forget_rate_waits(struct path *p)
{
    p->rate_until_ms = 0;
    for (struct lane *l = p->lanes; l; l = l->next)
        for (struct share *sh = l->shares; sh; sh = sh->next_of_lane)
            if (sh->blocked_until_ms) {
                sh->blocked_until_ms = 0;
                share_settle(sh);
            }
}

/* The smallest limit among the queues that are here; of a tenant's caps, the smallest among its own. Rates bind as long as a queue is
 * here, so that one whose mail comes piece by piece does not begin each time with a full bucket. */
void path_bound(struct sched *s, struct path *p)
{
    static const struct turn_limits none = { INT64_MAX, INT64_MAX, { 0, 0 }, { 0, 0 } };
    struct turn_limits all = none;
    struct turn *t;

    if (!p->bounds_stale || p->turn_count == 0)
        return;
    p->bounds_stale = false;
    p->binding = 0;
    for (struct path_tenant *pt = p->tenants; pt; pt = pt->next) {
        pt->limits = none;
        pt->binding = 0;
    }
    TAILQ_FOREACH(t, &p->turns, on_path) {
        if (t->has_mail) {
            count_binding(&p->binding, all.connections, t->limits.connections);
            count_binding(&t->share->tenant->binding, t->share->tenant->limits.tenant_connections, t->limits.tenant_connections);
        }
        lower(&t->share->tenant->limits, &t->limits, t->has_mail);
        lower(&all, &t->limits, t->has_mail);
    }
    for (struct path_tenant *pt = p->tenants; pt; pt = pt->next) {
        if (pt->turns == 0)
            continue;
        bucket_set_rate(&pt->cap_rate, pt->limits.tenant_rate, s->now->mono_ms);
        ceiling_set_max(&pt->cap, pt->limits.tenant_connections);
    }
    bound(p, NULL, &all, s->now->mono_ms);
    forget_rate_waits(p);
}

static void bounds_spoil(struct sched *s, struct path *p)
{
    p->bounds_stale = true;
    sched_mark(s, p);
}

/* Its queue has no mail any more. Computed anew only when nobody else has the same smallest limit. */
static void unbind_connections(struct sched *s, struct turn *t)
{
    struct path *p = t->path;
    struct path_tenant *pt = t->share->tenant;
    bool bound = t->limits.connections == p->max_connections && --p->binding == 0;
    bool tenant_bound = t->limits.tenant_connections == pt->cap.max && --pt->binding == 0;

    p->with_mail--;
    pt->with_mail--;
    if (p->bounds_stale)
        return;
    if (pt->with_mail == 0 && pt->cap.max != INT64_MAX)
        ceiling_set_max(&pt->cap, INT64_MAX);
    if (p->with_mail == 0)
        p->max_connections = INT64_MAX;
    if ((bound && p->with_mail > 0) || (tenant_bound && pt->with_mail > 0))
        bounds_spoil(s, p);
}

void bound_set_has_mail(struct sched *s, struct turn *t, bool has_mail)
{
    if (t->has_mail == has_mail)
        return;
    t->has_mail = has_mail;
    if (!has_mail) {
        unbind_connections(s, t);
        return;
    }
    t->path->with_mail++;
    t->share->tenant->with_mail++;
    bound_by(s, t);
}

/* What this one allowed counts no more: it leaves. */
void bound_leave(struct sched *s, struct turn *t)
{
    const struct path *p = t->path;
    const struct path_tenant *pt = t->share->tenant;
    const struct turn_limits *l = &t->limits;

    bound_set_has_mail(s, t, false);
    if ((!rate_is_unlimited(l->rate) && !rate_is_lower(p->rate.rate, l->rate)) ||
        (!rate_is_unlimited(l->tenant_rate) && !rate_is_lower(pt->cap_rate.rate, l->tenant_rate)))
        bounds_spoil(s, t->path);
}
