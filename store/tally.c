/* tally.c: see tally.h. */
#include "tally.h"

#include <stdlib.h>

#include "err.h"

struct tally_queue *tally_queue(struct tally *t, const struct queue_key *key)
{
    struct tally_queue *q;

    HASH_FIND(hh, t->queues, &key->id, sizeof key->id, q);
    if (!q) {
        q = calloc(1, sizeof *q);
        if (!q)
            return NULL;
        q->id = key->id;
        q->key = *key;
        HASH_ADD(hh, t->queues, id, sizeof q->id, q);
        if (!q->hh.tbl) {
            free(q);
            return NULL;
        }
    }
    if (q->key.tenant.n == 0)
        q->key = *key;
    return q;
}

struct tally_job *tally_job(struct tally *t, struct slice tenant, struct slice job)
{
    size_t length = tenant.n + 1 + job.n;
    struct tally_job *j = calloc(1, sizeof *j + length), *found;

    if (!j)
        return NULL;
    j->name_length = length;
    if (tenant.n)
        memcpy(j->name, tenant.p, tenant.n);
    memcpy(j->name + tenant.n + 1, job.p, job.n);
    HASH_FIND(hh, t->jobs, j->name, length, found);
    if (found) {
        free(j);
        return found;
    }
    j->tenant = slice_make(j->name, tenant.n);
    j->job = slice_make(j->name + tenant.n + 1, job.n);
    HASH_ADD(hh, t->jobs, name, length, j);
    if (!j->hh.tbl) {
        free(j);
        return NULL;
    }
    return j;
}

int tally_segment(struct tally *t, uint64_t id, int live)
{
    struct tally_segment *s;

    HASH_FIND(hh, t->segments, &id, sizeof id, s);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            return FL_ENOMEM;
        s->id = id;
        HASH_ADD(hh, t->segments, id, sizeof s->id, s);
        if (!s->hh.tbl) {
            free(s);
            return FL_ENOMEM;
        }
    }
    s->live += live;
    return 0;
}

void tally_clear(struct tally *t)
{
    struct tally_queue *q, *next_queue;
    struct tally_job *j, *next_job;
    struct tally_segment *s, *next_segment;

    HASH_ITER(hh, t->queues, q, next_queue)
    {
        HASH_DELETE(hh, t->queues, q);
        free(q);
    }
    HASH_ITER(hh, t->jobs, j, next_job)
    {
        HASH_DELETE(hh, t->jobs, j);
        free(j);
    }
    HASH_ITER(hh, t->segments, s, next_segment)
    {
        HASH_DELETE(hh, t->segments, s);
        free(s);
    }
}
