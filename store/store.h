/* store.h: what was answered with 250 exists. The only way to the database and the body files; no SQL above it.
 *
 * One store thread owns the writing connection and takes all that waits as one transaction (group commit, synchronous=FULL, bodies
 * synced before the COMMIT); a reader thread serves bodies and listings and never feeds the scheduler. Operations of one client are
 * carried out in the order in which they were posted. Every done() runs on the loop, from store_dispatch(), never inside the call
 * that posted it. All operations are idempotent by id. Slices given to a call are copied or held by a reference until done.
 *
 * What an operation can end as:
 *   0            committed and durable
 *   FL_EFULL     disk full, or below min_free_space (accept only): nothing was stored          → 452
 *   FL_EIO       the database fails: nothing was stored, or it could not be told and the reopened database does not have it → 451
 * Settles, parks, holds never fail while the process lives: they wait in the store until it heals (store_health says so meanwhile).
 *
 * Fresh and parked. A fresh message is one row without secondary index, and is in memory from its acceptance on. A parked recipient
 * is a row in the index (queue, due, message, number); it comes into memory by store_load only, which changes nothing in the database.
 * The first settle that does not end the whole of a fresh message turns its remaining recipients into parked rows. */
#ifndef FL_STORE_H
#define FL_STORE_H

#include "body.h"
#include "envelope.h"
#include "err.h"
#include "log.h"

struct store;

enum store_health {
    STORE_OK,
    STORE_FULL,   /* nothing is accepted; settles go on out of the reserve */
    STORE_FAILED, /* nothing commits: accept nothing, begin no delivery; it is being reopened */
};

struct store_options {
    const char *data_dir;       /* holds fairlead.db and the segments; made with mode 0700 when missing */
    int64_t group_max_messages, group_max_bytes, min_free_space;
    struct body_budget *budget; /* borrowed */
    const struct log *log;      /* borrowed */
    int64_t (*wall_ms)(void *arg);
    void *wall_arg;
    /* Called from the store's threads when answers wait: wakes the loop that will call store_dispatch. */
    void (*wake)(void *arg);
    void *wake_arg;
    int64_t max_fresh_at_start; /* fresh messages above this number are parked at start */
};

/* ---------------------------------------------------------------- what a start finds */
struct stored_queue {
    struct queue_key key;
    int64_t messages, recipients, bytes; /* parked ones; bytes: of messages, once each */
    int64_t next_due_ms;    /* of the parked; NEVER_MS: none */
    int64_t oldest_ms;      /* received, of the parked */
    /* its own clock */
    int attempts;
    int64_t next_attempt_ms; /* 0: ready */
    struct last_reply reply;
};

enum hold_kind { HOLD_TENANT, HOLD_VMTA, HOLD_QUEUES, HOLD_JOB }; /* QUEUES: any of tenant, vmta, domain (empty: all) */
struct stored_hold {
    struct ulid id;
    struct slice tenant, vmta, domain, job; /* empty: not said; all that are said must match */
    bool refuse;                            /* tenant hold --refuse */
    struct slice who;
    int64_t since_ms;
};

struct stored_job {
    struct slice tenant, job;
    int64_t queued, delivered, bounced, expired, dropped; /* recipients */
    int64_t bytes;                                        /* of messages accepted */
    int64_t first_accepted_ms, last_event_ms;
};

struct store_recovered {
    const struct stored_queue *queues;
    int queue_count;
    const struct stored_hold *holds;
    int hold_count;
    const struct stored_job *jobs;
    int job_count;
    struct envelope *const *fresh; /* oldest first; a reference each is the store's until store_forget_recovered */
    int fresh_count;
    uint64_t next_queue_id;
};

/* Opens or makes the database, checks it (quick check of its header, newer schema and a file that another process holds refused
 * with that process's pid), migrates, clears what a power cut can leave, and starts the threads. Blocks; before the loop runs. */
int store_open(const struct store_options *options, struct store **ret, struct fl_err *err);
/* Borrowed until store_forget_recovered. */
const struct store_recovered *store_recovered(const struct store *s);
void store_forget_recovered(struct store *s);
/* Commits what waits, stops the threads, closes (readers first, the writer last). Calls no done(). Takes NULL. */
void store_close(struct store *s);

/* Hands posted operations to the store thread: once per turn of the loop. */
void store_flush(struct store *s);
/* Runs done() of all that ended. Loop thread, when woken. */
void store_dispatch(struct store *s);

enum store_health store_health(const struct store *s); /* any thread */

/* ---------------------------------------------------------------- operations */
typedef void store_done(void *arg, int rc);

/* Makes a message durable: fresh (all its recipients in memory and deliverable now) or parked. Keeps a reference of env (its body
 * included) until done; the caller keeps its own. The body's memory stays. */
void store_accept(struct store *s, struct envelope *env, bool fresh, store_done *done, void *arg);

enum settle_kind {
    SETTLE_DELIVERED, SETTLE_BOUNCED, SETTLE_EXPIRED, SETTLE_DROPPED, /* the recipient is gone */
    SETTLE_PARK,                                                     /* it waits: attempts, due, reply and queue are written */
};

struct settle_rcpt {
    uint32_t number;
    enum settle_kind kind;
    int attempts;
    bool delay_notified;
    int64_t due_ms;                /* SETTLE_PARK */
    const struct queue_key *queue; /* SETTLE_PARK: where it waits; NULL: where it was. Copied. */
    struct last_reply reply;       /* SETTLE_PARK; time_ms 0: keep what is there. Copied. */
};

/* What the COMMIT changed, for the loop's counts. Only in settled(). */
struct settle_result {
    bool message_gone;   /* the whole message is gone, its body with it */
    int messages_left;   /* queues (1 each) in which this message has no recipient any more */
    struct { uint64_t queue; } left[8]; /* their ids, the first 8 */
};

typedef void store_settled(void *arg, const struct settle_result *r);

/* Writes the outcome of recipients of one message, in one transaction with the DSN about them (NULL: none; fresh as in
 * store_accept). Keeps a reference of env and of dsn meanwhile; the caller keeps its own. done runs after COMMIT, however long the
 * disk takes. */
void store_settle(struct store *s, struct envelope *env, const struct settle_rcpt *rcpts, int count, struct envelope *dsn,
                  bool dsn_fresh, store_settled *done, void *arg);

/* Where a load or a selection goes on: after this row. All zero: from the beginning. */
struct load_key {
    int64_t due_ms;
    struct ulid message;
    uint32_t number;
};

struct load_result {
    struct envelope **envelopes; /* each with those recipients only that were found; references given to done */
    int count;
    struct load_key after;       /* for the next call */
    bool more;                   /* there is more that is due */
    int64_t next_due_ms;         /* of the rows behind `after`; NEVER_MS: none. Not set by store_select. */
};

typedef void store_loaded(void *arg, int rc, const struct load_result *r);

/* Parked recipients of a queue that are due, in the order (due, message, number) after the key; at most `limit` recipients.
 * Carried out by the store thread, behind all that was posted before. Bodies stay on disk. */
void store_load(struct store *s, uint64_t queue, int64_t due_until_ms, const struct load_key *after, int limit,
                store_loaded *done, void *arg);
/* Parked recipients that have expired (expires ≤ now), oldest first. */
void store_load_expired(struct store *s, uint64_t queue, int64_t now_ms, int limit, store_loaded *done, void *arg);

struct store_selection {
    uint64_t queue;          /* 0: any (then tenant and job, or message, must be said) */
    struct slice tenant, job;
    const struct ulid *message;
    int64_t received_before_ms; /* NEVER_MS: any */
};
/* Parked recipients that a command speaks of, due or not; in key order, `limit` at a time. The store thread, as store_load. */
void store_select(struct store *s, const struct store_selection *sel, const struct load_key *after, int limit,
                  store_loaded *done, void *arg);

/* The queue's own clock and last error. Unordered updates of one queue are merged. Fire and forget: never lost while the process
 * lives; a crash may lose the last ones, which costs one early attempt. */
void store_queue_clock(struct store *s, const struct queue_key *key, int attempts, int64_t next_attempt_ms,
                       const struct last_reply *reply);
/* Removes the row of a queue that is empty. Nothing when it is not. */
void store_queue_forget(struct store *s, uint64_t queue);

/* Standing rules. done may be NULL. */
void store_hold_put(struct store *s, const struct stored_hold *h, store_done *done, void *arg);
void store_hold_delete(struct store *s, const struct ulid *id, store_done *done, void *arg);
void store_job_forget(struct store *s, struct slice tenant, struct slice job);

/* ---------------------------------------------------------------- large content, written as it comes */
struct store_spool;
/* A file of its own for what follows the part in memory. Written by a thread of the store, so that commits do not wait for it. */
int store_spool_open(struct store *s, struct store_spool **ret);
/* Adds bytes (copied). Back-pressure: stop reading the client while store_spool_waiting is above 1 MiB; written() runs when it
 * has sunk. */
int store_spool_add(struct store_spool *sp, struct slice bytes);
int64_t store_spool_waiting(const struct store_spool *sp);
void store_spool_on_written(struct store_spool *sp, void (*written)(void *arg), void *arg);
/* Ends it: syncs, and then gives the file to the body as its second part (done 0), or says why not (FL_EFULL, FL_EIO). */
void store_spool_finish(struct store_spool *sp, struct body *body, store_done *done, void *arg);
/* Drops it, the file too. Allowed at any time before finish. */
void store_spool_abort(struct store_spool *sp);
/* Removes the file of a body that was finished, and that no message will have after all. FL_ENOMEM: the next start removes it.
 * (A store_accept that fails does this itself.) */
int store_spool_drop(struct store *s, const struct body *body);

/* ---------------------------------------------------------------- reader: bodies and listings */
typedef void store_read_done(void *arg, int rc, struct slice bytes);
/* Up to n bytes of a stored body from offset on (over both parts). bytes is borrowed inside done; FL_ECORRUPT when a checksum does
 * not fit (checked when the part was read in order from its beginning to its end), FL_ENOENT when it is not stored yet. At most 1 MiB a call. */
void store_read(struct store *s, struct body *body, uint64_t offset, size_t n, store_read_done *done, void *arg);

/* A listing row: one envelope with the recipients found. Bodies stay on disk. `r` and its envelopes are borrowed inside done. */
void store_list_queue(struct store *s, uint64_t queue, const struct load_key *after, int limit, store_loaded *done, void *arg);
/* One whole message (all its recipients that are left), fresh or parked; count 0: there is none. */
void store_show(struct store *s, const struct ulid *message, store_loaded *done, void *arg);

/* ---------------------------------------------------------------- figures */
enum { STORE_BUCKETS = 16 };
struct store_stats {
    uint64_t commits, flushes, messages; /* since start */
    uint64_t commit_us_bucket[STORE_BUCKETS], commit_us_sum; /* bucket i: < 2^(i+6) µs; the last: more */
    uint64_t group_bucket[STORE_BUCKETS], group_sum;         /* bucket i: ≤ 2^i messages */
    int64_t wal_bytes, free_bytes;
};
void store_stats(const struct store *s, struct store_stats *ret); /* any thread */
const char *store_sqlite_version(void);
/* Whether that release has the WAL-reset bug (3.7.0 … 3.51.2 but 3.44.6 and 3.50.7 and their successors on those branches). */
bool store_sqlite_is_affected(const char *version);

#endif
