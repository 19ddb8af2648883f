/* standing.h: standing rules as operators make and end them: stored, and in force at once for every queue. Loop thread. */
#ifndef FL_STANDING_H
#define FL_STANDING_H

#include "action.h"
#include "mta.h"

/* A rule of what the action selects. FL_ELIMIT: there are too many, or no memory. */
int standing_hold(struct mta *m, const struct action *a);
/* Ends every rule whose mail the action selects: what the action says, the rule says too. */
void standing_release(struct mta *m, const struct action *a);
/* Whether the action, as a hold or release, speaks of mail by more than a rule can say: message, age, state. Those make no rule: the
 * mail itself is held. */
static inline bool standing_is_beyond(const struct action *a)
{
    return a->message || a->older_ms || a->state != VIEW_ANY;
}

#endif
