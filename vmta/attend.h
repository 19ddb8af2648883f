/* attend.h: looks at one queue and does what it needs now: loads what is due, finds out where it goes, gives up its memory while it
 * waits, expires what is too old, tells the scheduler. Everything that happens to a queue ends in attend_soon; each turn of the relay
 * attends those whose time has come. Loop thread. */
#ifndef FL_ATTEND_H
#define FL_ATTEND_H

#include "mta.h"

enum {
    LOAD_BATCH = 500,              /* recipients */
    LOAD_BELOW = 250,              /* ready recipients in memory, below which more are loaded */
    SHED_AFTER_MS = 10 * 1000,     /* a queue that waits longer gives up its memory */
    SHED_BATCH = 100,              /* entries a turn */
    QUEUE_IDLE_MS = 60 * 1000,     /* an empty queue is kept so long */
};

/* All queues whose time has come; then some of those that give up memory, and of those that are empty. Bounded work a call. */
void attend_turn(struct mta *m);
/* Its entries and place in the paths are given up: the configuration changed, or the relay ends. */
void attend_forget_place(struct mta *m, struct queue *q);
/* Whether it is time to tell the sender that a recipient waits (dsn.delay_after), and it was not told yet. */
bool attend_wants_delay_notice(const struct mta *m, const struct queue *q, const struct envelope *env, const struct envelope_rcpt *r);
/* A resolution ended (struct sites' hook). */
void attend_resolved(void *arg, struct queue *q, const struct outcome *o, const struct reply *reply);
/* Recipients to entries: those that are not in memory already. Returns how many came into memory, or FL_ENOMEM. */
int attend_take_in(struct mta *m, struct queue *q, struct envelope *env, bool at_front);

#endif
