/* writer.h: takes what waits, makes it one transaction, commits, answers: group commit. And what happens when the disk fails.
 * The store thread calls writer_step in a loop; a simulator calls it itself.
 *
 *        +--> OK <-----------------+ space is back
 *        |    | no space           |
 *        |    +----------------> FULL     accepts are refused; the rest goes on, out of the reserve when it must
 *        |    | anything else      | not even the rest has space
 *        +-- FAILED <--------------+      nothing commits: closed, reopened until it works */
#ifndef FL_WRITER_H
#define FL_WRITER_H

#include "engine.h"
#include "store_figures.h"
#include "mailbox.h"
#include "segment.h"

struct writer_options {
    struct disk *disk;              /* borrowed, as all here */
    const char *path, *vfs;         /* of the database, for the engine */
    struct body_budget *budget;
    const struct log *log;
    uint64_t segment_bytes;
    int checkpoint_frames;          /* of the log, after which it is copied into the database between two batches */
    int64_t reserve_bytes;          /* of the file that is given up when outcomes find no space */
    int64_t group_max_messages, group_max_bytes, min_free_space;
    struct mailbox *in, *out;
    struct figures *figures;
    _Atomic int *health;            /* enum store_health; written here */
    int64_t (*wall_ms)(void *arg);
    void *wall_arg;
    int64_t (*mono_us)(void *arg);
    void *mono_arg;
    /* Takes the reader's connection away, and permits it again: nobody else may hold the database once an error was met, until
     * all that can be read from it is durable again. */
    void (*reader_pause)(void *arg);
    void (*reader_go_on)(void *arg);
    void *reader_arg;
    /* No message needs this file any more: to be removed once nobody reads from it; segments may be kept as the spare one. */
    void (*discard)(void *arg, const char *name, bool is_segment);
    /* Of these segments little is left (see thin.h). */
    void (*thin_out)(void *arg, const uint64_t *segments, int count);
    void *discard_arg; /* of both */
    int64_t thin_us;   /* how often sparse segments are looked for */
    /* Answers were posted to `out`, which was empty. */
    void (*wake)(void *arg);
    void *wake_arg;
};

struct writer;

/* Opens the database for writing, empties its log, and takes the files over: what a power cut can have left is removed. */
int writer_open(const struct writer_options *options, struct writer **ret, struct fl_err *err);
/* Commits nothing more. Takes NULL. */
void writer_free(struct writer *w);
/* Reads what the mail streams need, before the first step; see recover.h. */
struct recovered;
int writer_recover(struct writer *w, int64_t max_fresh, struct recovered **ret, struct fl_err *err);

/* One batch. True: call again at once; false: nothing can be done before something arrives, or before writer_wait_ms has
 * passed. */
bool writer_step(struct writer *w);
/* How long the thread may sleep; negative: until something arrives. */
int writer_wait_ms(const struct writer *w);
/* Whether something waits for a disk that fails. */
bool writer_is_stuck(const struct writer *w);

#endif
