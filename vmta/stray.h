/* stray.h: mail that is durable but for which there was no memory to enter its queue: kept here, without asking for more, until
 * there is. Loop thread; intake.c adds, each turn of the relay tries again. */
#ifndef FL_STRAY_H
#define FL_STRAY_H

#include "mta.h"

/* The recipients of a fresh envelope in the queue of its recipient first are counted there already, and wait for memory. */
void stray_add(struct mta *m, struct envelope *env, int first);
/* Tries all of them, once a second. */
void stray_turn(struct mta *m);
/* At the end of the relay: the store still has them. */
void stray_free(struct mta *m);

#endif
