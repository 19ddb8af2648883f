/* standing.c: see standing.h. */
#include "standing.h"

#include "hold.h"
#include "job.h"

static void rematch(struct mta *m)
{
    for (struct queue *q = m->queues.by_name; q; q = queues_next(q)) {
        const struct hold *before = q->hold;

        q->hold = holds_match(m->holds, q);
        if (before && !q->hold)
            q->released_ms = m->now->wall_ms;
        if (q->hold != before)
            attend_soon(m, q);
        sched_update(&m->sched, q);
    }
}

/* After a rule that names it came or went. */
static void mark_job(struct mta *m, struct job *j)
{
    if (j)
        j->held = holds_job_is_held(m->holds, j->tenant, j->job);
}

int standing_hold(struct mta *m, const struct action *a)
{
    struct stored_hold s = {
        .id = ulid_next(&m->ids, m->now->wall_ms), .tenant = a->tenant, .vmta = a->vmta, .domain = a->domain,
        .job = a->job, .refuse = a->refuse, .who = a->who, .since_ms = m->now->wall_ms,
    };
    struct hold *h = holds_add(m->holds, &s);

    if (!h)
        return FL_ELIMIT;
    s = hold_stored(h);
    store_hold_put(m->store, &s, NULL, NULL);
    if (a->job.n)
        mark_job(m, jobs_find(m->jobs, a->tenant, a->job));
    rematch(m);
    return 0;
}

/* A release takes away every rule whose mail the selection covers wholly: what it says, the rule says too. */
static bool covers(const struct action *a, const struct hold *h)
{
    return (a->all || a->tenant.n || a->vmta.n || a->domain.n || a->job.n) && (a->tenant.n == 0 || slice_eq(a->tenant, h->tenant)) &&
           (a->vmta.n == 0 || slice_eq(a->vmta, h->vmta)) && (a->domain.n == 0 || slice_eq(a->domain, h->domain)) &&
           (a->job.n == 0 || slice_eq(a->job, h->job));
}

void standing_release(struct mta *m, const struct action *a)
{
    struct hold *h, *next;
    struct job *j;

    for (h = TAILQ_FIRST(&m->holds->rules); h; h = next) {
        next = TAILQ_NEXT(h, link);
        if (!covers(a, h))
            continue;
        j = h->job.n ? jobs_find(m->jobs, h->tenant, h->job) : NULL;
        store_hold_delete(m->store, &h->id, NULL, NULL);
        holds_remove(m->holds, h);
        mark_job(m, j);
    }
    rematch(m);
}
