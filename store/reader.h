/* reader.h: bodies and listings, through a connection that only reads. Never feeds the scheduler. It also removes the files of
 * bodies that no message needs, since it is the one that may have them open: once their handles are closed nobody can read
 * from them what another message's bytes are later. And it thins old segments out.
 * The reader thread calls reader_step in a loop; a simulator calls it itself. */
#ifndef FL_READER_H
#define FL_READER_H

#include "engine.h"
#include "file.h"
#include "log.h"
#include "mailbox.h"

struct reader_options {
    struct disk *disk;     /* borrowed, as all here */
    const char *path, *vfs;
    struct body_budget *budget;
    const struct log *log;
    struct mailbox *in, *out;
    void (*wake)(void *arg);
    void *wake_arg;
};

struct reader;

int reader_new(const struct reader_options *options, struct reader **ret);
void reader_free(struct reader *r); /* takes NULL */
/* Answers all that waits, and goes a step on with thinning segments out (thin.h). False when there was neither: files that are open are closed then, so that what was removed gives its room
 * back. */
bool reader_step(struct reader *r);
/* From the store thread: closes the connection, and keeps it closed until reader_go_on: whatever needs it fails with FL_EIO.
 * Alone with a log whose sync failed, it would read what is not durable; bodies are read all the same. */
void reader_pause(void *reader);
void reader_go_on(void *reader);

#endif
