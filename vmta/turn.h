/* turn.h: the places of queues on paths: made when a queue knows its site, in and out of the line as it may go or not. Below
 * scheduler.h, which deals from these lines and is what others include.
 * Pure; loop thread. */
#ifndef FL_TURN_H
#define FL_TURN_H

#include "share.h"

/* q->site is fresh: q gets a turn on the path of each of its VMTA's source addresses that reaches the site. FL_ENOMEM. */
int sched_attach(struct sched *s, struct queue *q);
/* Takes q off all its paths. Connections stay with the paths. */
void sched_detach(struct sched *s, struct queue *q);
/* Something changed that decides whether q may go: mail, hold, clock, probe. Cheap when nothing did. */
void sched_update(struct sched *s, struct queue *q);
/* Something changed for all queues of a path: its clock, a lane's clock, its targets. */
void sched_update_path(struct sched *s, struct path *p);

/* Whether a turn could go but for work and limits: the path, its lane and its host let it. */
bool turn_is_open(const struct turn *t, int64_t mono_ms);
/* Whether any path lets the queue go now; with *ret_until the earliest time (mono) when one will. No turn: false, NEVER_MS. */
bool queue_has_open_path(const struct queue *q, int64_t mono_ms, int64_t *ret_until);

/* ---------------------------------------------------------------- for scheduler.c */
/* Frees the path when nothing holds it (no turn, no connection) and nothing about it has to be remembered. */
void path_release(struct sched *s, struct path *p);
/* All of them, at the end. */
void paths_free(struct sched *s);
/* The earliest moment at which the path has to be looked at by itself. */
void path_set_timer(struct sched *s, struct path *p);

#endif
