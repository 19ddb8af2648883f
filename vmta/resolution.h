/* resolution.h: one look-up of where a queue's mail goes: MX, then the addresses of its hosts. Loop thread; asks the resolver port. */
#ifndef FL_RESOLUTION_H
#define FL_RESOLUTION_H

#include "site.h"

/* Begins to look up where q's mail goes; q->resolve becomes RESOLVE_ASKING, or, for an address that the configuration gives,
 * RESOLVE_DONE at once (resolved() is called in every case, never inside this call but for that one). FL_ENOMEM. */
int sites_resolve(struct sites *s, struct queue *q);
/* Gives up a look-up under way and the queue's site. */
void sites_forget(struct sites *s, struct queue *q);

#endif
