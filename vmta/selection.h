/* selection.h: which mail an operator means. Loop thread; reads only. */
#ifndef FL_SELECTION_H
#define FL_SELECTION_H

#include "action.h"
#include "mta.h"

/* A queue's state as operators see it. */
enum view_state queue_view_state(const struct mta *m, const struct queue *q);
/* Whether an action may mean mail of this queue, and this message in it. */
bool selection_has_queue(const struct mta *m, const struct action *a, const struct queue *q);
bool selection_has_message(const struct mta *m, const struct action *a, const struct envelope *env);
/* Only by what a queue says of itself: then its counts tell how much matches. */
bool selection_is_by_queue(const struct action *a);
/* Whether it is one at all, and the names in it exist. FL_EINVAL, FL_ENOENT with a text; 0. */
int selection_check(const struct mta *m, const struct action *a, char *text, size_t size);
/* What was selected, so that the log tells what was done to which mail, and not only that something was. */
void selection_log(const struct action *a, struct log_line *line);

#endif
