/* delivery.h: carries out what the scheduler orders: opens connections, sends entries, judges results, and tells settle, setback and
 * the scheduler what became of them. Loop thread; the relay owns one. */
#ifndef FL_DELIVERY_H
#define FL_DELIVERY_H

#include "mta.h"

struct delivery;

/* m is borrowed for its life. NULL without memory. */
struct delivery *delivery_new(struct mta *m);
/* Ends all connections at once. */
void delivery_free(struct delivery *d);
/* Gives the scheduler's orders to connections, until there is none. Once per turn of the relay. */
void delivery_pump(struct delivery *d);
/* Idle connections say QUIT; those with a transaction past its content are awaited; the rest ends. */
void delivery_end_all(struct delivery *d);
int delivery_connections(const struct delivery *d);
/* A line for each of a queue's connections is the view's: calls visit for every connection on a path of q. */
int delivery_connections_of(const struct delivery *d, const struct queue *q);

#endif
