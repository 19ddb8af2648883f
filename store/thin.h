/* thin.h: gives back the room of dead bodies in old segments of which little is left: holes are punched into them, and what is
 * alive stays where it is. The reader thread, a step at a time between its answers.
 *
 * Why no living body is hit: the segments were sealed before, so that no body comes into them any more; rows are read in short
 * transactions, first all of `fresh`, then all of `message`, each by rising id, and a message only ever goes from the first
 * table to the second, with its body's place unchanged. So one that is alive is met in one of them at least. Deletions are
 * seen once they are committed and durable, and nothing else frees a block. Holes that a power cut forgets are room that is
 * not given back, and no more. */
#ifndef FL_THIN_H
#define FL_THIN_H

#include "engine.h"
#include "file.h"

enum { THIN_SEGMENTS = 16 }; /* looked at in one round */

struct thin;

/* Begins a round. FL_ENOMEM. */
int thin_new(struct disk *disk, const uint64_t *segments, int count, struct thin **ret);
void thin_free(struct thin *t); /* takes NULL */
/* This file is about to go, or to become another segment: it is let go. */
void thin_forget(struct thin *t, const char *name);
/* Reads some rows, or thins one segment out. 1: there is more; 0: done; an error: the round is over, and no block was freed by
 * this step. e reads only. */
int thin_step(struct thin *t, struct engine *e);
/* Bytes freed so far. */
int64_t thin_freed(const struct thin *t);

#endif
