/* engine.h: a database of messages, narrow enough that another one can stand behind it. SQLite is the one there is
 * (sqlite_*.c). A writing engine belongs to the store thread, a reading one to the reader thread. Every change happens between
 * engine_begin and engine_commit. Errors: FL_EFULL (no space), FL_ENOMEM, FL_EINVAL (a constraint: our mistake), FL_ECORRUPT,
 * FL_EBUSY, FL_EIO. */
#ifndef FL_ENGINE_H
#define FL_ENGINE_H

#include "op.h"
#include "tally.h"

struct engine;

struct engine_options {
    const char *path;           /* of the database file */
    const char *vfs;            /* the file system below SQLite; NULL: the system's */
    struct body_budget *budget; /* for the bodies of what is loaded; borrowed */
    struct tally *tally;        /* what the changes sum up to; borrowed; NULL: this one only reads */
};

/* Opens the database (a writing one makes it when it is missing, and migrates it), and reads enough to find plain damage. A
 * newer schema is FL_EINVAL. */
int engine_open(const struct engine_options *options, struct engine **ret, struct fl_err *err);
/* Takes NULL. A writing one, when it is the last, empties the log into the database. */
void engine_close(struct engine *e);
/* Closes after an error, touching the disk as little as possible: what is in the log is judged by whoever opens it next. Takes
 * NULL. */
void engine_abandon(struct engine *e);

int engine_begin(struct engine *e, int64_t now_ms);
/* Carries out one operation; sums what it changes up in the tally. After an error the transaction must be rolled back. */
int engine_apply(struct engine *e, struct op *op);
/* Writes the queues and jobs of the tally. */
int engine_write_counts(struct engine *e);
int engine_put_segment(struct engine *e, uint64_t id, int64_t live);
int engine_delete_segment(struct engine *e, uint64_t id);
int engine_delete_spool(struct engine *e, const struct ulid *file);
/* batch: a number that rises with each; it is written in the same transaction. An error leaves the outcome unknown: close,
 * open, and compare with engine_batch(). */
int engine_commit(struct engine *e, uint64_t batch);
void engine_rollback(struct engine *e);
/* The number of the last batch that was committed. */
int engine_batch(struct engine *e, uint64_t *ret);

/* Frames in the log since it began anew; and those that no checkpoint has copied yet. */
int engine_wal_frames(const struct engine *e);
int engine_wal_waiting(const struct engine *e);
/* Copies the log into the database: what can be copied without waiting; or, to_end, all of it, and empties the log: after that
 * everything that can be read is durable. */
int engine_checkpoint(struct engine *e, bool to_end);

/* Looking up without changing: OP_LIST_QUEUE and OP_SHOW, in a read transaction of their own. */
int engine_find(struct engine *e, struct op *op);

/* What a start reads; see recover.h. Texts live in the arena. Each calls back once a row, until that returns other than 0. */
typedef int engine_each_queue(void *arg, const struct stored_queue *q);
typedef int engine_each_hold(void *arg, const struct stored_hold *h);
typedef int engine_each_job(void *arg, const struct stored_job *j);
typedef int engine_each_segment(void *arg, uint64_t id, int64_t live, int64_t most);
typedef int engine_each_fresh(void *arg, struct envelope *e); /* takes the reference */
int engine_queues(struct engine *e, engine_each_queue *each, void *arg);
int engine_holds(struct engine *e, engine_each_hold *each, void *arg);
int engine_jobs(struct engine *e, engine_each_job *each, void *arg);
int engine_segments(struct engine *e, engine_each_segment *each, void *arg);
/* Fresh messages after this id (all zero: from the first), oldest first, at most limit. */
int engine_fresh(struct engine *e, const struct ulid *after, int64_t limit, engine_each_fresh *each, void *arg);
/* Where bodies lie: rows of one table after this id (all zero: from the first), by rising id, in a read transaction of its own.
 * How many there were (fewer than limit: no more follow), or an error. */
enum engine_bodies { BODIES_FRESH, BODIES_PARKED };
typedef int engine_each_body(void *arg, const struct ulid *message, const struct body_place *place);
int engine_bodies(struct engine *e, enum engine_bodies table, const struct ulid *after, int limit, engine_each_body *each,
                  void *arg);
/* Whether a message needs this file: 1, 0 or an error. */
int engine_has_spool(struct engine *e, const struct ulid *file);
int engine_next_queue(struct engine *e, uint64_t *ret);
/* Turns a fresh message into a parked one, its recipients as they are. */
int engine_park_fresh(struct engine *e, const struct ulid *message);

#endif
