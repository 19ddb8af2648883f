/* admin_lists.c: queues, jobs, tenants and VMTAs as JSON: {"items": […], "next": KEY or null}. Loop thread. */
#include "admin_call.h"
#include "admin_json.h"
#include "admin_order.h"
#include "admin_page.h"
#include "admin_rows.h"
#include "domain.h"

struct listing {
    struct admin_page page;
    int64_t now_ms;
    struct arena *arena;
    struct slice last; /* the key of the last row */
};

/* Begins a listing from ?after=&limit=; answers 400 and returns false when these are wrong. */
static bool begin(struct admin_call *c, struct listing *l)
{
    *l = (struct listing){ .now_ms = c->ports->now->wall_ms, .arena = c->arena };
    if (admin_page_begin(&l->page, &c->query))
        return true;
    call_answer_problem(c, 400, SLICE("limit is a number from 1 to 1000"));
    return false;
}

static bool add(struct listing *l, json_t *row, struct slice key)
{
    l->last = key;
    return admin_page_add(&l->page, row);
}

static void end(struct admin_call *c, struct listing *l, bool more)
{
    call_answer_json(c, 200, admin_page_end(&l->page, more ? l->last : SLICE_NONE));
}

/* ---------------------------------------------------------------- queues */
static bool add_queue(void *arg, const struct view_queue *q)
{
    struct listing *l = arg;

    return add(l, admin_queue_row(q, l->now_ms), arena_copy(l->arena, q->name));
}

void call_queues(struct admin_call *c)
{
    struct view_filter filter = { .tenant = admin_query_get(&c->query, "tenant"),
                                  .vmta = admin_query_get(&c->query, "vmta"),
                                  .state = VIEW_ANY };
    struct slice domain = admin_query_get(&c->query, "domain"), state = admin_query_get(&c->query, "state");
    char pattern[DOMAIN_MAX + 2];
    struct listing l;

    if (domain.n && !domain_pattern_canonical(domain, pattern)) {
        call_answer_problem(c, 400, SLICE("domain: no domain name"));
        return;
    }
    if (domain.n)
        filter.domain = slice_of(pattern);
    if (state.p && !admin_state_parse(state, &filter.state)) {
        call_answer_problem(c, 400, SLICE("state: one of ready, waiting, held, suspended"));
        return;
    }
    if (begin(c, &l))
        end(c, &l, relay_view_queues(c->ports->relay, &filter, l.page.after, l.page.limit, add_queue, &l));
}

struct one {
    struct admin_call *call;
    json_t *json;
};

static void take_queue(void *arg, const struct view_queue *q, const struct view_details *d)
{
    struct one *o = arg;

    o->json = admin_queue_details(q, d, o->call->ports->now->wall_ms);
}

void call_queue(struct admin_call *c)
{
    const char *name = call_queue_name(c);
    struct one o = { .call = c };

    if (!name)
        call_answer_problem(c, 500, SLICE("out of memory"));
    else if (relay_view_queue(c->ports->relay, slice_of(name), take_queue, &o))
        call_answer_json(c, 200, o.json);
    else
        call_answer_problem(c, 404, slice_of(arena_printf(c->arena, "there is no queue '%s', or it is empty", name)));
}

/* ---------------------------------------------------------------- jobs */
static bool add_job(void *arg, const struct view_job *j)
{
    struct listing *l = arg;

    return add(l, admin_job_row(j), slice_of(arena_printf(l->arena, "%.*s/%.*s", SLICE_ARG(j->tenant), SLICE_ARG(j->job))));
}

void call_jobs(struct admin_call *c)
{
    struct listing l;

    if (begin(c, &l))
        end(c, &l,
            relay_view_jobs(c->ports->relay, admin_query_get(&c->query, "tenant"), l.page.after, l.page.limit, add_job, &l));
}

static void take_job(void *arg, const struct view_job *j)
{
    struct one *o = arg;

    o->json = admin_job_row(j);
}

void call_job(struct admin_call *c)
{
    const struct slice *s = c->path.segment;
    struct one o = { .call = c };

    if (relay_view_job(c->ports->relay, s[2], s[3], take_job, &o))
        call_answer_json(c, 200, o.json);
    else
        call_answer_problem(c, 404,
                            slice_of(arena_printf(c->arena, "there is no job '%.*s/%.*s'", SLICE_ARG(s[2]), SLICE_ARG(s[3]))));
}

/* ---------------------------------------------------------------- tenants and VMTAs */
static bool add_tenant(void *arg, const struct view_stream *s)
{
    struct listing *l = arg;

    return add(l, admin_tenant_row(s, l->now_ms), arena_copy(l->arena, s->name));
}

void call_tenants(struct admin_call *c)
{
    struct listing l;

    if (begin(c, &l))
        end(c, &l, relay_view_tenants(c->ports->relay, l.page.after, l.page.limit, add_tenant, &l));
}

static bool add_vmta(void *arg, const struct view_stream *s)
{
    struct listing *l = arg;

    return add(l, admin_vmta_row(s, l->now_ms), arena_copy(l->arena, s->name));
}

void call_vmtas(struct admin_call *c)
{
    struct listing l;

    if (begin(c, &l))
        end(c, &l, relay_view_vmtas(c->ports->relay, l.page.after, l.page.limit, add_vmta, &l));
}
