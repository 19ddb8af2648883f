/* admin_order.c: what an operator orders. Pure. */
#include "admin_order.h"

#include "admin_body.h"
#include "admin_rows.h"
#include "units.h"

bool admin_state_parse(struct slice name, enum view_state *ret)
{
    for (enum view_state s = VIEW_READY; s < VIEW_ANY; s++) {
        if (slice_eq(name, slice_of(view_state_name(s)))) {
            *ret = s;
            return true;
        }
    }
    return false;
}

static int read_kind(const json_t *doc, enum action_kind *ret, struct fl_err *err)
{
    struct slice name = SLICE_NONE;
    int rc = admin_body_text(doc, "do", &name, err);

    if (rc < 0)
        return rc;
    for (enum action_kind k = ACTION_HOLD; name.n && k <= ACTION_DROP; k++) {
        if (slice_eq(name, slice_of(action_name(k)))) {
            *ret = k;
            return 0;
        }
    }
    return fl_fail(err, FL_EINVAL, "do: one of hold, release, retry, move, drop");
}

/* "TENANT/JOB", or the job's name alone beside a tenant. */
static int read_job(const json_t *select, struct action *a, struct fl_err *err)
{
    struct slice job = SLICE_NONE, tenant;
    const char *slash;
    int rc = admin_body_text(select, "job", &job, err);

    if (rc < 0 || !job.n)
        return rc;
    slash = memchr(job.p, '/', job.n);
    tenant = slice_head(job, slash ? (size_t)(slash - job.p) : 0);
    if (a->tenant.n && !slice_eq(a->tenant, tenant)) {
        a->job = job;
        return 0;
    }
    a->tenant = tenant;
    a->job = slice_skip(job, tenant.n + 1);
    return a->tenant.n && a->job.n ? 0 : fl_fail(err, FL_EINVAL, "job: '%.*s' is not TENANT/JOB", SLICE_ARG(job));
}

static int read_domain(const json_t *select, struct admin_order *o, struct fl_err *err)
{
    struct slice domain = SLICE_NONE;
    int rc = admin_body_text(select, "domain", &domain, err);

    if (rc < 0 || !domain.n)
        return rc;
    if (!domain_pattern_canonical(domain, o->domain))
        return fl_fail(err, FL_EINVAL, "domain: '%.*s' is no domain name", SLICE_ARG(domain));
    o->action.domain = slice_of(o->domain);
    return 0;
}

static int read_message(const json_t *select, struct admin_order *o, struct fl_err *err)
{
    struct slice id = SLICE_NONE;
    int rc = admin_body_text(select, "message", &id, err);

    if (rc < 0 || !id.n)
        return rc;
    if (!ulid_parse(id, &o->message))
        return fl_fail(err, FL_EINVAL, "message: '%.*s' is no message id", SLICE_ARG(id));
    o->action.message = &o->message;
    return 0;
}

static int read_state(const json_t *select, struct action *a, struct fl_err *err)
{
    struct slice state = SLICE_NONE;
    int rc = admin_body_text(select, "state", &state, err);

    if (rc < 0 || !state.n)
        return rc;
    return admin_state_parse(state, &a->state)
               ? 0
               : fl_fail(err, FL_EINVAL, "state: one of ready, waiting, held, suspended, sending");
}

static int read_older(const json_t *select, struct action *a, struct fl_err *err)
{
    struct slice older = SLICE_NONE;
    int rc = admin_body_text(select, "older", &older, err);

    if (rc < 0 || !older.n)
        return rc;
    return units_span(older, &a->older_ms) && a->older_ms > 0
               ? 0
               : fl_fail(err, FL_EINVAL, "older: '%.*s' is no span such as 2d or 90m", SLICE_ARG(older));
}

static int read_select(const json_t *select, struct admin_order *o, struct fl_err *err)
{
    static const char *const keys[] = { "tenant", "vmta", "domain", "job", "message", "state", "older", "all", NULL };
    struct action *a = &o->action;
    int rc;

    if (!json_is_object(select))
        return fl_fail(err, FL_EINVAL, "select: not an object");
    if (!json_object_size(select))
        return fl_fail(err, FL_EINVAL, "select: empty; {\"all\": true} selects everything");
    if ((rc = admin_body_keys(select, keys, err)) < 0 || (rc = admin_body_flag(select, "all", &a->all, err)) < 0 ||
        (rc = admin_body_text(select, "tenant", &a->tenant, err)) < 0 ||
        (rc = admin_body_text(select, "vmta", &a->vmta, err)) < 0 || (rc = read_domain(select, o, err)) < 0 ||
        (rc = read_job(select, a, err)) < 0 || (rc = read_message(select, o, err)) < 0 ||
        (rc = read_state(select, a, err)) < 0 || (rc = read_older(select, a, err)) < 0)
        return rc;
    if (a->all && json_object_size(select) > 1)
        return fl_fail(err, FL_EINVAL, "select: all stands alone");
    if (!a->all && json_object_get(select, "all"))
        return fl_fail(err, FL_EINVAL, "select: all is true or left out");
    return 0;
}

/* Options that belong to one action only. */
static int check_together(const struct action *a, struct fl_err *err)
{
    if (a->kind == ACTION_MOVE && !a->to.n)
        return fl_fail(err, FL_EINVAL, "to: a move needs a VMTA or pool");
    if (a->kind != ACTION_MOVE && a->to.n)
        return fl_fail(err, FL_EINVAL, "to: only with move");
    if (a->kind != ACTION_DROP && a->dsn)
        return fl_fail(err, FL_EINVAL, "dsn: only with drop");
    if (a->refuse && (a->kind != ACTION_HOLD || !a->tenant.n || a->vmta.n || a->domain.n || a->job.n || a->message ||
                      a->state != VIEW_ANY || a->older_ms))
        return fl_fail(err, FL_EINVAL, "refuse: only with a hold of a whole tenant");
    return 0;
}

int admin_order_parse(struct slice body, struct admin_order *ret, struct fl_err *err)
{
    static const char *const keys[] = { "do", "select", "to", "dsn", "refuse", "dry_run", NULL };
    struct action *a = &ret->action;
    int rc;

    *ret = (struct admin_order){ .action.state = VIEW_ANY };
    if ((rc = admin_body_parse(body, &ret->doc, err)) < 0 || (rc = admin_body_keys(ret->doc, keys, err)) < 0 ||
        (rc = read_kind(ret->doc, &a->kind, err)) < 0 ||
        (rc = read_select(json_object_get(ret->doc, "select"), ret, err)) < 0 ||
        (rc = admin_body_text(ret->doc, "to", &a->to, err)) < 0 || (rc = admin_body_flag(ret->doc, "dsn", &a->dsn, err)) < 0 ||
        (rc = admin_body_flag(ret->doc, "refuse", &a->refuse, err)) < 0 ||
        (rc = admin_body_flag(ret->doc, "dry_run", &a->dry_run, err)) < 0)
        return rc;
    return check_together(a, err);
}

void admin_order_free(struct admin_order *o)
{
    json_decref(o->doc);
    o->doc = NULL;
}
