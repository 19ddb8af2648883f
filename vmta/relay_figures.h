/* relay_figures.h: what the relay counts of itself, for views and metrics, and the events that carry it. Loop thread. */
#ifndef FL_RELAY_FIGURES_H
#define FL_RELAY_FIGURES_H

#include "mta.h"

enum { FIGURES_BUCKETS = 20 };

struct figures {
    uint64_t accept_us_bucket[FIGURES_BUCKETS], accept_us_sum, accept_count;
    uint64_t delivery_ms_bucket[FIGURES_BUCKETS], delivery_ms_sum, delivery_count;
    int settles;               /* under way */
};

/* Sends an event up and counts it for tenant, VMTA and queue. q may be NULL (rejected, or before a queue is known). n: recipients it
 * stands for. */
void figures_event(struct mta *m, struct event *e, struct queue *q, int64_t n);
/* A queue as a whole was set back: one event for all that waits in it. attempt: of what failed, from 1. */
void figures_path_deferred(struct mta *m, struct queue *q, const struct last_reply *why, int attempt);
void figures_accepted(struct figures *f, int64_t us);

#endif
