/* spool.h: the rest of large content, each in a file of its own, written as it comes. A thread of its own does the I/O, so that
 * neither the loop nor commits wait for it; a simulator calls spools_step itself. The loop owns a spool; the thread touches it
 * only while it carries out an operation on it. */
#ifndef FL_SPOOL_H
#define FL_SPOOL_H

#include "file.h"
#include "mailbox.h"

struct spools;

struct spools_options {
    struct disk *disk; /* borrowed, as all here */
    struct mailbox *in, *out;
    void (*wake)(void *arg);
    void *wake_arg;
    uint64_t seed; /* of the files' names */
};

int spools_new(const struct spools_options *options, struct spools **ret);
void spools_free(struct spools *s); /* the spools that were never ended too; takes NULL */

/* The loop's side: see store.h. */
int spools_open(struct spools *s, int64_t wall_ms, struct store_spool **ret);
/* Removes the file of a body that no message has. FL_ENOMEM. */
int spools_drop(struct spools *s, const struct ulid *file);
/* The loop's part of an answer: runs what the owner of the spool waits for. */
void spools_answer(struct spools *s, struct op *op);

/* The thread's side: carries out all that waits; false when nothing did. */
bool spools_step(struct spools *s);

#endif
