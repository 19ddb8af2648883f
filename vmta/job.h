/* job.h: campaigns: what a tenant's mail of one job id has come to. Counts are recipients; they are kept in the database with the rows
 * that they speak of, and mirrored here. Pure; loop thread. */
#ifndef FL_JOB_H
#define FL_JOB_H

#include <uthash.h>

#include "meter.h"
#include "slice.h"
#include "store.h"

enum { JOBS_PER_TENANT = 10000 };
#define JOB_KEPT_MS (7 * INT64_C(86400000))
/* What a tenant's mail is counted under when it has JOBS_PER_TENANT already. */
#define JOB_OTHER SLICE("(other)")

struct job {
    char *name;                 /* "tenant/job" */
    struct slice tenant, job;   /* into name */
    int64_t queued, ready, delivered, bounced, expired, dropped, bytes; /* ready: of queued, in memory */
    int64_t first_accepted_ms, last_event_ms;
    bool held;                  /* by a standing rule of its own */
    struct meter rate;
    UT_hash_handle hh;
};

struct jobs {
    struct job *by_name;
    struct job *look_at;         /* where jobs_forget_old() goes on; NULL: at the first */
    struct tenant_jobs *tenants; /* how many each has */
};

struct jobs *jobs_new(void);
void jobs_free(struct jobs *js);
struct job *jobs_find(struct jobs *js, struct slice tenant, struct slice job);
/* Found or made; `(other)` past the bound; NULL without memory or for an empty name. */
struct job *jobs_get(struct jobs *js, struct slice tenant, struct slice job);
/* The name under which new mail of this job is to be kept: job itself, or JOB_OTHER. */
struct slice jobs_name(struct jobs *js, struct slice tenant, struct slice job);
/* Drops jobs that are empty and whose last event is older than JOB_KEPT_MS, at most a few a call. forget is told of each. */
void jobs_forget_old(struct jobs *js, int64_t wall_ms, void (*forget)(void *arg, const struct job *j), void *arg);
struct job *jobs_next(struct job *j);

#endif
