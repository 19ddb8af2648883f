/* scheduler.h: whose turn it is. On each path the tenant with the lowest virtual time goes next, on any free connection of its profile;
 * within a tenant its queues take turns. Limits are taken all or none; the one that refuses queues the asker, and what frees it wakes
 * the first: nothing polls.
 * Pure (timers are the pure heap of timer.h); loop thread. The driver (delivery.c) tells what happened and pulls orders. */
#ifndef FL_SCHEDULER_H
#define FL_SCHEDULER_H

#include "turn.h"

enum sched_order_type {
    SCHED_NONE,     /* nothing to do until something happens */
    SCHED_CONNECT,  /* open a connection of this lane; answer with sched_opened or sched_no_connection */
    SCHED_SEND,     /* send this entry on this connection */
    SCHED_CLOSE,    /* this idle connection's slot is wanted by another profile */
};

struct sched_order {
    enum sched_order_type type;
    struct lane *lane;
    struct conn *conn;
    struct queue_entry *entry;  /* SENDING already */
    struct queue *queue;        /* CONNECT: for whose mail (policy, VMTA) */
    struct share *share;        /* CONNECT: whose tenant's ceilings it counts against until it is open */
    bool probe;
};

void sched_init(struct sched *s, struct queues *queues, struct sites *sites, struct timers *timers, const struct now *now,
                int64_t max_connections);
void sched_free(struct sched *s);

/* Fills *ret and returns its type. What an order takes (limits, virtual time, the entry's state) is taken already. */
enum sched_order_type sched_next(struct sched *s, struct sched_order *ret);
/* One more entry for a busy connection whose content is about to go out; NULL: none. */
struct queue_entry *sched_ride(struct sched *s, struct conn *c);

/* A connection was begun for an order CONNECT: it is in the books as OPENING. */
void sched_opened(struct sched *s, struct lane *lane, struct conn *c, const struct sched_order *order);
/* It cannot be begun now (no memory, no descriptors): the path tries again in a second. */
void sched_no_connection(struct sched *s, struct lane *lane);
/* Greeted, or its last transaction ended: it may take mail. */
void sched_idle(struct sched *s, struct conn *c);
/* A transaction ended and the next one, which rode along, is under way. */
void sched_next_began(struct sched *s, struct conn *c);
/* It takes no more mail (QUIT was said, or its messages are used up). */
void sched_closing(struct sched *s, struct conn *c);
/* It is gone, from any state. May free the path. */
void sched_closed(struct sched *s, struct conn *c);
/* The path works: more connections may be opened. */
void sched_succeeded(struct sched *s, struct path *p);
/* Store trouble, shutdown: gives no orders while stopped. */
void sched_stop(struct sched *s, bool stopped);

#endif
