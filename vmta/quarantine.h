/* quarantine.h: messages that were in hand when the process crashed, again and again: they are put aside, so that one message cannot
 * keep all others from being delivered. And what is in hand: the messages that were touched last, for whoever looks at a crash.
 * Pure; loop thread, but that a fatal signal may read `in_hand` at any moment. */
#ifndef FL_QUARANTINE_H
#define FL_QUARANTINE_H

#include <stdbool.h>

#include "ulid.h"

enum { IN_HAND_MAX = 8, QUARANTINE_MAX = 64 };

struct in_hand {
    struct ulid id[IN_HAND_MAX]; /* all zero: none */
    unsigned next;
};

static inline void in_hand_note(struct in_hand *h, const struct ulid *id)
{
    h->id[h->next++ % IN_HAND_MAX] = *id;
}

struct quarantine {
    struct ulid id[QUARANTINE_MAX];
    int count;
};

/* False when it is full: the message is delivered as if nothing had been. */
bool quarantine_add(struct quarantine *q, const struct ulid *id);
bool quarantine_has(const struct quarantine *q, const struct ulid *id);
/* It was released, or is gone. */
void quarantine_remove(struct quarantine *q, const struct ulid *id);

#endif
