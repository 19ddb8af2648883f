/* note.h: a last reply that outlives the session which heard it: of a queue, a path, a tenant.
 * Pure; one owner. */
#ifndef FL_NOTE_H
#define FL_NOTE_H

#include "envelope.h"
#include "reply.h"

/* All texts in one allocation of its own. Zeroed: nothing noted. */
struct note {
    struct last_reply reply;
    char *store;
};

/* Replaces what was noted; out of memory leaves the note without texts. */
void note_set(struct note *n, const struct last_reply *r);
void note_free(struct note *n);
/* A reply as the protocol read it, with its place and time, borrowed from r. */
struct last_reply note_of_reply(const struct reply *r, enum reply_stage stage, struct slice mx, int64_t wall_ms);

#endif
