/* store_parts.h: what a store is made of, for store.c and store_open.c, and for a simulator, which brings a disk of its own,
 * has no threads, and calls the steps itself. */
#ifndef FL_STORE_PARTS_H
#define FL_STORE_PARTS_H

#include "store_figures.h"
#include "reader.h"
#include "recover.h"
#include "spool.h"
#include "writer.h"

/* The ports below a store. */
struct store_parts {
    struct disk *disk;      /* borrowed */
    const char *path, *vfs; /* of the database, and the file system below SQLite (NULL: the system's) */
    uint64_t segment_bytes;
    int checkpoint_frames;
    int64_t reserve_bytes, thin_us;
    uint64_t seed;
    int64_t (*mono_us)(void *arg);
    void *mono_arg;
    bool threads;
};

struct store {
    struct store_options o;
    struct disk *disk;           /* owned where store_open opened it; else NULL */
    char *path;                  /* the same */
    struct mailbox to_writer, to_reader, to_spools, answers;
    int mailboxes;               /* how many of them are usable */
    struct op_list outbox;       /* loop only: posted, not yet handed over */
    bool outbox_eager;
    void *ballast;               /* loop only: memory that is given up before an outcome is lost */
    struct writer *writer;
    struct reader *reader;
    struct spools *spools;
    struct recovered *recovered;
    struct figures figures;
    _Atomic int health;          /* enum store_health */
    pthread_t writer_thread, reader_thread, spool_thread;
    bool writer_runs, reader_runs, spool_runs;
};

/* As store_open, above these ports. */
int store_open_on(const struct store_options *options, const struct store_parts *parts, struct store **ret, struct fl_err *err);

#endif
