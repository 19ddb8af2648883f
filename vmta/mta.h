/* mta.h: the parts of one relay as they see each other. The relay makes them and owns them all; no part makes another one.
 * Loop thread. */
#ifndef FL_MTA_H
#define FL_MTA_H

#include "clock.h"
#include "connection.h"
#include "event.h"
#include "log.h"
#include "quarantine.h"
#include "rand.h"
#include "retry.h"
#include "scheduler.h"
#include "site.h"
#include "store.h"
#include "tenancy.h"
#include "ulid.h"

struct ingest;
struct jobs;
struct holds;
struct delivery;
struct figures;

struct mta {
    struct tenancy tenancy;
    struct queues queues;
    struct sites sites;
    struct sched sched;
    struct jobs *jobs;
    struct holds *holds;
    struct delivery *delivery;
    struct ingest *ingest;
    struct figures *figures;

    struct store *store;
    struct timers *timers;
    struct body_budget *budget;
    const struct now *now;
    const struct log *log;
    struct rand rand;
    struct ulid_source ids;
    struct retry_clock clock;
    struct connection_context connections;
    void *arg;
    void (*event)(void *arg, const struct event *e);
    bool draining, shutting_down;
    struct in_hand in_hand;
    struct envelope *strays, *last_stray;   /* stray.h: a list of references */
    int64_t strays_at_ms;
    struct quarantine quarantine;
};

/* The queue is looked at in this turn of the relay, or the next (attend.h). */
static inline void attend_soon(struct mta *m, struct queue *q)
{
    queue_set_wake(&m->queues, q, m->now->wall_ms);
}

#endif
