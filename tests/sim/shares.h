/* shares.h: whether customers who meet on a path got their shares: over each span in which both had mail that could go, what each was
 * served, divided by its share, differs by no more than the transactions under way explain. Who could go is looked at after each turn;
 * what was served is counted in traffic.h. */
#ifndef FL_SHARES_H
#define FL_SHARES_H

#include "world.h"

struct shares;

struct shares *shares_new(struct world *w);
void shares_free(struct shares *s);
/* Notes who could go now, on each path. */
void shares_look(struct shares *s);
/* Breaks the world when somebody was served too much or too little. Recipients a transaction at most, and connections of a path. */
void shares_audit(struct shares *s, int rcpts, int connections);

#endif
