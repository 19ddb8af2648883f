/* task.h: what an operator asked of much mail at once, done a piece a turn, so that nothing else waits. What is in memory is acted on
 * there; what is parked is selected from the store in chunks, and settled like any other recipient. Loop thread. */
#ifndef FL_TASK_H
#define FL_TASK_H

#include "action.h"
#include "mta.h"

struct tasks;

enum { TASKS_KEPT = 1000, TASK_ANSWER_MS = 2000 };

struct tasks *tasks_new(struct mta *m);
void tasks_free(struct tasks *ts);
/* relay_act: checks what is asked, begins it; done as there. */
int tasks_begin(struct tasks *ts, const struct action *a,
                void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text), void *arg);
/* A piece of those that are under way. */
void tasks_turn(struct tasks *ts);
bool tasks_find(const struct tasks *ts, const struct ulid *id, struct view_task *ret);

#endif
