/* turn.h: the places of queues on paths: made when a queue knows its site, in and out of the line as it may go or not.
 * Pure; loop thread. Inside of the scheduler: scheduler.h is what others use. */
#ifndef FL_TURN_H
#define FL_TURN_H

#include "scheduler.h"

/* A share may be dealt from: it has turns in its ring and nothing blocks it. Puts it into its lane's heap, or takes it out. */
void share_settle(struct share *sh);
/* Everything that its tenant's virtual time decides. */
void path_tenant_rekey(struct path_tenant *pt);
/* In or out of the ring of its share. */
void turn_set(struct turn *t, bool in);
/* Frees the path when nothing holds it: no turn, no connection. */
void path_release(struct sched *s, struct path *p);
/* The earliest moment at which the path has to be looked at by itself. */
void path_set_timer(struct sched *s, struct path *p);

#endif
