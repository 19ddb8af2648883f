/* share.h: the lines of a path: which shares may be dealt from, and which queues stand in the ring of each.
 * Pure; loop thread. Below turn.h and scheduler.h. */
#ifndef FL_SHARE_H
#define FL_SHARE_H

#include "path.h"

struct sched {
    struct queues *queues;
    struct sites *sites;
    struct timers *timers;
    const struct now *now;
    struct ceiling total;       /* outgoing connections of the daemon */
    struct path *by_key;
    TAILQ_HEAD(, path) dirty;
    bool stopped;               /* shutting down, or the store cannot commit: no order is given */
};

/* The path is looked at when orders are asked for next. */
void sched_mark(struct sched *s, struct path *p);
/* A share may be dealt from: it has turns in its ring and nothing blocks it. Puts it into its lane's heap, or takes it out. */
void share_settle(struct share *sh);
/* Everything that its tenant's virtual time decides. */
void path_tenant_rekey(struct path_tenant *pt);
/* In or out of the ring of its share. */
void turn_set(struct turn *t, bool in);
/* The wake of a share's waiter: the ceiling that refused it has room. */
void share_wake(struct limit_waiter *w);
/* It had its chance at the ceiling that woke it: that wakes the next. */
void share_pass(struct share *sh);
/* Those on it that a ceiling woke had their chance: it wakes the next. */
void path_pass_on(struct path *p);

#endif
