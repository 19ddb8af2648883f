/* writer.c: see writer.h. */
#include "writer.h"

#include <stdlib.h>

#include "clock.h"
#include "fault.h"
#include "recover.h"
#include "thin.h"
#include "wal_file.h"

enum {
    LOOK_US = 1000000,            /* how often free space is looked at */
    LOOK_BYTES = 16 << 20,        /* and after how many bytes written */
    RETRY_FIRST_US = 100000,      /* after a failure: twice as long each time, */
    RETRY_LAST_US = 5000000,      /* up to this */
    WAL_FRAME_BYTES = 4096 + 24,
    BATCH_OPS = 10000,            /* of all kinds: bounds a transaction of settles */
};

static const char RESERVE_NAME[] = "reserve";

struct writer {
    struct writer_options o;
    struct engine *engine;        /* NULL: to be opened anew */
    struct segments *segments;
    struct tally tally;
    struct op_list pending;       /* in order; what waits for a disk that fails stays here */
    struct op_list batch;
    struct op_message **messages; /* of the batch, that bring bodies */
    int message_count, message_room;
    uint64_t number;              /* of the last batch tried */
    bool unknown;                 /* its COMMIT failed: `batch` waits for the reopened database */
    int unknown_rc;               /* why */
    bool reserve;                 /* the reserve file is there */
    int64_t look_us;              /* when free space is looked at next */
    int64_t sparse_us;            /* when sparse segments are looked for next */
    int64_t unlooked;             /* bytes written since */
    int64_t retry_us, retry_delay_us;
};

static int64_t now_us(const struct writer *w)
{
    return w->o.mono_us(w->o.mono_arg);
}

static void set_health(struct writer *w, enum store_health health, const char *why)
{
    static const char *const names[] = { [STORE_OK] = "ok", [STORE_FULL] = "full", [STORE_FAILED] = "failed" };
    enum store_health was = (enum store_health)atomic_exchange(w->o.health, (int)health);
    struct log_line l;

    if (was == health)
        return;
    log_begin(&l, w->o.log, health == STORE_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "store_health");
    log_text(&l, "state", names[health]);
    log_text(&l, "was", names[was]);
    log_text(&l, "why", why);
    log_end(&l);
}

static bool is_full(const struct writer *w)
{
    return atomic_load(w->o.health) == STORE_FULL;
}

/* ---------------------------------------------------------------- the reserve and free space */

/* A file whose room is given up when a disk is so full that outcomes could not be written. */
static void reserve_make(struct writer *w)
{
    struct file *f;
    int rc;

    if (w->reserve)
        return;
    rc = disk_open_file(w->o.disk, RESERVE_NAME, FILE_CREATE, &f);
    if (rc == FL_EEXIST)
        rc = disk_open_file(w->o.disk, RESERVE_NAME, FILE_WRITE, &f);
    if (rc < 0)
        return;
    w->reserve = file_allocate(f, (uint64_t)w->o.reserve_bytes) == 0;
    file_close(f);
    if (!w->reserve)
        disk_unlink(w->o.disk, RESERVE_NAME);
}

/* True when that may have helped. */
static bool reserve_release(struct writer *w)
{
    if (disk_unlink(w->o.disk, SEGMENT_SPARE) == 0)
        return true;
    if (!w->reserve)
        return false;
    w->reserve = false;
    return disk_unlink(w->o.disk, RESERVE_NAME) == 0;
}

/* Free space is looked at once a second, and when much was written. */
static void look_at_space(struct writer *w, bool now)
{
    int64_t us = now_us(w), space;

    w->unlooked += segments_written(w->segments);
    if (!now && us < w->look_us && w->unlooked < LOOK_BYTES)
        return;
    w->look_us = us + LOOK_US;
    w->unlooked = 0;
    space = disk_free_space(w->o.disk);
    if (space < 0)
        return;
    w->o.figures->free_bytes = space;
    if (atomic_load(w->o.health) == STORE_FAILED)
        return;
    if (space < w->o.min_free_space) {
        set_health(w, STORE_FULL, "free space is below store.min_free_space");
        return;
    }
    if (!w->reserve && space >= w->o.min_free_space + 2 * w->o.reserve_bytes)
        reserve_make(w);
    if (is_full(w))
        set_health(w, STORE_OK, "there is space again");
}

/* ---------------------------------------------------------------- answers */

static void answer(struct writer *w, struct op_list *ops)
{
    if (!STAILQ_EMPTY(ops) && mailbox_post(w->o.out, ops, true))
        w->o.wake(w->o.wake_arg);
}

static void answer_one(struct writer *w, struct op *op, int rc)
{
    struct op_list one = STAILQ_HEAD_INITIALIZER(one);

    op->rc = rc;
    STAILQ_INSERT_TAIL(&one, op, link);
    answer(w, &one);
}

/* Answers all accepts of the list with rc, and leaves the rest in it. Returns how many there were. */
static int refuse_accepts(struct writer *w, struct op_list *ops, int rc)
{
    struct op_list rest = STAILQ_HEAD_INITIALIZER(rest), refused = STAILQ_HEAD_INITIALIZER(refused);
    struct op *op;
    int count = 0;

    while ((op = STAILQ_FIRST(ops))) {
        STAILQ_REMOVE_HEAD(ops, link);
        if (op->type == OP_ACCEPT || (op->type == OP_SETTLE && FAULT(settle_lost))) {
            op->rc = rc;
            STAILQ_INSERT_TAIL(&refused, op, link);
            count++;
        } else {
            STAILQ_INSERT_TAIL(&rest, op, link);
        }
    }
    STAILQ_CONCAT(ops, &rest);
    answer(w, &refused);
    return count;
}

/* Puts the batch back in front, for another try: bodies find a new place then. */
static void put_back(struct writer *w)
{
    for (int i = 0; i < w->message_count; i++)
        if (!w->messages[i]->again)
            w->messages[i]->place = (struct body_place){ 0 };
    w->message_count = 0;
    STAILQ_CONCAT(&w->batch, &w->pending);
    STAILQ_CONCAT(&w->pending, &w->batch);
}

/* ---------------------------------------------------------------- failures */

static void abandon_engine(struct writer *w)
{
    w->o.reader_pause(w->o.reader_arg);
    engine_abandon(w->engine);
    w->engine = NULL;
}

static void fail(struct writer *w, const char *why)
{
    set_health(w, STORE_FAILED, why);
    abandon_engine(w);
    w->retry_delay_us = w->retry_delay_us ? w->retry_delay_us * 2 : RETRY_FIRST_US;
    if (w->retry_delay_us > RETRY_LAST_US)
        w->retry_delay_us = RETRY_LAST_US;
    w->retry_us = now_us(w) + w->retry_delay_us;
}

static int accept_error(int rc)
{
    return rc == FL_EFULL ? FL_EFULL : FL_EIO;
}

/* The batch did not happen, for want of space: accepts are refused; the rest is tried again, with the reserve if it is
 * alone. */
static void not_for_want_of_space(struct writer *w)
{
    int refused;

    set_health(w, STORE_FULL, "the disk is full");
    w->look_us = now_us(w) + LOOK_US;
    refused = refuse_accepts(w, &w->batch, FL_EFULL);
    put_back(w);
    if (refused == 0 && !reserve_release(w))
        fail(w, "the disk is full, outcomes cannot be written");
}

/* One operation is at fault, and not the disk: it alone fails. */
static void not_for_this_one(struct writer *w, struct op *culprit, int rc)
{
    log_message(w->o.log, LOG_LEVEL_ERROR, "store_operation_failed", "operation %d: error %d", (int)culprit->type, rc);
    STAILQ_REMOVE(&w->batch, culprit, op, link);
    for (int i = 0; i < w->message_count; i++)
        if (w->messages[i] == op_message(culprit))
            w->messages[i] = w->messages[--w->message_count];
    answer_one(w, culprit, culprit->type == OP_ACCEPT ? accept_error(rc) : rc);
    put_back(w);
}

/* The batch did not happen. */
static void not_done(struct writer *w, struct op *culprit, int rc)
{
    tally_clear(&w->tally);
    if (rc == FL_EFULL) {
        not_for_want_of_space(w);
    } else if (rc == FL_EINVAL && culprit) {
        not_for_this_one(w, culprit, rc);
    } else {
        refuse_accepts(w, &w->batch, FL_EIO);
        put_back(w);
        fail(w, rc == FL_ENOMEM ? "out of memory" : rc == FL_ECORRUPT ? "the database is damaged" : "an error of the disk");
    }
}

/* ---------------------------------------------------------------- a batch */

static bool note_message(struct writer *w, struct op_message *m)
{
    if (w->message_count == w->message_room) {
        int room = w->message_room ? w->message_room * 2 : 64;
        struct op_message **bigger = realloc(w->messages, (size_t)room * sizeof(struct op_message *));

        if (!bigger)
            return false;
        w->messages = bigger;
        w->message_room = room;
    }
    w->messages[w->message_count++] = m;
    m->again = body_place(m->env->body)->segment != 0;
    m->place = m->again ? *body_place(m->env->body) : (struct body_place){ 0 };
    return true;
}

/* Moves from pending what makes one transaction, in order. Accepts that cannot be taken are refused here. */
static void cut_batch(struct writer *w)
{
    int64_t messages = 0, bytes = 0, ops = 0;
    struct op *op;

    w->message_count = 0;
    while ((op = STAILQ_FIRST(&w->pending)) && ops < BATCH_OPS) {
        struct op_message *m = op_message(op);

        if (m && messages > 0 && (messages >= w->o.group_max_messages || bytes >= w->o.group_max_bytes))
            break;
        STAILQ_REMOVE_HEAD(&w->pending, link);
        if (op->type == OP_ACCEPT && is_full(w)) {
            answer_one(w, op, FL_EFULL);
            continue;
        }
        if (m && !note_message(w, m)) {
            STAILQ_INSERT_HEAD(&w->pending, op, link);
            break;
        }
        if (m) {
            messages++;
            bytes += (int64_t)body_in_memory(m->env->body);
        }
        STAILQ_INSERT_TAIL(&w->batch, op, link);
        ops++;
    }
}

static int write_segments(struct writer *w)
{
    struct tally_segment *t, *next;
    int rc = 0;

    HASH_ITER(hh, w->tally.segments, t, next)
    {
        if (FAULT(segment_unlinked_early) && segments_dies(w->segments, t)) {
            char name[SEGMENT_NAME];

            segment_name(t->id, name);
            disk_unlink(w->o.disk, name);
        }
        if (rc == 0)
            rc = segments_dies(w->segments, t) ? engine_delete_segment(w->engine, t->id)
                                               : engine_put_segment(w->engine, t->id, segments_live_after(w->segments, t));
    }
    return rc;
}

static bool only_reads(const struct op *op)
{
    return op->type == OP_LOAD || op->type == OP_LOAD_EXPIRED || op->type == OP_SELECT;
}

/* All up to the COMMIT. *culprit: the operation that failed, if it was one. */
static int apply(struct writer *w, struct op **culprit, int *flushes)
{
    struct op *op;
    int rc = segments_write(w->segments, w->messages, w->message_count);

    if (rc < 0)
        return rc;
    rc = engine_begin(w->engine, w->o.wall_ms(w->o.wall_arg));
    if (rc < 0)
        return rc;
    STAILQ_FOREACH(op, &w->batch, link)
    {
        rc = op->rc = engine_apply(w->engine, op);
        if (rc < 0 && only_reads(op) && (rc == FL_ECORRUPT || rc == FL_ENOMEM))
            continue; /* what cannot be read is the asker's answer, and stops nobody else */
        if (rc < 0) {
            *culprit = op;
            return rc;
        }
    }
    rc = segments_tally_idle(w->segments, &w->tally);
    if (rc == 0)
        rc = engine_write_counts(w->engine);
    if (rc == 0)
        rc = write_segments(w);
    if (rc == 0)
        rc = segments_sync(w->segments, flushes);
    return rc;
}

static void remove_large(struct writer *w, const struct op *op)
{
    char name[SEGMENT_NAME];

    if (op->type != OP_SETTLE || !op->settle.result.message_gone || !body_place_has_file(&op->settle.gone))
        return;
    segment_large_name(&op->settle.gone.file, name);
    w->o.discard(w->o.discard_arg, name, false);
}

static void segment_gone(void *arg, const char *name)
{
    struct writer *w = arg;

    w->o.discard(w->o.discard_arg, name, true);
}

/* It is durable: bodies learn their places, dead files go, everybody is answered. */
static void done(struct writer *w)
{
    struct op *op;

    for (int i = 0; i < w->message_count; i++)
        if (!w->messages[i]->again)
            body_set_place(w->messages[i]->env->body, &w->messages[i]->place);
    w->message_count = 0;
    segments_commit(w->segments, &w->tally, segment_gone, w);
    tally_clear(&w->tally);
    STAILQ_FOREACH(op, &w->batch, link)
        remove_large(w, op);
    answer(w, &w->batch);
    w->retry_delay_us = 0;
}

static void run_batch(struct writer *w)
{
    struct op *culprit = NULL;
    int64_t began = now_us(w);
    int messages = w->message_count, flushes = 0, rc = apply(w, &culprit, &flushes);

    if (rc < 0) {
        engine_rollback(w->engine);
        not_done(w, culprit, rc);
        return;
    }
    rc = engine_commit(w->engine, ++w->number);
    if (rc < 0) {
        w->unknown = true;
        w->unknown_rc = rc;
        fail(w, rc == FL_EFULL ? "the disk is full at a COMMIT" : "a COMMIT failed");
        w->retry_us = 0;
        return;
    }
    figures_commit(w->o.figures, now_us(w) - began, messages, flushes + 1);
    w->o.figures->wal_bytes = (int64_t)engine_wal_frames(w->engine) * WAL_FRAME_BYTES;
    done(w);
}

/* ---------------------------------------------------------------- opening anew */

/* The reopened database says whether the batch whose COMMIT failed is in it. */
static void judge_unknown(struct writer *w, uint64_t committed)
{
    w->unknown = false;
    if (committed == w->number && !FAULT(unknown_is_failed)) {
        done(w);
        return;
    }
    not_done(w, NULL, w->unknown_rc == FL_EFULL ? FL_EFULL : FL_EIO);
}

static int add_segment(void *arg, uint64_t id, int64_t live, int64_t most)
{
    return segments_add(arg, id, live, most);
}

/* Opens the database; when that succeeds, all that can be read from it is durable, whatever failed before. */
static int open_engine(struct writer *w, uint64_t *ret_batch, struct fl_err *err)
{
    struct engine_options eo = { .path = w->o.path, .vfs = w->o.vfs, .budget = w->o.budget, .tally = &w->tally };
    int rc = wal_file_harden(w->o.disk, w->o.path);

    if (rc < 0)
        return fl_fail(err, rc, "%s-wal: cannot be made durable", w->o.path);
    rc = engine_open(&eo, &w->engine, err);
    if (rc == 0) {
        rc = engine_checkpoint(w->engine, true);
        if (rc == 0)
            rc = wal_file_sync(w->o.disk, w->o.path);
        if (rc == 0)
            rc = disk_sync(w->o.disk);
        if (rc == 0)
            rc = engine_batch(w->engine, ret_batch);
        if (rc < 0)
            fl_fail(err, rc, "%s: cannot be read after opening", w->o.path);
    }
    if (rc < 0)
        abandon_engine(w);
    return rc;
}

/* True when the database is open. */
static bool heal(struct writer *w)
{
    struct fl_err err;
    uint64_t committed;
    int rc;

    if (w->engine)
        return true;
    if (now_us(w) < w->retry_us)
        return false;
    segments_seal(w->segments);
    rc = open_engine(w, &committed, &err);
    if (rc == FL_EFULL && reserve_release(w)) {
        w->retry_us = 0;
        return false;
    }
    if (rc < 0) {
        log_message(w->o.log, LOG_LEVEL_ERROR, "store_reopen_failed", "%s", err.text);
        fail(w, "it cannot be opened");
        return false;
    }
    w->o.reader_go_on(w->o.reader_arg);
    set_health(w, STORE_OK, "opened anew");
    if (w->unknown)
        judge_unknown(w, committed);
    else
        w->number = committed;
    return w->engine != NULL;
}

/* ---------------------------------------------------------------- the step */

static void checkpoint(struct writer *w)
{
    if (w->engine && engine_wal_waiting(w->engine) >= w->o.checkpoint_frames) {
        int rc = engine_checkpoint(w->engine, false);

        if (rc < 0 && rc != FL_EFULL && rc != FL_EBUSY)
            fail(w, "a checkpoint failed");
    }
}

/* Between two batches, while no outcome is unknown. */
static void look_for_sparse(struct writer *w)
{
    uint64_t sparse[THIN_SEGMENTS];
    int count;

    if (now_us(w) < w->sparse_us)
        return;
    w->sparse_us = now_us(w) + w->o.thin_us;
    count = segments_sparse(w->segments, sparse, THIN_SEGMENTS);
    if (count)
        w->o.thin_out(w->o.discard_arg, sparse, count);
}

bool writer_step(struct writer *w)
{
    mailbox_take(w->o.in, &w->pending);
    look_at_space(w, false);
    if (!heal(w)) {
        refuse_accepts(w, &w->pending, FL_EIO);
        return false;
    }
    look_for_sparse(w);
    cut_batch(w);
    if (STAILQ_EMPTY(&w->batch))
        return false;
    run_batch(w);
    checkpoint(w);
    return !STAILQ_EMPTY(&w->pending) || w->unknown;
}

int writer_wait_ms(const struct writer *w)
{
    int64_t left;

    if (w->engine)
        return LOOK_US / 1000;
    left = w->retry_us - now_us(w);
    return left > 0 ? (int)(left / 1000) + 1 : 0;
}

bool writer_is_stuck(const struct writer *w)
{
    return w->engine == NULL;
}

int writer_open(const struct writer_options *options, struct writer **ret, struct fl_err *err)
{
    struct writer *w = calloc(1, sizeof *w);
    int rc;

    if (!w)
        return fl_fail(err, FL_ENOMEM, "store: out of memory");
    w->o = *options;
    STAILQ_INIT(&w->pending);
    STAILQ_INIT(&w->batch);
    rc = segments_new(options->disk, options->segment_bytes, &w->segments);
    if (rc < 0)
        fl_fail(err, rc, "store: out of memory");
    if (rc == 0)
        rc = open_engine(w, &w->number, err);
    if (rc == 0) {
        rc = engine_segments(w->engine, add_segment, w->segments);
        if (rc < 0)
            fl_fail(err, rc, "%s: its segments cannot be read", options->path);
    }
    if (rc == 0)
        rc = recover_files(w->engine, options->disk, w->segments, options->log, err);
    if (rc < 0) {
        writer_free(w);
        return rc;
    }
    look_at_space(w, true);
    w->sparse_us = now_us(w) + options->thin_us;
    *ret = w;
    return 0;
}

static void drop_all(struct op_list *ops)
{
    struct op *op;

    while ((op = STAILQ_FIRST(ops))) {
        STAILQ_REMOVE_HEAD(ops, link);
        op_free(op);
    }
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    drop_all(&w->batch);
    drop_all(&w->pending);
    tally_clear(&w->tally);
    segments_free(w->segments);
    engine_close(w->engine);
    free(w->messages);
    free(w);
}

int writer_recover(struct writer *w, int64_t max_fresh, struct recovered **ret, struct fl_err *err)
{
    return recover_read(w->engine, w->o.wall_ms(w->o.wall_arg), &w->number, max_fresh, ret, err);
}
