/* turn.c: see turn.h. */
#include "turn.h"

#include <assert.h>
#include <stdlib.h>

#include "bound.h"
#include "share.h"

enum {
    PATH_FIRST_WINDOW = 2,
    REMEMBERED_MS = 60 * 60 * 1000, /* a path or lane that failed, behind the end of its wait: longer than any look-up is kept */
    REMEMBERED_MAX = 100000,        /* paths that nothing holds; above that they are forgotten at once */
};

/* ---------------------------------------------------------------- paths, lanes, shares: found or made */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_profile(const struct profile *a, const struct profile *b)
{
    return a->tls == b->tls && a->tls_min_version == b->tls_min_version && same_text(a->tls_ca, b->tls_ca) &&
           a->tls_fallback == b->tls_fallback && a->implicit_tls == b->implicit_tls && same_text(a->ehlo, b->ehlo) &&
           same_text(a->user, b->user) && same_text(a->password, b->password) &&
           a->allow_plaintext_login == b->allow_plaintext_login && a->connect_timeout_ms == b->connect_timeout_ms &&
           a->reply_timeout_ms == b->reply_timeout_ms;
}

static void path_wake(struct limit_waiter *w)
{
    struct path *p = (struct path *)((char *)w - offsetof(struct path, waiter));

    sched_mark(p->sched, p);
}

static bool has_ended(struct setback_clock *c, int64_t now)
{
    if (c->until_ms == 0 || c->until_ms > now)
        return false;
    c->until_ms = 0;
    return true;
}

static void path_on_timer(void *arg)
{
    struct path *p = arg;
    int64_t now = p->sched->now->mono_ms;
    bool opens = has_ended(&p->clock, now);

    for (struct lane *l = p->lanes; l; l = l->next) {
        opens = has_ended(&l->clock, now) || opens;
        for (struct share *sh = l->shares; sh; sh = sh->next_of_lane)
            if (sh->blocked_until_ms && sh->blocked_until_ms <= now) {
                sh->blocked_until_ms = 0;
                share_settle(sh);
            }
    }
    if (p->rate_until_ms <= now)
        p->rate_until_ms = 0;
    if (p->one_more_ms && p->one_more_ms <= now) {
        p->one_more_ms = 0;
        p->window++;
    }
    if (opens)
        sched_update_path(p->sched, p);
    path_set_timer(p->sched, p);
    sched_mark(p->sched, p);
    path_release(p->sched, p);
}

static void sooner(int64_t *at, int64_t ms, int64_t now)
{
    if (ms > now && ms < *at)
        *at = ms;
}

static void later(int64_t *at, int64_t ms)
{
    if (ms > *at)
        *at = ms;
}

static int64_t clock_remembered_ms(const struct setback_clock *c)
{
    return c->attempts > 0 ? c->until_ms + REMEMBERED_MS : 0;
}

/* Until when it has to be kept though nothing holds it: what failed, and what was taken of rates, is not forgotten because the queue
 * is looked up anew or empty for a while. */
static int64_t path_remembered_ms(struct path *p, int64_t now)
{
    int64_t at = bucket_full_ms(&p->rate, now);

    later(&at, clock_remembered_ms(&p->clock));
    later(&at, p->one_more_ms);
    for (const struct lane *l = p->lanes; l; l = l->next)
        later(&at, clock_remembered_ms(&l->clock));
    for (struct path_tenant *pt = p->tenants; pt; pt = pt->next)
        later(&at, bucket_full_ms(&pt->cap_rate, now));
    for (const struct path_host *h = p->hosts; h; h = h->next) {
        later(&at, h->last_until_ms);
        later(&at, h->no_tls_until_ms);
    }
    return at;
}

void path_set_timer(struct sched *s, struct path *p)
{
    int64_t now = s->now->mono_ms, at = NEVER_MS;

    if (heap_has(&p->timer.node) && p->timer.node.key <= now)
        return; /* it is about to fire, and looks at everything then */
    sooner(&at, p->clock.until_ms, now);
    sooner(&at, p->rate_until_ms, now);
    sooner(&at, p->one_more_ms, now);
    for (struct lane *l = p->lanes; l; l = l->next) {
        sooner(&at, l->clock.until_ms, now);
        if (l->crowded_ms)
            sooner(&at, l->crowded_ms + CROWDED_AFTER_MS, now);
        for (struct share *sh = l->shares; sh; sh = sh->next_of_lane)
            sooner(&at, sh->blocked_until_ms, now);
    }
    if (p->turn_count == 0 && p->open == 0)
        at = path_remembered_ms(p, now);
    if (at == NEVER_MS)
        timer_stop(s->timers, &p->timer);
    else if (!heap_has(&p->timer.node) || p->timer.node.key != at)
        (void)timer_set(s->timers, &p->timer, at);
}

static struct path *path_get(struct sched *s, const struct inet_addr *source, struct site *site)
{
    struct path_key key;
    struct path *p;

    memset(&key, 0, sizeof key);
    key.source = *source;
    key.site = site;
    HASH_FIND(hh, s->by_key, &key, sizeof key, p);
    if (p)
        return p;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->key = key;
    p->sched = s;
    p->window = PATH_FIRST_WINDOW;
    p->max_connections = INT64_MAX;
    p->waiter.wake = path_wake;
    TAILQ_INIT(&p->turns);
    TAILQ_INIT(&p->woken);
    timer_init(&p->timer, path_on_timer, p);
    HASH_ADD(hh, s->by_key, key, sizeof p->key, p);
    if (!p->hh.tbl) {
        free(p);
        return NULL;
    }
    site_ref(site);
    return p;
}

static struct lane *lane_get(struct path *p, const struct queue *q)
{
    struct lane *l;

    for (l = p->lanes; l; l = l->next)
        if (same_profile(&l->profile, &q->profile))
            return l;
    l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->path = p;
    l->profile = q->profile;
    l->conf = conf_ref(q->policy_conf);
    for (int i = 0; i <= CONN_CLOSING; i++)
        TAILQ_INIT(&l->conns[i]);
    l->next = p->lanes;
    p->lanes = l;
    p->lane_count++;
    return l;
}

static struct path_tenant *path_tenant_get(struct path *p, struct tenant_state *t)
{
    struct path_tenant *pt;

    for (pt = p->tenants; pt; pt = pt->next)
        if (pt->tenant == t)
            return pt;
    pt = calloc(1, sizeof *pt);
    if (!pt)
        return NULL;
    pt->path = p;
    pt->tenant = t;
    pt->vtime = p->vtime;
    ceiling_init(&pt->cap, INT64_MAX);
    pt->next = p->tenants;
    p->tenants = pt;
    return pt;
}

static struct share *share_get(struct lane *l, struct path_tenant *pt)
{
    struct share *sh;

    for (sh = pt->shares; sh; sh = sh->next_of_tenant)
        if (sh->lane == l)
            return sh;
    sh = calloc(1, sizeof *sh);
    if (!sh)
        return NULL;
    sh->lane = l;
    sh->tenant = pt;
    sh->waiter.wake = share_wake;
    TAILQ_INIT(&sh->ring);
    sh->next_of_tenant = pt->shares;
    pt->shares = sh;
    sh->next_of_lane = l->shares;
    l->shares = sh;
    return sh;
}

/* ---------------------------------------------------------------- attach and detach */
static int turn_attach(struct sched *s, struct queue *q, struct turn *t, const struct inet_addr *source)
{
    struct path *p = path_get(s, source, q->site);
    struct path_tenant *pt = p ? path_tenant_get(p, q->tenant_state) : NULL;
    struct lane *l = pt ? lane_get(p, q) : NULL;
    struct share *sh = l ? share_get(l, pt) : NULL;

    if (!sh) {
        if (p)
            path_release(s, p);
        return FL_ENOMEM;
    }
    *t = (struct turn){ .queue = q, .path = p, .share = sh, .limits = bound_limits_of(q) };
    t->rank = source->family != q->policy.value[SET_IP_FAMILIES]->families.order[0];
    sh->turns++;
    pt->turns++;
    p->turn_count++;
    TAILQ_INSERT_TAIL(&p->turns, t, on_path);
    if (p->turn_count > 1) {
        bound_by(s, t);
        return 0;
    }
    p->bounds_stale = true; /* what bound it before is gone … */
    path_set_timer(s, p);   /* … but not for how long it waits */
    return 0;
}

static bool site_has_family(const struct site *site, uint8_t family)
{
    for (int i = 0; i < site->target_count; i++)
        if (site->targets[i].addr.family == family)
            return true;
    return false;
}

int sched_attach(struct sched *s, struct queue *q)
{
    const struct conf_vmta *v = q->vmta;
    struct turn *turns = calloc((size_t)v->source_count, sizeof *turns);

    assert(!q->turns);
    if (!turns)
        return FL_ENOMEM;
    q->turns = turns;
    q->turn_count = 0;
    for (int i = 0; i < v->source_count; i++) {
        if (!site_has_family(q->site, v->sources[i].family))
            continue;
        if (turn_attach(s, q, &turns[q->turn_count], &v->sources[i]) < 0) {
            sched_detach(s, q);
            return FL_ENOMEM;
        }
        q->turn_count++;
    }
    return 0;
}

static void share_free(struct share *sh)
{
    struct share **at;

    limit_waiter_cancel(&sh->waiter);
    heap_remove(&sh->lane->heap, &sh->node);
    for (at = &sh->lane->shares; *at != sh; at = &(*at)->next_of_lane)
        ;
    *at = sh->next_of_lane;
    for (at = &sh->tenant->shares; *at != sh; at = &(*at)->next_of_tenant)
        ;
    *at = sh->next_of_tenant;
    share_pass(sh);
    free(sh);
}

static bool lane_is_needed(const struct lane *l, int64_t now)
{
    for (int i = 0; i <= CONN_CLOSING; i++)
        if (l->count[i])
            return true;
    return l->shares || clock_remembered_ms(&l->clock) > now;
}

static void lane_free(struct lane *l)
{
    heap_free(&l->heap);
    note_free(&l->last);
    conf_unref(l->conf);
    free(l);
}

/* What no turn and no connection holds; all: also what is remembered. */
static void path_clean(struct path *p, int64_t now, bool all)
{
    struct lane **at = &p->lanes, *l;
    struct path_tenant **pat = &p->tenants, *pt;

    while ((l = *at)) {
        struct share *next;

        for (struct share *sh = l->shares; sh; sh = next) {
            next = sh->next_of_lane;
            if (sh->turns == 0 && sh->charges == 0)
                share_free(sh);
        }
        if (!all && lane_is_needed(l, now)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        p->lane_count--;
        lane_free(l);
    }
    while ((pt = *pat)) {
        if (!all && (pt->shares || bucket_full_ms(&pt->cap_rate, now) > now)) {
            pat = &pt->next;
            continue;
        }
        *pat = pt->next;
        free(pt);
    }
}

static void path_free(struct sched *s, struct path *p)
{
    struct path_host *h;

    path_clean(p, s->now->mono_ms, true);
    if (p->dirty)
        TAILQ_REMOVE(&s->dirty, p, dirty_link);
    timer_stop(s->timers, &p->timer);
    limit_waiter_cancel(&p->waiter);
    limit_waiter_pass(&p->waiter);
    while ((h = p->hosts)) {
        p->hosts = h->next;
        free(h);
    }
    note_free(&p->last);
    HASH_DELETE(hh, s->by_key, p);
    site_unref(s->sites, p->key.site);
    free(p);
}

void path_release(struct sched *s, struct path *p)
{
    path_clean(p, s->now->mono_ms, false);
    if (p->turn_count > 0 || p->open > 0)
        return;
    if (HASH_CNT(hh, s->by_key) <= REMEMBERED_MAX && path_remembered_ms(p, s->now->mono_ms) > s->now->mono_ms)
        path_set_timer(s, p);
    else
        path_free(s, p);
}

void paths_free(struct sched *s)
{
    struct path *p, *next;

    HASH_ITER(hh, s->by_key, p, next)
        path_free(s, p);
}

void sched_detach(struct sched *s, struct queue *q)
{
    for (int i = 0; i < q->turn_count; i++) {
        struct turn *t = &q->turns[i];
        struct path *p = t->path;

        turn_set(t, false);
        bound_leave(s, t);
        t->share->turns--;
        t->share->tenant->turns--;
        p->turn_count--;
        TAILQ_REMOVE(&p->turns, t, on_path);
        path_release(s, p);
    }
    free(q->turns);
    q->turns = NULL;
    q->turn_count = 0;
}

/* ---------------------------------------------------------------- may it go? */
bool turn_is_open(const struct turn *t, int64_t mono_ms)
{
    return !setback_waits(&t->path->clock, mono_ms) && !setback_waits(&t->share->lane->clock, mono_ms);
}

static int64_t turn_opens_ms(const struct turn *t)
{
    int64_t path = t->path->clock.until_ms, lane = t->share->lane->clock.until_ms;

    return path > lane ? path : lane;
}

bool queue_has_open_path(const struct queue *q, int64_t mono_ms, int64_t *ret_until)
{
    *ret_until = NEVER_MS;
    for (int i = 0; i < q->turn_count; i++) {
        if (turn_is_open(&q->turns[i], mono_ms))
            return true;
        if (turn_opens_ms(&q->turns[i]) < *ret_until)
            *ret_until = turn_opens_ms(&q->turns[i]);
    }
    return false;
}

static bool queue_may_go(const struct sched *s, const struct queue *q)
{
    return q->ready_entries > 0 && q->resolve == RESOLVE_DONE && !queue_is_held(q) && queue_is_due(q, s->now->wall_ms) &&
           !(q->probing && q->sending > 0);
}

void sched_update(struct sched *s, struct queue *q)
{
    bool may = queue_may_go(s, q);
    int best = 2;

    for (int i = 0; i < q->turn_count && may; i++)
        if (q->turns[i].rank < best && turn_is_open(&q->turns[i], s->now->mono_ms))
            best = q->turns[i].rank;
    for (int i = 0; i < q->turn_count; i++) {
        struct turn *t = &q->turns[i];

        bound_set_has_mail(s, t, q->recipients > 0);
        turn_set(t, may && t->rank == best && turn_is_open(t, s->now->mono_ms));
        if (may && t->in_ring)
            sched_mark(s, t->path);
    }
}

void sched_update_path(struct sched *s, struct path *p)
{
    struct turn *t;

    TAILQ_FOREACH(t, &p->turns, on_path) {
        sched_update(s, t->queue);
        /* it may have to be loaded now, or its memory given up */
        queue_set_wake(s->queues, t->queue, s->now->wall_ms);
    }
    path_set_timer(s, p);
}
