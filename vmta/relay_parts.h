/* relay_parts.h: what the relay is made of, for relay.c and the views of it (relay_view.c, relay_act.c). */
#ifndef FL_RELAY_PARTS_H
#define FL_RELAY_PARTS_H

#include "mta.h"
#include "relay.h"

struct tasks;

struct relay {
    struct mta mta;
    struct tasks *tasks;
    uint64_t generation;
    uint64_t walk;                /* of the views over all queues: tells this one's sums from an older one's */
    struct timer wake, jobs;
    void (*ended)(void *arg);     /* of relay_shutdown */
    void *ended_arg;
};

#endif
