/* scheduler.c: see scheduler.h. Orders: which connection sends what next, and when one more is opened. */
#include "scheduler.h"

#include <assert.h>
#include <stdlib.h>

#include "bound.h"
#include "fault.h"
#include "share.h"

enum {
    VTIME_UNIT = 1 << 16,          /* of one recipient (or millisecond) of a tenant with share 1 */
    FIRST_MS_PER_RCPT = 50,
    NO_CONNECTION_WAIT_MS = 1000,
    FEW_CONNECTIONS = 2,           /* of a lane that are busy before further ones are spared */
    YIELD_AFTER_TRANSACTIONS = 5,
    YIELD_AFTER_RCPTS = 20,        /* that another profile's tenant is behind, before a busy slot changes hands */
};

void sched_init(struct sched *s, struct queues *queues, struct sites *sites, struct timers *timers, const struct now *now,
                int64_t max_connections)
{
    *s = (struct sched){ .queues = queues, .sites = sites, .timers = timers, .now = now };
    ceiling_init(&s->total, max_connections);
    TAILQ_INIT(&s->dirty);
}

void sched_free(struct sched *s)
{
    paths_free(s);
}

void sched_stop(struct sched *s, bool stopped)
{
    struct path *p, *next;

    if (s->stopped == stopped)
        return;
    s->stopped = stopped;
    if (!stopped)
        HASH_ITER(hh, s->by_key, p, next)
            sched_mark(s, p);
}

/* ---------------------------------------------------------------- what a transaction takes */
/* Connections are what binds: shares are dealt by the time that they are held. */
static bool path_is_bound(const struct path *p)
{
    int64_t open = p->open - FAULT(path_off_by_one);

    return open >= p->max_connections || open >= p->window;
}

static int64_t price(const struct path *p, int64_t rcpts)
{
    return rcpts * (p->ms_per_rcpt ? p->ms_per_rcpt : FIRST_MS_PER_RCPT);
}

static void charge(struct path_tenant *pt, int64_t cost)
{
    int64_t share = pt->tenant->share;

    pt->vtime += cost * VTIME_UNIT / share;
    path_tenant_rekey(pt);
}

static void block_until(struct share *sh, int64_t ms)
{
    sh->blocked_until_ms = ms;
    share_settle(sh);
    path_set_timer(sh->lane->path->sched, sh->lane->path);
}

/* Whether the tenant's ceilings have room; if not, the share waits for the one that has none. */
static bool ceilings_permit(struct share *sh)
{
    struct ceiling *full = NULL;

    if (!ceiling_permits(&sh->tenant->tenant->party.ceiling, &sh->waiter))
        full = &sh->tenant->tenant->party.ceiling;
    else if (!ceiling_permits(&sh->tenant->cap, &sh->waiter))
        full = &sh->tenant->cap;
    if (!full)
        return true;
    limit_waiter_pass(&sh->waiter);
    ceiling_wait(full, &sh->waiter);
    share_settle(sh);
    return false;
}

static void ceilings_take(struct share *sh, struct conn *c)
{
    c->charged = sh;
    sh->charges++;
    ceiling_take(&sh->tenant->tenant->party.ceiling, &sh->waiter);
    ceiling_take(&sh->tenant->cap, &sh->waiter);
    sh->tenant->tenant->party.connections++;
}

static void ceilings_give_back(struct conn *c)
{
    struct share *sh = c->charged;

    if (!sh)
        return;
    c->charged = NULL;
    sh->charges--;
    sh->tenant->tenant->party.connections--;
    ceiling_give_back(&sh->tenant->cap);
    ceiling_give_back(&sh->tenant->tenant->party.ceiling);
}

struct rates {
    struct bucket *of[4]; /* path, VMTA, tenant, tenant's cap here */
};

static struct rates rates_of(struct share *sh, struct queue *q)
{
    return (struct rates){ { &sh->lane->path->rate, &q->vmta_state->party.bucket, &sh->tenant->tenant->party.bucket,
                             &sh->tenant->cap_rate } };
}

/* How many recipients may be attempted now, at most want; 0: the path or the share waits for the rate that has none. */
static int64_t rates_permit(struct share *sh, struct queue *q, int64_t want)
{
    struct rates rates = rates_of(sh, q);
    struct path *p = sh->lane->path;
    int64_t now = p->sched->now->mono_ms, room = want;

    for (int i = 0; i < 4; i++)
        room = bucket_room(rates.of[i], room, now);
    if (room > 0)
        return room;
    for (int i = 0; i < 4; i++) {
        int64_t next = bucket_next_ms(rates.of[i], now);

        if (next <= now)
            continue;
        if (i >= 2) {
            block_until(sh, next);
            return 0;
        }
        if (next > p->rate_until_ms)
            p->rate_until_ms = next;
    }
    path_set_timer(p->sched, p);
    return 0;
}

static void rates_take(struct share *sh, struct queue *q, int64_t n)
{
    struct rates rates = rates_of(sh, q);

    for (int i = 0; i < 4; i++)
        bucket_take(rates.of[i], FAULT(rate_by_message) ? 1 : n, sh->lane->path->sched->now->mono_ms);
}

/* ---------------------------------------------------------------- dealing */
/* The tenant with the lowest virtual time whose limits permit at least one recipient; its limits are not taken yet. */
static struct share *deal(struct lane *l, const struct share *held, int64_t *ret_rcpts)
{
    struct heap_node *n;

    while ((n = heap_first(&l->heap)) && !l->path->rate_until_ms) {
        struct share *sh = HEAP_ENTRY(n, struct share, node);
        struct queue *q = TAILQ_FIRST(&sh->ring)->queue;
        int64_t want = policy_number(&q->policy, SET_MAX_RECIPIENTS_PER_MESSAGE);
        struct queue_entry *e = TAILQ_FIRST(&q->ready);

        if (sh != held && !ceilings_permit(sh))
            continue;
        if (e->rcpt_count < want)
            want = e->rcpt_count;
        *ret_rcpts = rates_permit(sh, q, want);
        if (*ret_rcpts > 0)
            return sh;
    }
    return NULL;
}

/* Raw content may hold bare CR and LF. Should a remote's parser lose step in it, no other mail must be in its reach: it travels on a
 * connection of its own. */
static bool goes_alone(const struct share *sh)
{
    const struct queue *q = TAILQ_FIRST(&sh->ring)->queue;

    return TAILQ_FIRST(&q->ready)->env->body_type == BODY_BINARY;
}

/* It has carried what the domain whose mail goes next allows to one connection, whatever it was opened for. */
static bool is_full_for(const struct conn *c, const struct share *sh)
{
    return c->carried >= policy_number(&TAILQ_FIRST(&sh->ring)->queue->policy, SET_MAX_MESSAGES_PER_CONNECTION);
}

/* Takes the entry that goes next from this share, its limits and its virtual time. NULL without memory for a split. */
static struct queue_entry *take_entry(struct sched *s, struct share *sh, struct conn *c, int64_t rcpts, int64_t *ret_cost)
{
    struct turn *t = TAILQ_FIRST(&sh->ring);
    struct path *p = sh->lane->path;
    struct queue *q = t->queue;
    struct queue_entry *e = TAILQ_FIRST(&q->ready);

    if (!queue_entry_split(s->queues, e, (int)rcpts))
        return NULL;
    rates_take(sh, q, e->rcpt_count);
    p->vtime = sh->tenant->vtime;
    *ret_cost = price(p, e->rcpt_count);
    charge(sh->tenant, *ret_cost);
    TAILQ_REMOVE(&sh->ring, t, ring);
    TAILQ_INSERT_TAIL(&sh->ring, t, ring);
    c->carried++;
    c->alone = e->env->body_type == BODY_BINARY;
    queue_entry_move(e, ENTRY_SENDING);
    sched_update(s, q);
    return e;
}

static void conn_move(struct conn *c, enum conn_state to)
{
    struct lane *l = c->lane;

    TAILQ_REMOVE(&l->conns[c->state], c, link);
    l->count[c->state]--;
    c->state = to;
    TAILQ_INSERT_TAIL(&l->conns[to], c, link);
    l->count[to]++;
}

static struct lane *hungriest(struct sched *s, struct path *p, struct share **ret);

/* A slot is about to become free: no other one is given up for it meanwhile. */
static bool is_making_room(const struct path *p)
{
    for (const struct lane *l = p->lanes; l; l = l->next)
        if (l->count[CONN_CLOSING] > 0)
            return true;
    return false;
}

/* All slots are taken and another profile's tenant is far behind, or has no connection at all: this one makes room for it. */
static bool must_yield(struct sched *s, struct path *p, const struct lane *l, const struct conn *c)
{
    const struct share *mine = HEAP_ENTRY(heap_first(&l->heap), struct share, node);
    struct share *other_share = NULL;
    struct lane *other;

    if (p->lane_count < 2 || !path_is_bound(p) || is_making_room(p))
        return false;
    /* a connection that was opened for its lane does some work before it makes room again */
    if (c->carried < YIELD_AFTER_TRANSACTIONS)
        return false;
    other = hungriest(s, p, &other_share);
    if (!other || other == l)
        return false;
    if (other->count[CONN_OPENING] + other->count[CONN_IDLE] + other->count[CONN_BUSY] == 0)
        return other_share->tenant->vtime <= mine->tenant->vtime;
    return other_share->tenant->vtime + price(p, YIELD_AFTER_RCPTS) * VTIME_UNIT < mine->tenant->vtime;
}

/* Mail that waits no longer than a moment is better off behind a busy connection, where its envelope rides with a dot, than on one
 * more: few busy connections cost everybody less than many. */
static bool is_crowded(struct sched *s, struct lane *l)
{
    if (l->count[CONN_BUSY] + l->count[CONN_OPENING] < FEW_CONNECTIONS)
        return true;
    if (!l->crowded_ms) {
        l->crowded_ms = s->now->mono_ms;
        path_set_timer(s, l->path);
    }
    return s->now->mono_ms - l->crowded_ms >= CROWDED_AFTER_MS;
}

static bool order_send(struct sched *s, struct path *p, struct sched_order *ret)
{
    for (struct lane *l = p->lanes; l; l = l->next) {
        struct conn *c = TAILQ_FIRST(&l->conns[CONN_IDLE]);
        struct share *sh;
        int64_t rcpts;

        if (!c || setback_waits(&l->clock, s->now->mono_ms))
            continue;
        sh = deal(l, NULL, &rcpts);
        if (!sh || !is_crowded(s, l))
            continue;
        if (c->alone || (c->carried > 0 && goes_alone(sh)) || is_full_for(c, sh) || must_yield(s, p, l, c)) {
            conn_move(c, CONN_CLOSING);
            *ret = (struct sched_order){ .type = SCHED_CLOSE, .lane = l, .conn = c };
            return true;
        }
        ceilings_take(sh, c);
        conn_move(c, CONN_BUSY);
        c->began_ms = s->now->mono_ms;
        *ret = (struct sched_order){ .type = SCHED_SEND, .lane = l, .conn = c };
        ret->entry = take_entry(s, sh, c, rcpts, &c->cost);
        if (ret->entry) {
            c->rcpts = ret->entry->rcpt_count;
            return true;
        }
        ceilings_give_back(c);
        conn_move(c, CONN_IDLE);
    }
    return false;
}

struct queue_entry *sched_ride(struct sched *s, struct conn *c)
{
    struct lane *l = c->lane;
    struct path *p = l->path;
    struct queue_entry *e;
    struct share *sh;
    int64_t rcpts;

    /* only on behalf of the tenant that holds the connection: another one's ceilings are taken when the slot is free */
    if (s->stopped || c->state != CONN_BUSY || setback_waits(&p->clock, s->now->mono_ms) ||
        setback_waits(&l->clock, s->now->mono_ms))
        return NULL;
    sh = deal(l, c->charged, &rcpts);
    if (!sh || sh != c->charged || c->alone || goes_alone(sh) || is_full_for(c, sh))
        return NULL;
    e = take_entry(s, sh, c, rcpts, &c->next_cost);
    c->next_rcpts = e ? e->rcpt_count : 0;
    if (!heap_first(&l->heap))
        l->crowded_ms = 0;
    return e;
}

/* ---------------------------------------------------------------- opening */
/* More ready mail than connections that are on their way to take it. */
static struct share *lane_demand(struct sched *s, struct lane *l)
{
    struct heap_node *n = heap_first(&l->heap);
    int64_t entries = 0;

    if (!n || setback_waits(&l->clock, s->now->mono_ms))
        return NULL;
    if (l->clock.attempts > 0 && l->count[CONN_OPENING] + l->count[CONN_IDLE] + l->count[CONN_BUSY] > 0)
        return NULL; /* a probe is under way */
    for (struct share *sh = l->shares; sh; sh = sh->next_of_lane) {
        struct turn *t;

        if (!heap_has(&sh->node))
            continue;
        TAILQ_FOREACH(t, &sh->ring, ring) {
            entries += t->queue->ready_entries;
            if (entries > l->count[CONN_OPENING] + l->count[CONN_IDLE])
                return HEAP_ENTRY(n, struct share, node);
        }
    }
    return NULL;
}

static struct lane *hungriest(struct sched *s, struct path *p, struct share **ret)
{
    struct lane *best = NULL;

    for (struct lane *l = p->lanes; l; l = l->next) {
        struct share *sh = lane_demand(s, l);

        /* an idle connection is no reason: mail that is not given to it yet still waits */
        if (!heap_first(&l->heap) || (!sh && l->count[CONN_IDLE] == 0))
            l->crowded_ms = 0;
        if (sh && (!best || sh->tenant->vtime < (*ret)->tenant->vtime)) {
            best = l;
            *ret = sh;
        }
    }
    return best;
}

/* All slots are taken: an idle connection of another profile makes room. */
static bool order_close(struct path *p, const struct lane *wanted, struct sched_order *ret)
{
    for (struct lane *l = is_making_room(p) ? NULL : p->lanes; l; l = l->next) {
        struct conn *c = l != wanted ? TAILQ_FIRST(&l->conns[CONN_IDLE]) : NULL;

        if (!c)
            continue;
        conn_move(c, CONN_CLOSING);
        *ret = (struct sched_order){ .type = SCHED_CLOSE, .lane = l, .conn = c };
        return true;
    }
    return false;
}

static bool connections_permit(struct sched *s, struct path *p, struct queue *q)
{
    struct ceiling *full = NULL;

    if (!ceiling_permits(&q->vmta_state->party.ceiling, &p->waiter))
        full = &q->vmta_state->party.ceiling;
    else if (!ceiling_permits(&s->total, &p->waiter))
        full = &s->total;
    if (!full)
        return true;
    limit_waiter_pass(&p->waiter);
    ceiling_wait(full, &p->waiter);
    return false;
}

static bool order_connect(struct sched *s, struct path *p, struct sched_order *ret)
{
    struct share *sh = NULL;
    struct lane *l = NULL;
    struct queue *q;

    if (p->rate_until_ms)
        return false;
    while ((l = hungriest(s, p, &sh)) && !ceilings_permit(sh))
        ;
    if (!l)
        return false;
    if (path_is_bound(p))
        return order_close(p, l, ret);
    if ((p->clock.attempts > 0 && p->open > 0) || !is_crowded(s, l))
        return false; /* a probe is under way, or those that work will do */
    q = TAILQ_FIRST(&sh->ring)->queue;
    if (!connections_permit(s, p, q))
        return false;
    *ret = (struct sched_order){
        .type = SCHED_CONNECT, .lane = l, .queue = q, .share = sh,
        .probe = p->clock.attempts > 0 || l->clock.attempts > 0 || q->probing,
    };
    return true;
}

static bool path_next(struct sched *s, struct path *p, struct sched_order *ret)
{
    if (setback_waits(&p->clock, s->now->mono_ms))
        return false;
    path_bound(s, p);
    return order_send(s, p, ret) || order_connect(s, p, ret);
}

enum sched_order_type sched_next(struct sched *s, struct sched_order *ret)
{
    struct path *p;

    ret->type = SCHED_NONE;
    while (!s->stopped && (p = TAILQ_FIRST(&s->dirty))) {
        if (path_next(s, p, ret))
            return ret->type;
        p->dirty = false;
        TAILQ_REMOVE(&s->dirty, p, dirty_link);
        path_pass_on(p);
    }
    return SCHED_NONE;
}

/* ---------------------------------------------------------------- what happened to connections */
void sched_opened(struct sched *s, struct lane *lane, struct conn *c, const struct sched_order *order)
{
    *c = (struct conn){ .lane = lane, .state = CONN_OPENING, .vmta = order->queue->vmta_state, .probe = order->probe };
    TAILQ_INSERT_TAIL(&lane->conns[CONN_OPENING], c, link);
    lane->count[CONN_OPENING]++;
    lane->path->open++;
    ceiling_take(&c->vmta->party.ceiling, &lane->path->waiter);
    c->vmta->party.connections++;
    ceiling_take(&s->total, &lane->path->waiter);
    ceilings_take(order->share, c); /* until it is open: whose mail it carries then is dealt */
}

void sched_no_connection(struct sched *s, struct lane *lane)
{
    lane->path->rate_until_ms = s->now->mono_ms + NO_CONNECTION_WAIT_MS;
    path_set_timer(s, lane->path);
}

/* What the transaction really took, where connections are what binds. */
static void true_up(struct sched *s, struct conn *c)
{
    struct path *p = c->lane->path;
    int64_t took = s->now->mono_ms - c->began_ms;

    if (!c->charged || c->rcpts == 0)
        return;
    if (path_is_bound(p))
        charge(c->charged->tenant, took - c->cost);
    p->ms_per_rcpt = (price(p, 1) * 7 + took / c->rcpts) / 8;
    if (p->ms_per_rcpt < 1)
        p->ms_per_rcpt = 1;
    c->cost = c->rcpts = 0;
}

/* What rode along was never begun: its charge is given back. */
static void forget_next(struct conn *c)
{
    if (c->charged && c->next_rcpts)
        charge(c->charged->tenant, -c->next_cost);
    c->next_cost = c->next_rcpts = 0;
}

void sched_idle(struct sched *s, struct conn *c)
{
    true_up(s, c);
    forget_next(c);
    ceilings_give_back(c);
    conn_move(c, CONN_IDLE);
    sched_mark(s, c->lane->path);
}

void sched_next_began(struct sched *s, struct conn *c)
{
    true_up(s, c);
    c->cost = c->next_cost;
    c->rcpts = c->next_rcpts;
    c->next_cost = c->next_rcpts = 0;
    c->began_ms = s->now->mono_ms;
}

void sched_closing(struct sched *s, struct conn *c)
{
    true_up(s, c);
    forget_next(c);
    ceilings_give_back(c);
    conn_move(c, CONN_CLOSING);
}

void sched_closed(struct sched *s, struct conn *c)
{
    struct lane *l = c->lane;
    struct path *p = l->path;

    true_up(s, c);
    forget_next(c);
    ceilings_give_back(c);
    TAILQ_REMOVE(&l->conns[c->state], c, link);
    l->count[c->state]--;
    p->open--;
    c->vmta->party.connections--;
    ceiling_give_back(&c->vmta->party.ceiling);
    ceiling_give_back(&s->total);
    sched_mark(s, p);
    path_release(s, p);
}

/* All connections that may be open work: more may be opened. */
static void window_grow(struct sched *s, struct path *p)
{
    int working = 0;

    for (const struct lane *l = p->lanes; l; l = l->next)
        working += l->count[CONN_IDLE] + l->count[CONN_BUSY];
    if (working < p->window || p->one_more_ms)
        return;
    if (p->window >= p->max_connections) {
        p->grows_slowly = false;
    } else if (p->grows_slowly) {
        p->one_more_ms = s->now->mono_ms + PATH_ONE_MORE_MS;
        path_set_timer(s, p);
    } else {
        p->window = p->window < p->max_connections / 2 ? p->window * 2 : p->max_connections;
    }
}

void sched_succeeded(struct sched *s, struct path *p)
{
    bool waited = setback_waits(&p->clock, s->now->mono_ms);

    window_grow(s, p);
    p->clock = (struct setback_clock){ 0 };
    p->refused_tenant = NULL;
    p->refused_two_tenants = false;
    p->refused_domain_count = 0;
    path_end_round(p);
    if (waited)
        sched_update_path(s, p);
    sched_mark(s, p);
}
