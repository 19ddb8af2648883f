/* admin_api.c: one table of routes, and the way of a request to its row. Loop thread. */
#include "admin_api.h"

#include <stdlib.h>

#include "admin_access.h"
#include "admin_call.h"
#include "admin_problem.h"

struct admin_api {
    struct admin_ports ports;
};

enum method { METHOD_GET, METHOD_POST };

static const struct route {
    const char *pattern; /* "*" is any one segment */
    enum method method;
    void (*run)(struct admin_call *c);
    const char *keys[7]; /* of the query */
} routes[] = {
    { "/v1/queues", METHOD_GET, call_queues, { "after", "limit", "tenant", "vmta", "domain", "state" } },
    { "/v1/queues/*/*/*", METHOD_GET, call_queue },
    { "/v1/queues/*/*/*/messages", METHOD_GET, call_queue_messages, { "after", "limit" } },
    { "/v1/jobs", METHOD_GET, call_jobs, { "after", "limit", "tenant" } },
    { "/v1/jobs/*/*", METHOD_GET, call_job },
    { "/v1/tenants", METHOD_GET, call_tenants, { "after", "limit" } },
    { "/v1/vmtas", METHOD_GET, call_vmtas, { "after", "limit" } },
    { "/v1/messages/*", METHOD_GET, call_message },
    { "/v1/messages/*/raw", METHOD_GET, call_message_raw },
    { "/v1/tasks/*", METHOD_GET, call_task },
    { "/v1/status", METHOD_GET, call_status },
    { "/v1/actions", METHOD_POST, call_actions },
    { "/v1/explain", METHOD_POST, call_explain },
    { "/v1/reload", METHOD_POST, call_reload },
    { "/v1/drain", METHOD_POST, call_drain },
    { "/metrics", METHOD_GET, call_metrics },
    { "/healthz", METHOD_GET, call_healthz },
    { "/readyz", METHOD_GET, call_readyz },
};

static bool matches(struct slice pattern, const struct admin_path *path)
{
    for (int i = 0; i < path->count; i++) {
        const char *slash;
        struct slice part;

        if (!pattern.n)
            return false;
        pattern = slice_skip(pattern, 1);
        slash = memchr(pattern.p, '/', pattern.n);
        part = slice_head(pattern, slash ? (size_t)(slash - pattern.p) : pattern.n);
        if (!slice_eq(part, SLICE("*")) && !slice_eq(part, path->segment[i]))
            return false;
        pattern = slice_skip(pattern, part.n);
    }
    return !pattern.n;
}

static const struct route *find_route(const struct admin_path *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (matches(slice_of(routes[i].pattern), path))
            return &routes[i];
    return NULL;
}

static bool method_fits(struct slice method, enum method wanted)
{
    return wanted == METHOD_POST ? slice_eq(method, SLICE("POST"))
                                 : slice_eq(method, SLICE("GET")) || slice_eq(method, SLICE("HEAD"));
}

static bool is_json(struct slice content_type)
{
    const char *semicolon = content_type.n ? memchr(content_type.p, ';', content_type.n) : NULL;
    struct slice type = slice_head(content_type, semicolon ? (size_t)(semicolon - content_type.p) : content_type.n);

    while (type.n && (type.p[type.n - 1] == ' ' || type.p[type.n - 1] == '\t'))
        type.n--;
    return slice_eq_nocase(type, SLICE("application/json"));
}

static void refuse(struct admin_request *q, int status, const char *header, const char *value, const char *detail)
{
    struct buf body;

    buf_init(&body, 0);
    if (admin_problem_write(status, slice_of(detail), &body) < 0)
        buf_clear(&body);
    admin_respond(q, &(struct admin_answer){ status, ADMIN_PROBLEM_TYPE, header, value }, &body);
    buf_free(&body);
}

/* ---------------------------------------------------------------- before the body */
static bool is_let_in(const struct admin_api *api, const struct admin_request *q)
{
    const struct conf *conf = relay_conf(api->ports.relay);

    return q->is_local || admin_access_is_open(conf, q->path) || admin_access_token(conf, q->authorization);
}

static void check_route(struct admin_request *q, struct arena *arena)
{
    struct admin_path path;
    const struct route *route;

    if (!admin_path_parse(q->path, arena, &path)) {
        refuse(q, 404, NULL, NULL, "there is no such path");
        return;
    }
    route = find_route(&path);
    if (!route)
        refuse(q, 404, NULL, NULL, "there is no such path");
    else if (!method_fits(q->method, route->method))
        refuse(q, 405, "Allow", route->method == METHOD_POST ? "POST" : "GET, HEAD", "this path does not take that method");
    else if (q->has_body && q->content_type.p && !is_json(q->content_type))
        refuse(q, 415, "Accept", "application/json", "the body must be application/json");
}

void admin_api_begin(void *arg, struct admin_request *q)
{
    struct admin_api *api = arg;
    struct arena *arena;

    if (!is_let_in(api, q)) {
        refuse(q, 401, "WWW-Authenticate", "Bearer realm=\"fairlead\"", "a valid token is needed");
        return;
    }
    arena = arena_new(1024);
    if (!arena)
        refuse(q, 500, NULL, NULL, "out of memory");
    else
        check_route(q, arena);
    arena_free(arena);
}

/* ---------------------------------------------------------------- all of it is there */
static struct admin_call *make_call(struct admin_api *api, struct admin_request *q)
{
    struct admin_call *c = calloc(1, sizeof *c);

    if (c)
        c->arena = arena_new(1024);
    if (!c || !c->arena) {
        free(c);
        return NULL;
    }
    c->ports = &api->ports;
    c->q = q;
    return c;
}

static bool keys_are_known(const struct admin_query *query, const struct route *route)
{
    for (int i = 0; i < query->count; i++) {
        const char *const *k = route->keys;

        while (*k && !slice_eq(query->pair[i].key, slice_of(*k)))
            k++;
        if (!*k)
            return false;
    }
    return true;
}

void admin_api_handle(void *arg, struct admin_request *q)
{
    struct admin_api *api = arg;
    struct admin_call *c = make_call(api, q);
    const struct conf_token *token = admin_access_token(relay_conf(api->ports.relay), q->authorization);
    const struct route *route;

    if (!c) {
        refuse(q, 500, NULL, NULL, "out of memory");
        return;
    }
    if (token && !q->is_local)
        c->who = arena_copy(c->arena, slice_of(token->name));
    route = admin_path_parse(q->path, c->arena, &c->path) ? find_route(&c->path) : NULL;
    if (!route)
        call_answer_problem(c, 404, SLICE("there is no such path"));
    else if (!admin_query_parse(q->query, c->arena, &c->query))
        call_answer_problem(c, 400, SLICE("the query is malformed, or has a key twice"));
    else if (!keys_are_known(&c->query, route))
        call_answer_problem(c, 400, SLICE("the query has an unknown key"));
    else
        route->run(c);
}

struct admin_api *admin_api_new(const struct admin_ports *ports)
{
    struct admin_api *api = calloc(1, sizeof *api);

    if (api)
        api->ports = *ports;
    return api;
}

void admin_api_free(struct admin_api *api)
{
    free(api);
}
