/* Fuzzes what operators' programs send: request targets (daemon/admin_query.c), access, and the JSON of actions and explain
 * (admin_order.c, admin_body.c). What is accepted holds no control character, and selects something. */
#include <assert.h>

#include "admin_explain.h"
#include "admin_body.h"
#include "admin_order.h"
#include "admin_problem.h"
#include "admin_query.h"
#include "printable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* relay_view.h's, for admin_order.c: the relay itself is not linked here. */
const char *view_state_name(enum view_state s)
{
    static const char *const names[] = { "ready", "waiting", "held", "suspended", "sending" };

    return s < VIEW_ANY ? names[s] : NULL;
}

static bool is_clean(struct slice s)
{
    return printable_run(s) == s.n;
}

static void try_target(struct slice target)
{
    const char *question = target.n ? memchr(target.p, '?', target.n) : NULL;
    struct slice path = slice_head(target, question ? (size_t)(question - target.p) : target.n);
    struct arena *arena = arena_new(256);
    struct admin_query query;
    struct admin_path segments;

    assert(arena);
    if (admin_path_parse(path, arena, &segments))
        for (int i = 0; i < segments.count; i++)
            assert(segments.segment[i].n && is_clean(segments.segment[i]));
    if (admin_query_parse(slice_skip(target, path.n + 1), arena, &query))
        for (int i = 0; i < query.count; i++)
            assert(query.pair[i].key.n && is_clean(query.pair[i].key) && is_clean(query.pair[i].value));
    arena_free(arena);
}

static void try_order(struct slice body)
{
    struct admin_order o;
    struct fl_err err;

    if (admin_order_parse(body, &o, &err) == 0) {
        const struct action *a = &o.action;

        assert(a->all || a->tenant.n || a->vmta.n || a->domain.n || a->job.n || a->message || a->state != VIEW_ANY ||
               a->older_ms);
        assert((a->kind == ACTION_MOVE) == (a->to.n > 0));
        assert(!a->job.n || a->tenant.n);
        assert(is_clean(a->tenant) && is_clean(a->vmta) && is_clean(a->job) && is_clean(a->domain) && is_clean(a->to));
    }
    admin_order_free(&o);
}

static void try_explain(struct slice body)
{
    struct explain_question q;
    struct fl_err err;
    json_t *doc = NULL;

    if (admin_body_parse(body, &doc, &err) == 0 && explain_question_parse(doc, &q, &err) == 0)
        assert(q.tenant.n && q.to.n && q.header_count <= EXPLAIN_HEADERS_MAX);
    json_decref(doc);
}

/* A refusal repeats what was found: it is JSON whatever that was. */
static void try_problem(struct slice detail)
{
    struct buf out;
    json_t *doc;

    buf_init(&out, 0);
    assert(admin_problem_write(400, detail, &out) == 0);
    doc = json_loadb(buf_slice(&out).p, buf_len(&out), 0, NULL);
    assert(doc);
    json_decref(doc);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);

    try_target(input);
    try_order(input);
    try_explain(input);
    try_problem(input);
    return 0;
}
