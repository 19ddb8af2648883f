/* hold.h: standing rules of operators: what is not delivered until it is released. A rule matches when all that it says matches; it
 * covers queues that come later, survives a restart, and names who and when. Pure; loop thread. */
#ifndef FL_HOLD_H
#define FL_HOLD_H

#include <sys/queue.h>

#include "job.h"
#include "queue.h"
#include "store.h"

struct hold {
    TAILQ_ENTRY(hold) link;
    struct ulid id;
    char *text;                     /* holds the slices */
    struct slice tenant, vmta, domain, job, who;
    int64_t since_ms;
    bool refuse;
};

struct holds {
    TAILQ_HEAD(, hold) rules;
    int count;
};

enum { HOLDS_MAX = 10000 };

struct holds *holds_new(void);
void holds_free(struct holds *hs);
/* Adds a rule, or returns the one that says the same already (its refuse flag is raised then). NULL without memory or at HOLDS_MAX. */
struct hold *holds_add(struct holds *hs, const struct stored_hold *h);
void holds_remove(struct holds *hs, struct hold *h);
/* The first rule without a job that matches this queue; NULL: none. */
const struct hold *holds_match(const struct holds *hs, const struct queue *q);
/* Whether a rule that names this job, and perhaps more, matches mail of it in this queue. An empty job: no. */
bool holds_mail_is_held(const struct holds *hs, const struct queue *q, struct slice job);
/* Whether all of the job is held. */
bool holds_job_is_held(const struct holds *hs, struct slice tenant, struct slice job);
/* Whether any rule names the job. */
bool holds_name_job(const struct holds *hs, struct slice tenant, struct slice job);
/* Whether the tenant's new mail is refused. */
bool holds_is_refused(const struct holds *hs, struct slice tenant);
struct stored_hold hold_stored(const struct hold *h);
/* A rule's domain: empty, exact, or a wildcard. */
bool hold_matches_domain(struct slice rule, struct slice domain);

#endif
