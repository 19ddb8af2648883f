/* job.c: see job.h. */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>

struct tenant_jobs {
    char *tenant;
    int count;
    UT_hash_handle hh;
};

enum { FORGET_LOOKED_AT = 200, JOB_NAME_MAX = 256 };

struct jobs *jobs_new(void)
{
    return calloc(1, sizeof(struct jobs));
}

void jobs_free(struct jobs *js)
{
    struct job *j, *next;
    struct tenant_jobs *t, *tnext;

    if (!js)
        return;
    HASH_ITER(hh, js->by_name, j, next) {
        HASH_DELETE(hh, js->by_name, j);
        free(j->name);
        free(j);
    }
    HASH_ITER(hh, js->tenants, t, tnext) {
        HASH_DELETE(hh, js->tenants, t);
        free(t->tenant);
        free(t);
    }
    free(js);
}

struct job *jobs_find(struct jobs *js, struct slice tenant, struct slice job)
{
    char name[JOB_NAME_MAX];
    size_t n = slice_join((struct slice[]){ tenant, job }, 2, '/', name, sizeof name);
    struct job *j;

    if (!n)
        return NULL;
    HASH_FIND(hh, js->by_name, name, n, j);
    return j;
}

static struct tenant_jobs *tenant_jobs(struct jobs *js, struct slice tenant)
{
    struct tenant_jobs *t;

    HASH_FIND(hh, js->tenants, tenant.p, tenant.n, t);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (t)
        t->tenant = slice_dup(tenant);
    if (!t || !t->tenant) {
        free(t);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, js->tenants, t->tenant, tenant.n, t);
    if (!t->hh.tbl) {
        free(t->tenant);
        free(t);
        return NULL;
    }
    return t;
}

struct slice jobs_name(struct jobs *js, struct slice tenant, struct slice job)
{
    struct tenant_jobs *t;

    if (jobs_find(js, tenant, job))
        return job;
    HASH_FIND(hh, js->tenants, tenant.p, tenant.n, t);
    return t && t->count >= JOBS_PER_TENANT ? JOB_OTHER : job;
}

struct job *jobs_get(struct jobs *js, struct slice tenant, struct slice job)
{
    struct job *j;
    struct tenant_jobs *t;
    size_t n = tenant.n + 1 + job.n;

    if (job.n == 0 || n >= JOB_NAME_MAX)
        return NULL;
    j = jobs_find(js, tenant, job);
    if (j)
        return j;
    t = tenant_jobs(js, tenant);
    j = t ? calloc(1, sizeof *j) : NULL;
    if (!j || !(j->name = malloc(n + 1))) {
        free(j);
        return NULL;
    }
    snprintf(j->name, n + 1, "%.*s/%.*s", SLICE_ARG(tenant), SLICE_ARG(job));
    j->tenant = slice_make(j->name, tenant.n);
    j->job = slice_make(j->name + tenant.n + 1, job.n);
    HASH_ADD_KEYPTR(hh, js->by_name, j->name, n, j);
    if (!j->hh.tbl) {
        free(j->name);
        free(j);
        return NULL;
    }
    t->count++;
    return j;
}

struct job *jobs_next(struct job *j)
{
    return j->hh.next;
}

static void job_free(struct jobs *js, struct job *j)
{
    struct tenant_jobs *t;

    HASH_FIND(hh, js->tenants, j->tenant.p, j->tenant.n, t);
    if (t)
        t->count--;
    HASH_DELETE(hh, js->by_name, j);
    free(j->name);
    free(j);
}

void jobs_forget_old(struct jobs *js, int64_t wall_ms, void (*forget)(void *arg, const struct job *j), void *arg)
{
    unsigned count = HASH_COUNT(js->by_name);

    for (unsigned i = 0; i < count && i < FORGET_LOOKED_AT; i++) {
        struct job *j = js->look_at ? js->look_at : js->by_name;

        js->look_at = j->hh.next;
        if (j->queued > 0 || j->held || wall_ms - j->last_event_ms < JOB_KEPT_MS)
            continue;
        forget(arg, j);
        job_free(js, j);
    }
}
