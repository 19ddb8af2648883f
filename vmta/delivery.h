/* delivery.h: carries out what the scheduler orders: opens connections, sends entries, judges results, and tells settle, setback and
 * the scheduler what became of them. Loop thread; the relay owns one. */
#ifndef FL_DELIVERY_H
#define FL_DELIVERY_H

#include "mta.h"

struct delivery;

/* What the deliveries under way have of one queue. */
struct delivery_share {
    int connections, rcpts; /* rcpts: of the transactions under way */
    int riding;             /* transactions that were said behind another one's dot: they wait for its connection */
};

/* m is borrowed for its life. NULL without memory. */
struct delivery *delivery_new(struct mta *m);
/* Ends all connections at once. */
void delivery_free(struct delivery *d);
/* Gives the scheduler's orders to connections, until there is none. Once per turn of the relay. */
void delivery_pump(struct delivery *d);
/* Idle connections say QUIT; those with a transaction past its content are awaited; the rest ends. */
void delivery_end_all(struct delivery *d);
int delivery_connections(const struct delivery *d);
/* How many connections carry mail of a queue now, and how much. O(connections). */
struct delivery_share delivery_of(const struct delivery *d, const struct queue *q);

#endif
