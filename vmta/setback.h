/* setback.h: a failure sets back only what it speaks of. Pure; loop thread. Writes the clocks of hosts, paths, lanes and queues; what
 * is to be reported and stored is the caller's. */
#ifndef FL_SETBACK_H
#define FL_SETBACK_H

#include "mta.h"

enum {
    SETBACK_HOST_MS = 5 * 60 * 1000,         /* a host that failed goes last in the order */
    SETBACK_NO_TLS_MS = 24 * 60 * 60 * 1000, /* a host whose handshake fails is spoken to in clear, where the policy allows */
};

/* The host goes last. True when every host of the path failed in this round. */
bool setback_host(struct mta *m, struct path *p, const struct inet_addr *addr);
/* A further connection was refused while others work, or are under way still: the path keeps those. */
void setback_further_connection(struct mta *m, struct path *p);
/* Both: false when it waits already: connections that were under way together are one attempt. */
bool setback_path(struct mta *m, struct path *p, const struct last_reply *why);
bool setback_lane(struct mta *m, struct lane *l, const struct last_reply *why);
/* By its own schedule, never past its first expiry. Stored. False when it waits already: this failure is of the same attempt. */
bool setback_queue(struct mta *m, struct queue *q, const struct last_reply *why);
/* Something succeeded: the queue's clock and the lane's are cleared. */
void setback_clear_queue(struct mta *m, struct queue *q);
void setback_clear_lane(struct mta *m, struct lane *l);
/* The path, its hosts and the lane may be probed at once, whatever they waited for. */
void setback_try_now(struct mta *m, struct path *p, struct lane *l);
/* A refusal at MAIL. True when refusals, with no success between, came for two tenants or three reverse-path domains: they speak of
 * the path then. */
bool setback_count_mail_refusal(struct path *p, struct tenant_state *tenant, struct slice reverse_path);

#endif
