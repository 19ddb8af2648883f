/* bound.h: what the queues on a path allow it: the smallest limit among those that have mail there now, of a tenant's caps the smallest
 * among its own. Kept without a walk over the queues for each message.
 * Pure; loop thread. Below turn.h. */
#ifndef FL_BOUND_H
#define FL_BOUND_H

#include "share.h"

/* What a queue's policy says. */
struct turn_limits bound_limits_of(const struct queue *q);
/* One more queue, or one that has mail now, can only make the limits smaller. */
void bound_by(struct sched *s, struct turn *t);
/* Its queue has mail, or none any more. */
void bound_set_has_mail(struct sched *s, struct turn *t, bool has_mail);
/* What this one allowed counts no more: it leaves. */
void bound_leave(struct sched *s, struct turn *t);
/* What its queues allow, after one is gone. */
void path_bound(struct sched *s, struct path *p);

#endif
