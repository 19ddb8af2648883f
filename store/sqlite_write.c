/* sqlite_write.c: messages and recipients come in, queues get their clocks, rules are put: all changes but the settles
 * (sqlite_settle.c). */
#include "sqlite_engine.h"

static void note_queue(struct engine *e, uint64_t id)
{
    if (id >= e->next_queue)
        e->next_queue = id + 1;
}

int sqlite_count_queue(struct engine *e, const struct envelope *env, const struct queue_key *key, int messages, int recipients)
{
    struct tally_queue *q = tally_queue(e->tally, key);

    if (!q)
        return FL_ENOMEM;
    q->messages += messages;
    q->recipients += recipients;
    q->bytes += messages * env->size;
    return 0;
}

int sqlite_count_job(struct engine *e, const struct envelope *env, enum job_column column, int64_t n)
{
    struct tally_job *j;

    if (env->job.n == 0)
        return 0;
    j = tally_job(e->tally, env->tenant, env->job);
    if (!j)
        return FL_ENOMEM;
    j->counts[column] += n;
    return 0;
}

int sqlite_message_in_queue(struct engine *e, const struct ulid *message, uint64_t queue)
{
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_IN_QUEUE);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, message);
    sql_bind_int(s, 2, (int64_t)queue);
    rc = sql_row(s);
    if (rc == 1)
        sqlite3_reset(s);
    return rc;
}

int sqlite_put_recipient(struct engine *e, const struct envelope *env, const struct envelope_rcpt *r)
{
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_PUT);
    int known, rc;

    if (!s)
        return sql_error(e);
    known = sqlite_message_in_queue(e, &env->id, r->queue.id);
    if (known < 0)
        return known;
    buf_clear(&e->scratch);
    rc = envelope_pack_details(&e->scratch, r);
    if (rc < 0)
        return rc;
    sql_bind_id(s, 1, &env->id);
    sql_bind_int(s, 2, (int64_t)r->queue.id);
    sql_bind_int(s, 3, r->number);
    sql_bind_int(s, 4, r->due_ms);
    sql_bind_int(s, 5, env->expires_ms);
    sql_bind_int(s, 6, r->attempts);
    sql_bind_blob(s, 7, buf_slice(&e->scratch));
    rc = sql_run(s);
    if (rc < 0)
        return rc;
    note_queue(e, r->queue.id);
    return sqlite_count_queue(e, env, &r->queue, !known, 1);
}

int sqlite_put_message(struct engine *e, const struct envelope *env, const struct body_place *place, bool raw)
{
    sqlite3_stmt *s = sql_get(e, SQL_MESSAGE_PUT);
    int rc;

    if (!s)
        return sql_error(e);
    buf_clear(&e->scratch);
    rc = envelope_pack_head(&e->scratch, env);
    if (rc < 0)
        return rc;
    sql_bind_id(s, 1, &env->id);
    sql_bind_place(s, 2, place, raw);
    sql_bind_blob(s, 2 + PLACE_COLUMNS, buf_slice(&e->scratch));
    if (env->job.n) { /* the tenant stands in a column only where the index over jobs needs it */
        sql_bind_text(s, 3 + PLACE_COLUMNS, env->tenant);
        sql_bind_text(s, 4 + PLACE_COLUMNS, env->job);
    } else {
        sqlite3_bind_null(s, 3 + PLACE_COLUMNS);
        sqlite3_bind_null(s, 4 + PLACE_COLUMNS);
    }
    rc = sql_run(s);
    return rc < 0 ? rc : sqlite3_changes(e->db);
}

static int put_fresh(struct engine *e, const struct op_message *m)
{
    sqlite3_stmt *s = sql_get(e, SQL_FRESH_PUT);
    int rc;

    if (!s)
        return sql_error(e);
    buf_clear(&e->scratch);
    rc = envelope_pack_head(&e->scratch, m->env);
    if (rc == 0)
        rc = envelope_pack_rcpts(&e->scratch, m->env);
    if (rc < 0)
        return rc;
    sql_bind_id(s, 1, &m->env->id);
    sql_bind_place(s, 2, &m->place, body_is_raw(m->env->body));
    sql_bind_blob(s, 2 + PLACE_COLUMNS, buf_slice(&e->scratch));
    rc = sql_run(s);
    if (rc < 0)
        return rc;
    for (int i = 0; i < m->env->rcpt_count; i++)
        note_queue(e, m->env->rcpts[i].queue.id);
    return sqlite3_changes(e->db);
}

static int put_parked(struct engine *e, const struct op_message *m)
{
    int rc = sqlite_put_message(e, m->env, &m->place, body_is_raw(m->env->body));

    for (int i = 0; i < m->env->rcpt_count && rc > 0; i++) {
        int put = sqlite_put_recipient(e, m->env, &m->env->rcpts[i]);

        if (put < 0)
            return put;
    }
    return rc;
}

/* Whether the other table has it: only for what was handed in before. */
static int is_elsewhere(struct engine *e, const struct op_message *m)
{
    sqlite3_stmt *s = sql_get(e, m->fresh ? SQL_MESSAGE_HAS : SQL_FRESH_GET);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, &m->env->id);
    rc = sql_row(s);
    if (rc == 1)
        sqlite3_reset(s);
    return rc;
}

static int put_spool(struct engine *e, const struct ulid *file)
{
    sqlite3_stmt *s = sql_get(e, SQL_SPOOL_PUT);

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, file);
    return sql_run(s);
}

int sqlite_accept(struct engine *e, struct op_message *m)
{
    struct tally_job *j;
    int rc = m->again ? is_elsewhere(e, m) : 0;

    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = m->fresh ? put_fresh(e, m) : put_parked(e, m);
    if (rc <= 0)
        return rc; /* an error, or it is there already and counted */
    rc = tally_segment(e->tally, m->place.segment, 1);
    if (rc == 0 && body_place_has_file(&m->place))
        rc = put_spool(e, &m->place.file);
    if (rc < 0 || m->env->job.n == 0)
        return rc;
    j = tally_job(e->tally, m->env->tenant, m->env->job);
    if (!j)
        return FL_ENOMEM;
    j->counts[JOB_QUEUED] += m->env->rcpt_count;
    j->bytes += m->env->size;
    if (!j->first_received_ms || m->env->received_ms < j->first_received_ms)
        j->first_received_ms = m->env->received_ms;
    return 0;
}

int engine_park_fresh(struct engine *e, const struct ulid *message)
{
    struct envelope *env;
    struct op_message m = { 0 };
    sqlite3_stmt *s = sql_get(e, SQL_FRESH_DELETE);
    int rc = s ? sqlite_fresh_get(e, message, &env) : sql_error(e);

    if (rc < 0)
        return rc;
    m.env = env;
    m.place = *body_place(env->body);
    sql_bind_id(s, 1, message);
    rc = sql_run(s);
    if (rc == 0)
        rc = put_parked(e, &m);
    /* the tally borrows the names of queues: it is written before they go */
    if (rc >= 0)
        rc = engine_write_counts(e);
    tally_clear(e->tally);
    envelope_unref(env);
    return rc;
}

static int put_clock(struct engine *e, const struct op *op)
{
    int rc;

    buf_clear(&e->scratch);
    rc = envelope_pack_reply(&e->scratch, &op->clock.reply);
    for (int i = 0; i < 2 && rc == 0; i++) {
        sqlite3_stmt *s = sql_get(e, i == 0 ? SQL_QUEUE_CLOCK : SQL_QUEUE_CLOCK_NEW);

        if (!s)
            return sql_error(e);
        sql_bind_int(s, 1, (int64_t)op->clock.key.id);
        sql_bind_int(s, 2, op->clock.attempts);
        sql_bind_int(s, 3, op->clock.next_attempt_ms);
        sql_bind_blob(s, 4, buf_slice(&e->scratch));
        if (i == 1) {
            sql_bind_text(s, 5, op->clock.key.tenant);
            sql_bind_text(s, 6, op->clock.key.vmta);
            sql_bind_text(s, 7, op->clock.key.domain);
        }
        rc = sql_run(s);
        if (rc == 0 && sqlite3_changes(e->db) > 0)
            break;
    }
    note_queue(e, op->clock.key.id);
    return rc;
}

/* A queue that got mail in this very batch has its counts in the tally still. */
static int forget_queue(struct engine *e, const struct op *op)
{
    sqlite3_stmt *s = sql_get(e, SQL_QUEUE_FORGET);
    struct tally_queue *q;

    HASH_FIND(hh, e->tally->queues, &op->find.queue, sizeof op->find.queue, q);
    if (q) {
        int rc = engine_write_counts(e);

        if (rc < 0)
            return rc;
    }
    if (!s)
        return sql_error(e);
    sql_bind_int(s, 1, (int64_t)op->find.queue);
    return sql_run(s);
}

static int put_hold(struct engine *e, const struct op *op)
{
    sqlite3_stmt *s = sql_get(e, SQL_HOLD_PUT);

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, &op->hold.id);
    sql_bind_text(s, 2, op->hold.tenant);
    sql_bind_text(s, 3, op->hold.vmta);
    sql_bind_text(s, 4, op->hold.domain);
    sql_bind_text(s, 5, op->hold.job);
    sql_bind_int(s, 6, op->hold.refuse);
    sql_bind_text(s, 7, op->hold.who);
    sql_bind_int(s, 8, op->hold.since_ms);
    return sql_run(s);
}

static int delete_by_id(struct engine *e, enum statement which, const struct ulid *id)
{
    sqlite3_stmt *s = sql_get(e, which);

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, id);
    return sql_run(s);
}

static int forget_job(struct engine *e, const struct op *op)
{
    sqlite3_stmt *s = sql_get(e, SQL_JOB_FORGET);

    if (!s)
        return sql_error(e);
    sql_bind_text(s, 1, op->job.tenant);
    sql_bind_text(s, 2, op->job.job);
    return sql_run(s);
}

static int apply_accept(struct engine *e, struct op *op)
{
    return sqlite_accept(e, &op->accept);
}

static int apply_clock(struct engine *e, struct op *op)
{
    return put_clock(e, op);
}

static int apply_queue_forget(struct engine *e, struct op *op)
{
    return forget_queue(e, op);
}

static int apply_hold_put(struct engine *e, struct op *op)
{
    return put_hold(e, op);
}

static int apply_hold_delete(struct engine *e, struct op *op)
{
    return delete_by_id(e, SQL_HOLD_DELETE, &op->hold.id);
}

static int apply_job_forget(struct engine *e, struct op *op)
{
    return forget_job(e, op);
}

int engine_apply(struct engine *e, struct op *op)
{
    static int (*const table[OP_TYPES])(struct engine *, struct op *) = {
        [OP_ACCEPT] = apply_accept,
        [OP_SETTLE] = sqlite_settle,
        [OP_LOAD] = sqlite_find,
        [OP_LOAD_EXPIRED] = sqlite_find,
        [OP_SELECT] = sqlite_find,
        [OP_QUEUE_CLOCK] = apply_clock,
        [OP_QUEUE_FORGET] = apply_queue_forget,
        [OP_HOLD_PUT] = apply_hold_put,
        [OP_HOLD_DELETE] = apply_hold_delete,
        [OP_JOB_FORGET] = apply_job_forget,
    };

    return table[op->type] ? table[op->type](e, op) : FL_EINVAL;
}

static int write_queue(struct engine *e, const struct tally_queue *q)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *s = sql_get(e, i == 0 ? SQL_QUEUE_COUNT : SQL_QUEUE_PUT);
        int rc;

        if (!s)
            return sql_error(e);
        sql_bind_int(s, 1, (int64_t)q->id);
        sql_bind_int(s, 2, q->messages);
        sql_bind_int(s, 3, q->recipients);
        sql_bind_int(s, 4, q->bytes);
        if (i == 1) {
            sql_bind_text(s, 5, q->key.tenant);
            sql_bind_text(s, 6, q->key.vmta);
            sql_bind_text(s, 7, q->key.domain);
        }
        rc = sql_run(s);
        if (rc < 0 || sqlite3_changes(e->db) > 0)
            return rc;
    }
    return 0;
}

/* A job that was forgotten is not made again by the settles of what was left of it. */
static int write_job(struct engine *e, const struct tally_job *j)
{
    for (int i = 0; i < (j->bytes > 0 || j->counts[JOB_QUEUED] > 0 ? 2 : 1); i++) {
        sqlite3_stmt *s = sql_get(e, i == 0 ? SQL_JOB_COUNT : SQL_JOB_PUT);
        int rc;

        if (!s)
            return sql_error(e);
        sql_bind_text(s, 1, j->tenant);
        sql_bind_text(s, 2, j->job);
        for (int c = 0; c < JOB_COLUMNS; c++)
            sql_bind_int(s, 3 + c, j->counts[c]);
        sql_bind_int(s, 3 + JOB_COLUMNS, j->bytes);
        sql_bind_int(s, 4 + JOB_COLUMNS, e->now_ms);
        sql_bind_int(s, 5 + JOB_COLUMNS, j->first_received_ms ? j->first_received_ms : e->now_ms);
        rc = sql_run(s);
        if (rc < 0 || sqlite3_changes(e->db) > 0)
            return rc;
    }
    return 0;
}

/* What was written is emptied, so that it may be called again in the same transaction. */
int engine_write_counts(struct engine *e)
{
    struct tally_queue *q, *next_queue;
    struct tally_job *j, *next_job;

    HASH_ITER(hh, e->tally->queues, q, next_queue)
    {
        int rc = q->recipients || q->messages || q->bytes ? write_queue(e, q) : 0;

        if (rc < 0)
            return rc;
        q->messages = q->recipients = q->bytes = 0;
    }
    HASH_ITER(hh, e->tally->jobs, j, next_job)
    {
        int rc = write_job(e, j);

        if (rc < 0)
            return rc;
        memset(j->counts, 0, sizeof j->counts);
        j->bytes = 0;
    }
    return 0;
}

int engine_put_segment(struct engine *e, uint64_t id, int64_t live)
{
    sqlite3_stmt *s = sql_get(e, SQL_SEGMENT_PUT);

    if (!s)
        return sql_error(e);
    sql_bind_int(s, 1, (int64_t)id);
    sql_bind_int(s, 2, live);
    return sql_run(s);
}

int engine_delete_segment(struct engine *e, uint64_t id)
{
    sqlite3_stmt *s = sql_get(e, SQL_SEGMENT_DELETE);

    if (!s)
        return sql_error(e);
    sql_bind_int(s, 1, (int64_t)id);
    return sql_run(s);
}

int engine_delete_spool(struct engine *e, const struct ulid *file)
{
    return delete_by_id(e, SQL_SPOOL_DELETE, file);
}
