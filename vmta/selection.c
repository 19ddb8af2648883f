/* selection.c: see selection.h. */
#include "selection.h"

#include <stdio.h>

#include "hold.h"
#include "job.h"
#include "scheduler.h"

enum view_state queue_view_state(const struct mta *m, const struct queue *q)
{
    int64_t until;

    if (queue_is_held(q))
        return VIEW_HELD;
    if (!queue_is_due(q, m->now->wall_ms))
        return VIEW_WAITING;
    if (q->turn_count > 0 && !queue_has_open_path(q, m->now->mono_ms, &until))
        return VIEW_WAITING;
    if (queue_in_memory(q) > 0 || q->next_due_ms <= m->now->wall_ms)
        return VIEW_READY;
    if (queue_is_put_aside(q))
        return VIEW_HELD;
    return q->recipients > 0 ? VIEW_WAITING : VIEW_READY;
}

bool selection_has_queue(const struct mta *m, const struct action *a, const struct queue *q)
{
    return (a->tenant.n == 0 || slice_eq(a->tenant, q->key.tenant)) && (a->vmta.n == 0 || slice_eq(a->vmta, q->key.vmta)) &&
           hold_matches_domain(a->domain, q->key.domain) &&
           (a->state == VIEW_ANY || a->state == queue_view_state(m, q));
}

bool selection_has_message(const struct mta *m, const struct action *a, const struct envelope *env)
{
    return (a->job.n == 0 || (slice_eq(a->job, env->job) && slice_eq(a->tenant, env->tenant))) &&
           (!a->message || ulid_cmp(a->message, &env->id) == 0) &&
           (a->older_ms == 0 || env->received_ms <= m->now->wall_ms - a->older_ms);
}

bool selection_is_by_queue(const struct action *a)
{
    return a->job.n == 0 && !a->message && a->older_ms == 0;
}

static bool is_known_party(struct party *table, struct slice name, bool in_conf)
{
    struct party *p;

    HASH_FIND(hh, table, name.p, name.n, p);
    return in_conf || (p && p->recipients > 0);
}

static int check_names(const struct mta *m, const struct action *a, char *text, size_t size)
{
    const struct conf *conf = m->queues.conf;

    if (a->tenant.n && !is_known_party(m->tenancy.tenants, a->tenant, conf_tenant(conf, a->tenant) != NULL)) {
        snprintf(text, size, "no tenant \"%.*s\"", SLICE_ARG(a->tenant));
        return FL_ENOENT;
    }
    if (a->vmta.n && !is_known_party(m->tenancy.vmtas, a->vmta, conf_vmta(conf, a->vmta) != NULL)) {
        snprintf(text, size, "no VMTA \"%.*s\"", SLICE_ARG(a->vmta));
        return FL_ENOENT;
    }
    if (a->job.n && !a->tenant.n) {
        snprintf(text, size, "a job is named tenant/job");
        return FL_EINVAL;
    }
    if (a->job.n && a->kind != ACTION_HOLD && !jobs_find(m->jobs, a->tenant, a->job) &&
        !(a->kind == ACTION_RELEASE && holds_name_job(m->holds, a->tenant, a->job))) {
        snprintf(text, size, "no job \"%.*s/%.*s\"", SLICE_ARG(a->tenant), SLICE_ARG(a->job));
        return FL_ENOENT;
    }
    return 0;
}

int selection_check(const struct mta *m, const struct action *a, char *text, size_t size)
{
    bool any = a->tenant.n || a->vmta.n || a->domain.n || a->job.n || a->message || a->state != VIEW_ANY || a->older_ms;

    if (any && a->all) {
        snprintf(text, size, "\"all\" stands alone");
        return FL_EINVAL;
    }
    if (!any && !a->all) {
        snprintf(text, size, "nothing is selected: name what is meant, or all");
        return FL_EINVAL;
    }
    return check_names(m, a, text, size);
}

static void log_selected(struct log_line *line, const char *key, struct slice value)
{
    if (value.n)
        log_slice(line, key, value);
}

void selection_log(const struct action *a, struct log_line *line)
{
    char id[ULID_TEXT];

    if (a->all)
        log_text(line, "all", "true");
    log_selected(line, "tenant", a->tenant);
    log_selected(line, "vmta", a->vmta);
    log_selected(line, "domain", a->domain);
    log_selected(line, "job", a->job);
    log_selected(line, "to", a->to);
    if (a->message) {
        ulid_text(a->message, id);
        log_text(line, "message", id);
    }
}
