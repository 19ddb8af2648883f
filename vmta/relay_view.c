/* relay_view.c: rows of queues, streams, jobs and totals, for operators. See relay_view.h; messages are in relay_view_message.c. */
#include "relay_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "delivery.h"
#include "hold.h"
#include "job.h"
#include "page.h"
#include "relay_figures.h"
#include "relay_parts.h"
#include "selection.h"
#include "task.h"
#include "why.h"

enum { WHY_SIZE = 1500, LIMITS_MAX = 16, LIMIT_TEXT = UNITS_TEXT };

const char *view_state_name(enum view_state s)
{
    static const char *const names[] = { "ready", "waiting", "held", "suspended", "sending", "any" };

    return names[s];
}

/* ---------------------------------------------------------------- queues */
static void queue_row(struct relay *r, struct queue *q, struct buf *why, struct view_queue *ret)
{
    struct mta *m = &r->mta;
    struct delivery_share now = delivery_of(m->delivery, q);

    buf_clear(why);
    why_text(m, q, why);
    *ret = (struct view_queue){
        .name = slice_of(q->name), .tenant = q->key.tenant, .vmta = q->key.vmta, .domain = q->key.domain,
        .state = queue_view_state(m, q), .messages = q->messages, .recipients = q->recipients, .bytes = q->bytes,
        .oldest_ms = queue_oldest_ms(q), .next_attempt_ms = why_next_attempt(m, q),
        .connections = now.connections, .in_flight = now.rcpts,
        .delivered_per_min = meter_per_minute(&q->delivered, m->now->mono_ms), .why = buf_slice(why), .last_reply = q->last.reply,
    };
}

/* Empty ones are listed only where a hold names them. */
static bool is_listed(const struct queue *q)
{
    return q->recipients > 0 || (q->hold && q->hold->domain.n);
}

static bool matches(const struct relay *r, const struct queue *q, const struct view_filter *f)
{
    return (f->tenant.n == 0 || slice_eq(f->tenant, q->key.tenant)) && (f->vmta.n == 0 || slice_eq(f->vmta, q->key.vmta)) &&
           hold_matches_domain(f->domain, q->key.domain) && (f->state == VIEW_ANY || f->state == queue_view_state(&r->mta, q));
}

bool relay_view_queues(struct relay *r, const struct view_filter *f, struct slice after, int limit,
                       bool (*visit)(void *arg, const struct view_queue *q), void *arg)
{
    struct buf why;
    struct page page;

    if (page_init(&page, limit) < 0) {
        page_free(&page);
        return false;
    }
    for (struct queue *q = r->mta.queues.by_name; q; q = queues_next(q))
        if (is_listed(q) && page_is_behind(slice_of(q->name), after) && matches(r, q, f))
            page_add(&page, slice_of(q->name), q);
    page_sort(&page);
    buf_init(&why, WHY_SIZE);
    for (int i = 0; i < page.count; i++) {
        struct view_queue row;

        queue_row(r, (struct queue *)page.item[i], &why, &row);
        if (!visit(arg, &row))
            break;
    }
    buf_free(&why);
    page_free(&page);
    return page.more;
}

struct limit_rows {
    struct view_limit row[LIMITS_MAX];
    char text[LIMITS_MAX][2][LIMIT_TEXT];
    int count;
};

static void add_limit(struct limit_rows *l, const char *name, int64_t used, int64_t max, struct conf_place at)
{
    int i = l->count;

    if (i == LIMITS_MAX)
        return;
    l->count++;
    snprintf(l->text[i][0], LIMIT_TEXT, "%lld", (long long)used);
    if (max == INT64_MAX)
        snprintf(l->text[i][1], LIMIT_TEXT, "unlimited");
    else
        snprintf(l->text[i][1], LIMIT_TEXT, "%lld", (long long)max);
    l->row[i] = (struct view_limit){ name, slice_of(l->text[i][0]), slice_of(l->text[i][1]), at, used >= max };
}

static void add_rate(struct limit_rows *l, const char *name, const struct bucket *b, struct conf_place at, int64_t mono_ms)
{
    struct bucket copy = *b;
    int i = l->count;

    if (i == LIMITS_MAX || rate_is_unlimited(b->rate))
        return;
    l->count++;
    units_rate_text(b->rate, l->text[i][1]);
    snprintf(l->text[i][0], LIMIT_TEXT, "%s", bucket_room(&copy, 1, mono_ms) ? "below" : "at the limit");
    l->row[i] = (struct view_limit){ name, slice_of(l->text[i][0]), slice_of(l->text[i][1]), at, !bucket_room(&copy, 1, mono_ms) };
}

static void limits_of(const struct relay *r, const struct queue *q, struct limit_rows *ret)
{
    const struct mta *m = &r->mta;
    int64_t now = m->now->mono_ms;

    ret->count = 0;
    for (int i = 0; i < q->turn_count && q->tenant && q->vmta; i++) {
        const struct path *p = q->turns[i].path;
        const struct path_tenant *pt = q->turns[i].share->tenant;

        add_limit(ret, "connections to the site", p->open, p->max_connections, q->policy.value[SET_MAX_CONNECTIONS]->at);
        add_rate(ret, "message rate to the site", &p->rate, q->policy.value[SET_MAX_MESSAGE_RATE]->at, now);
        if (q->policy.tenant_max_connections)
            add_limit(ret, "connections of the tenant to the site", pt->cap.used, pt->cap.max, q->policy.tenant_max_connections->at);
        if (q->policy.tenant_max_message_rate)
            add_rate(ret, "message rate of the tenant to the site", &pt->cap_rate, q->policy.tenant_max_message_rate->at, now);
    }
    if (!q->tenant || !q->vmta)
        return;
    add_limit(ret, "connections of the tenant", q->tenant_state->party.ceiling.used, q->tenant_state->party.ceiling.max,
              q->tenant->max_connections_at);
    add_rate(ret, "message rate of the tenant", &q->tenant_state->party.bucket, q->tenant->max_message_rate_at, now);
    add_limit(ret, "connections of the VMTA", q->vmta_state->party.ceiling.used, q->vmta_state->party.ceiling.max,
              q->vmta_state->party.ceiling.max == INT64_MAX ? (struct conf_place){ 0 } : q->vmta->at);
    add_rate(ret, "message rate of the VMTA", &q->vmta_state->party.bucket, q->vmta->at, now);
    add_limit(ret, "connections of the relay", m->sched.total.used, m->sched.total.max, (struct conf_place){ 0 });
}

static bool is_named(const struct view_details *d, const struct inet_addr *a)
{
    for (int i = 0; i < d->without_tls_count; i++)
        if (inet_addr_eq(&d->without_tls[i].mx_ip, a))
            return true;
    return false;
}

static void hosts_without_tls(const struct mta *m, const struct queue *q, struct view_details *ret)
{
    for (int i = 0; i < q->turn_count; i++)
        for (const struct path_host *h = q->turns[i].path->hosts; h; h = h->next) {
            if (h->no_tls_until_ms <= m->now->mono_ms || is_named(ret, &h->addr))
                continue;
            if (ret->without_tls_count == VIEW_WITHOUT_TLS_MAX)
                return;
            ret->without_tls[ret->without_tls_count++] =
                (struct view_without_tls){ h->addr, m->now->wall_ms + h->no_tls_until_ms - m->now->mono_ms };
        }
}

bool relay_view_queue(struct relay *r, struct slice name,
                      void (*visit)(void *arg, const struct view_queue *q, const struct view_details *d), void *arg)
{
    struct queue *q = queues_find(&r->mta.queues, name);
    struct view_details details = { 0 };
    struct limit_rows limits;
    struct view_queue row;
    struct buf why;

    if (!q || !is_listed(q))
        return false;
    buf_init(&why, WHY_SIZE);
    queue_row(r, q, &why, &row);
    limits_of(r, q, &limits);
    details.limits = limits.row;
    details.limit_count = limits.count;
    details.protocol = q->protocol.reply.text;
    hosts_without_tls(&r->mta, q, &details);
    visit(arg, &row, &details);
    buf_free(&why);
    return true;
}

/* ---------------------------------------------------------------- jobs */
static bool is_party_held(const struct relay *r, struct slice name, bool is_tenant)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &r->mta.holds->rules, link) {
        struct slice own = is_tenant ? h->tenant : h->vmta, other = is_tenant ? h->vmta : h->tenant;

        if (h->job.n == 0 && h->domain.n == 0 && other.n == 0 && (own.n == 0 || slice_eq(own, name)))
            return true;
    }
    return false;
}

static void job_row(struct relay *r, struct job *j, struct view_job *ret)
{
    int64_t rate = meter_per_minute(&j->rate, r->mta.now->mono_ms);
    bool is_held = j->held || is_party_held(r, j->tenant, true) || !conf_tenant(r->mta.queues.conf, j->tenant);

    *ret = (struct view_job){
        .tenant = j->tenant, .job = j->job, .delivered = j->delivered, .bounced = j->bounced, .expired = j->expired,
        .dropped = j->dropped, .bytes = j->bytes, .first_accepted_ms = j->first_accepted_ms, .delivered_per_min = rate,
    };
    if (is_held)
        ret->held = j->queued;
    else
        ret->ready = j->ready < j->queued ? j->ready : j->queued;
    ret->waiting = j->queued - ret->held - ret->ready;
    if (rate > 0 && j->queued > 0 && !is_held)
        ret->eta_ms = r->mta.now->wall_ms + j->queued * MINUTE_MS / rate;
}

bool relay_view_jobs(struct relay *r, struct slice tenant, struct slice after, int limit,
                     bool (*visit)(void *arg, const struct view_job *j), void *arg)
{
    struct page page;

    if (page_init(&page, limit) < 0) {
        page_free(&page);
        return false;
    }
    for (struct job *j = r->mta.jobs->by_name; j; j = jobs_next(j))
        if ((tenant.n == 0 || slice_eq(tenant, j->tenant)) && page_is_behind(slice_of(j->name), after))
            page_add(&page, slice_of(j->name), j);
    page_sort(&page);
    for (int i = 0; i < page.count; i++) {
        struct view_job row;

        job_row(r, (struct job *)page.item[i], &row);
        if (!visit(arg, &row))
            break;
    }
    page_free(&page);
    return page.more;
}

bool relay_view_job(struct relay *r, struct slice tenant, struct slice job, void (*visit)(void *arg, const struct view_job *j), void *arg)
{
    struct job *j = jobs_find(r->mta.jobs, tenant, job);
    struct view_job row;

    if (!j)
        return false;
    job_row(r, j, &row);
    visit(arg, &row);
    return true;
}

/* ---------------------------------------------------------------- tenants and VMTAs */
/* What the queues of each tenant and VMTA say together, in one walk over all of them. */
static void look_at_queues(struct relay *r)
{
    for (struct queue *q = r->mta.queues.by_name; q; q = queues_next(q)) {
        struct party *parties[] = { &q->tenant_state->party, &q->vmta_state->party };
        int64_t oldest = queue_oldest_ms(q);

        for (int i = 0; i < 2; i++) {
            struct party *p = parties[i];

            if (p->view.walk != r->walk)
                p->view = (struct party_view){ .walk = r->walk };
            if (oldest && (!p->view.oldest_ms || oldest < p->view.oldest_ms))
                p->view.oldest_ms = oldest;
            if (q->last.reply.time_ms && (!p->view.newest || q->last.reply.time_ms > p->view.newest->time_ms))
                p->view.newest = &q->last.reply;
        }
    }
}

static void stream_row(struct relay *r, struct party *p, bool is_tenant, struct view_stream *ret)
{
    struct party_view seen = { 0 };
    int64_t now = r->mta.now->mono_ms;

    if (p->view.walk == r->walk)
        seen = p->view;
    *ret = (struct view_stream){
        .name = slice_of(p->name), .held = is_party_held(r, slice_of(p->name), is_tenant), .messages = p->messages,
        .recipients = p->recipients, .bytes = p->bytes, .oldest_ms = seen.oldest_ms, .connections = p->connections,
        .delivered_per_min = meter_per_minute(&p->delivered, now), .deferred_per_min = meter_per_minute(&p->deferred, now),
        .bounced_per_min = meter_per_minute(&p->bounced, now), .accepted_per_min = meter_per_minute(&p->accepted, now),
        .rejected_per_min = meter_per_minute(&p->rejected, now),
    };
    if (seen.newest)
        ret->last_reply = *seen.newest;
    if (is_tenant)
        ret->tenant = conf_tenant(r->mta.queues.conf, ret->name);
    else
        ret->vmta = conf_vmta(r->mta.queues.conf, ret->name);
    ret->held = ret->held || !(is_tenant ? (const void *)ret->tenant : ret->vmta); /* by config: it vanished */
}

static bool view_parties(struct relay *r, struct party *table, bool is_tenant, struct slice after, int limit,
                         bool (*visit)(void *arg, const struct view_stream *s), void *arg)
{
    struct page page;

    if (page_init(&page, limit) < 0) {
        page_free(&page);
        return false;
    }
    for (struct party *p = table; p; p = p->hh.next)
        if ((p->in_conf || p->recipients) && page_is_behind(slice_of(p->name), after))
            page_add(&page, slice_of(p->name), p);
    page_sort(&page);
    r->walk++;
    look_at_queues(r);
    for (int i = 0; i < page.count; i++) {
        struct view_stream row;

        stream_row(r, (struct party *)page.item[i], is_tenant, &row);
        if (!visit(arg, &row))
            break;
    }
    page_free(&page);
    return page.more;
}

bool relay_view_vmtas(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s), void *arg)
{
    return view_parties(r, r->mta.tenancy.vmtas, false, after, limit, visit, arg);
}

bool relay_view_tenants(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s), void *arg)
{
    return view_parties(r, r->mta.tenancy.tenants, true, after, limit, visit, arg);
}

/* The oldest mail of each (tenant, VMTA), in one walk over the queues. */
struct oldest {
    const struct stream_counters *of;
    int64_t ms;
    UT_hash_handle hh;
};

static void oldest_add(struct oldest **table, const struct queue *q)
{
    int64_t ms = queue_oldest_ms(q);
    struct oldest *o;

    if (!ms)
        return;
    HASH_FIND_PTR(*table, &q->counters, o);
    if (!o) {
        o = calloc(1, sizeof *o);
        if (!o)
            return;
        o->of = q->counters;
        HASH_ADD_PTR(*table, of, o);
        if (!o->hh.tbl) {
            free(o);
            return;
        }
    }
    if (!o->ms || ms < o->ms)
        o->ms = ms;
}

void relay_view_counters(struct relay *r, void (*visit)(void *arg, const struct view_counter *c), void *arg)
{
    struct oldest *table = NULL, *o, *next;

    for (const struct queue *q = r->mta.queues.by_name; q; q = queues_next(q))
        oldest_add(&table, q);
    for (const struct stream_counters *c = r->mta.tenancy.counters; c; c = c->hh.next) {
        struct view_counter row = {
            .tenant = slice_of(c->tenant->party.name), .vmta = slice_of(c->vmta->party.name), .messages = c->messages,
        };

        memcpy(row.results, c->results, sizeof row.results);
        HASH_FIND_PTR(table, &c, o);
        row.oldest_ms = o ? o->ms : 0;
        visit(arg, &row);
    }
    HASH_ITER(hh, table, o, next) {
        HASH_DEL(table, o);
        free(o);
    }
}

void relay_view_totals(struct relay *r, struct view_totals *ret)
{
    const struct mta *m = &r->mta;
    const struct figures *f = m->figures;

    *ret = (struct view_totals){
        .messages = m->queues.total.messages, .recipients = m->queues.total.recipients, .bytes = m->queues.total.bytes,
        .connections = delivery_connections(m->delivery), .in_memory_recipients = m->queues.memory_rcpts,
        .in_memory_bytes = m->budget->used, .accept_us_sum = f->accept_us_sum, .accept_count = f->accept_count,
        .delivery_ms_sum = f->delivery_ms_sum, .delivery_count = f->delivery_count,
    };
    memcpy(ret->accept_us_bucket, f->accept_us_bucket, sizeof ret->accept_us_bucket);
    memcpy(ret->delivery_ms_bucket, f->delivery_ms_bucket, sizeof ret->delivery_ms_bucket);
}

/* ---------------------------------------------------------------- actions */
void relay_act(struct relay *r, const struct action *a,
               void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text), void *arg)
{
    tasks_begin(r->tasks, a, done, arg);
}

bool relay_view_task(struct relay *r, const struct ulid *id, struct view_task *ret)
{
    return tasks_find(r->tasks, id, ret);
}

void relay_view_holds(struct relay *r, void (*visit)(void *arg, const struct view_hold *h), void *arg)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &r->mta.holds->rules, link) {
        struct view_hold row = { h->id, h->tenant, h->vmta, h->domain, h->job, h->who, h->since_ms, h->refuse };

        visit(arg, &row);
    }
}
