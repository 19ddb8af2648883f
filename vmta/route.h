/* route.h: tenant, envelope and header → VMTA, or a refusal. Pure; loop thread.
 * In order: a steering header where the tenant may steer; the tenant's rules, first match; its default. A VMTA or pool that was not
 * granted, or is unknown, is refused 550 5.7.1, never silently another one. */
#ifndef FL_ROUTE_H
#define FL_ROUTE_H

#include "conf.h"
#include "rand.h"

struct route_question {
    const struct conf_tenant *tenant;
    const struct conf_user *user;  /* or NULL */
    bool is_stranger;              /* steering and rules by user do not bind it */
    struct slice reverse_path, reverse_path_domain;
    struct slice header_block;     /* wire form */
};

struct route_answer {
    const struct conf_vmta *vmta;
    const struct conf_pool *pool;  /* that chose it, or NULL */
    const char *because;           /* "default", "rule 2: header X-Campaign", "header X-Fairlead-VMTA" … in scratch */
    struct conf_place at;          /* line 0: a header */
    bool from_header;
    char scratch[160];
    struct slice job;              /* of X-Fairlead-Job or X-Job where the tenant may steer; borrowed from job_text */
    char job_text[129];
};

struct route_refusal {
    char enhanced[12];
    char text[200];
};

/* true: *ret is set; false: *no says why (550). */
bool route_message(const struct conf *c, const struct route_question *q, struct rand *rand, struct route_answer *ret,
                   struct route_refusal *no);
/* The headers that steer: removed before delivery, also where they are not obeyed. */
extern const struct slice route_steering_headers[];
extern const int route_steering_header_count;

#endif
