/* oracle_end.c: the sums at the end of a world: all has ended, everybody was told, and the relay counts what is there. See oracle.h. */
#include "oracle_books.h"
#include "job.h"
#include "relay_parts.h"

void oracle_all_ended(struct oracle *o)
{
    struct world *w = o->world;

    for (int i = 0; i < o->count; i++) {
        struct message *m = o->messages[i];
        bool failed = false, maybe = false;

        if (m->state == OFFERED)
            world_broken(w, "message %d was never answered", m->number);
        for (int k = 0; k < m->count && m->state == ACCEPTED; k++) {
            if (!has_ended(&m->rcpts[k]))
                world_broken(w, "%s has not ended", m->rcpts[k].address);
            failed |= m->rcpts[k].ended && (m->rcpts[k].kind == EVENT_BOUNCED || m->rcpts[k].kind == EVENT_EXPIRED);
            maybe |= m->rcpts[k].ended_unheard;
        }
        if (failed && m->dsns == 0 && !m->orphaned && o->crashes == 0)
            world_broken(w, "the sender of message %d was never told", m->number);
        if (!failed && !maybe && m->dsns > 0 && !o->may_drop)
            world_broken(w, "the sender of message %d was told of a failure that there was not", m->number);
    }
}

/* A campaign's sums are exact, whatever happened: all that was accepted has ended, once. */
static void audit_job(struct oracle *o, const struct job *j)
{
    int64_t accepted = 0, ended = j->delivered + j->bounced + j->expired + j->dropped, heard[EVENTS] = { 0 };

    for (int i = 0; i < o->count; i++) {
        const struct message *m = o->messages[i];

        if (m->state != ACCEPTED || !slice_eq(slice_of(m->tenant), j->tenant) || !slice_eq(slice_of(m->job), j->job))
            continue;
        accepted += m->count;
        for (int k = 0; k < m->count; k++)
            heard[m->rcpts[k].kind] += m->rcpts[k].ended > 0;
    }
    if (j->queued != 0 || j->ready != 0 || ended != accepted || j->delivered < heard[EVENT_DELIVERED] ||
        j->bounced < heard[EVENT_BOUNCED] || j->expired < heard[EVENT_EXPIRED] || j->dropped < heard[EVENT_DROPPED])
        world_broken(o->world, "job %s counts %lld queued, %lld delivered, %lld bounced, %lld expired, %lld dropped; %lld were accepted",
                     j->name, (long long)j->queued, (long long)j->delivered, (long long)j->bounced, (long long)j->expired,
                     (long long)j->dropped, (long long)accepted);
}

void oracle_audit(struct oracle *o)
{
    struct world *w = o->world;
    struct mta *m = &w->relay->mta;

    for (struct queue *q = m->queues.by_name; q; q = queues_next(q))
        if (q->recipients != 0 || q->messages != 0 || q->bytes != 0 || queue_in_memory(q) != 0)
            world_broken(w, "%s counts %lld recipients, %lld messages, %lld bytes, %lld in memory, and nothing is there",
                         q->name, (long long)q->recipients, (long long)q->messages, (long long)q->bytes,
                         (long long)queue_in_memory(q));
    if (m->queues.total.recipients != 0 || m->queues.memory_rcpts != 0)
        world_broken(w, "all queues are empty, and %lld recipients are counted, %lld in memory",
                     (long long)m->queues.total.recipients, (long long)m->queues.memory_rcpts);
    if (w->lives == 1 && w->budget.used != 0)
        world_broken(w, "all queues are empty, and %lld bytes of bodies are in memory", (long long)w->budget.used);
    for (const struct job *j = m->jobs->by_name; j && !o->stepped; j = jobs_next((struct job *)j))
        audit_job(o, j);
}
