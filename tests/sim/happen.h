/* happen.h: what may happen in a random world: mail comes, hosts and names change their moods, the power goes, disks fail, clocks
 * step, operators give orders, configurations change. */
#ifndef FL_HAPPEN_H
#define FL_HAPPEN_H

#include "world.h"

/* One of these things, or nothing. */
void happen(struct world *w);
/* How long until the next (ms). */
int64_t happen_pause(struct world *w);
/* Every hold that anybody may have set is released. */
void happen_release_all(struct world *w);

#endif
