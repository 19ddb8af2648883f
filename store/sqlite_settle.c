/* sqlite_settle.c: what became of recipients. Three roads: a fresh message that ends as a whole (nearly all mail: one row
 * goes), a fresh one of which something is left (it becomes parked), and parked recipients. Each is idempotent: what is not
 * there any more changes nothing. */
#include <stdlib.h>

#include "fault.h"
#include "sqlite_engine.h"

/* In the order of enum settle_kind. */
static const enum job_column job_columns[] = {
    [SETTLE_DELIVERED] = JOB_DELIVERED,
    [SETTLE_BOUNCED] = JOB_BOUNCED,
    [SETTLE_EXPIRED] = JOB_EXPIRED,
    [SETTLE_DROPPED] = JOB_DROPPED,
};

static int count_outcome(struct engine *e, const struct envelope *env, enum settle_kind kind)
{
    int rc = sqlite_count_job(e, env, JOB_QUEUED, -1);

    return rc < 0 ? rc : sqlite_count_job(e, env, job_columns[kind], 1);
}

static void note_left(struct settle_result *r, uint64_t queue)
{
    if (r->messages_left < (int)(sizeof r->left / sizeof *r->left))
        r->left[r->messages_left].queue = queue;
    r->messages_left++;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* All queues of the message, once each. */
static int note_all_left(struct settle_result *r, const struct envelope *env)
{
    uint64_t *queues;

    if (env->rcpt_count == 1) {
        note_left(r, env->rcpts[0].queue.id);
        return 0;
    }
    queues = malloc((size_t)env->rcpt_count * sizeof *queues);
    if (!queues)
        return FL_ENOMEM;
    for (int i = 0; i < env->rcpt_count; i++)
        queues[i] = env->rcpts[i].queue.id;
    qsort(queues, (size_t)env->rcpt_count, sizeof *queues, by_number);
    for (int i = 0; i < env->rcpt_count; i++)
        if (i == 0 || queues[i] != queues[i - 1])
            note_left(r, queues[i]);
    free(queues);
    return 0;
}

/* The outcome for a recipient, or NULL. Nearly always both lists have the same order. */
static const struct settle_rcpt *outcome_of(const struct op *op, uint32_t number, int hint)
{
    if (hint < op->settle.count && op->settle.rcpts[hint].number == number)
        return &op->settle.rcpts[hint];
    for (int i = 0; i < op->settle.count; i++)
        if (op->settle.rcpts[i].number == number)
            return &op->settle.rcpts[i];
    return NULL;
}

static bool ends_all(const struct op *op, const struct envelope *env)
{
    if (op->settle.count < env->rcpt_count)
        return false;
    for (int i = 0; i < env->rcpt_count; i++) {
        const struct settle_rcpt *o = outcome_of(op, env->rcpts[i].number, i);

        if (!o || o->kind == SETTLE_PARK)
            return false;
    }
    return true;
}

/* The message is gone: its body too. */
static int message_gone(struct engine *e, struct op *op, const struct body_place *place)
{
    int rc = tally_segment(e->tally, place->segment, -1);

    op->settle.result.message_gone = true;
    op->settle.gone = *place;
    if (rc == 0 && body_place_has_file(place))
        rc = engine_delete_spool(e, &place->file);
    return rc;
}

static int delete_row(struct engine *e, enum statement which, const struct ulid *id)
{
    sqlite3_stmt *s = sql_get(e, which);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, id);
    rc = sql_run(s);
    return rc < 0 ? rc : sqlite3_changes(e->db);
}

/* 1: done; 0: there is no such fresh message. */
static int end_fresh(struct engine *e, struct op *op, const struct envelope *env, const struct body_place *place)
{
    int rc = delete_row(e, SQL_FRESH_DELETE, &env->id);

    if (rc <= 0)
        return rc;
    for (int i = 0; i < env->rcpt_count && rc >= 0 && env->job.n; i++)
        rc = count_outcome(e, env, outcome_of(op, env->rcpts[i].number, i)->kind);
    if (rc >= 0)
        rc = note_all_left(&op->settle.result, env);
    if (rc >= 0)
        rc = message_gone(e, op, place);
    return rc < 0 ? rc : 1;
}

/* The recipient as it stands after the settle. */
static struct envelope_rcpt parked(const struct envelope_rcpt *r, const struct settle_rcpt *o)
{
    struct envelope_rcpt copy = *r;

    copy.attempts = o->attempts;
    copy.due_ms = o->due_ms;
    copy.delay_notified = o->delay_notified;
    if (o->queue)
        copy.queue = *o->queue;
    if (o->reply.time_ms)
        copy.reply = o->reply;
    return copy;
}

/* A fresh message of which something is left. */
static int park_rest(struct engine *e, struct op *op, const struct envelope *env)
{
    int rc = delete_row(e, SQL_FRESH_DELETE, &env->id);

    if (rc > 0)
        rc = sqlite_put_message(e, env, body_place(env->body), body_is_raw(env->body));
    for (int i = 0; i < env->rcpt_count && rc >= 0; i++) {
        const struct envelope_rcpt *r = &env->rcpts[i];
        const struct settle_rcpt *o = outcome_of(op, r->number, i);

        if (!o || o->kind == SETTLE_PARK) {
            struct envelope_rcpt now = o ? parked(r, o) : *r;

            rc = sqlite_put_recipient(e, env, &now);
        } else {
            rc = count_outcome(e, env, o->kind);
        }
    }
    for (int i = 0; i < env->rcpt_count && rc >= 0; i++) { /* queues that lost their last one, each named once */
        bool first = true;

        for (int k = 0; k < i && first; k++)
            first = env->rcpts[k].queue.id != env->rcpts[i].queue.id;
        rc = first ? sqlite_message_in_queue(e, &env->id, env->rcpts[i].queue.id) : 1;
        if (rc == 0)
            note_left(&op->settle.result, env->rcpts[i].queue.id);
    }
    return rc;
}

/* Where a parked recipient is: as the envelope says, or, when it was moved since, wherever. 1: in *row; 0: it is gone. */
static int find_parked(struct engine *e, const struct op *op, uint32_t number, struct envelope_rcpt *row, sqlite3_stmt **ret)
{
    const struct envelope_rcpt *known = envelope_rcpt_find(op->settle.env, number);
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_GET), *where = sql_get(e, SQL_RECIPIENT_QUEUE);
    uint64_t queue = known ? known->queue.id : 0;
    int rc = 0;

    if (!s || !where)
        return sql_error(e);
    for (int i = 0; i < 2 && rc == 0; i++) {
        if (i == 1) {
            sql_bind_id(where, 1, &op->settle.env->id);
            sql_bind_int(where, 2, number);
            rc = sql_row(where);
            if (rc <= 0)
                return rc;
            queue = (uint64_t)sqlite3_column_int64(where, 0);
            sqlite3_reset(where);
        }
        sql_bind_id(s, 1, &op->settle.env->id);
        sql_bind_int(s, 2, (int64_t)queue);
        sql_bind_int(s, 3, number);
        rc = sql_row(s);
    }
    if (rc <= 0)
        return rc;
    *row = (struct envelope_rcpt){
        .number = number,
        .queue = { .id = queue },
        .due_ms = sqlite3_column_int64(s, 3),
        .attempts = sqlite3_column_int(s, 4),
    };
    if (known && known->queue.id == queue)
        row->queue = known->queue;
    rc = envelope_unpack_details(sql_slice(s, 5), row);
    if (rc < 0) {
        sqlite3_reset(s);
        return rc;
    }
    *ret = s; /* its row holds the texts: the caller resets it */
    return 1;
}

/* It leaves its queue. */
static int take_out(struct engine *e, struct op *op, const struct envelope_rcpt *r)
{
    const struct envelope *env = op->settle.env;
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_DELETE);
    int rc, still;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, &env->id);
    sql_bind_int(s, 2, (int64_t)r->queue.id);
    sql_bind_int(s, 3, r->number);
    rc = sql_run(s);
    if (rc < 0)
        return rc;
    still = sqlite_message_in_queue(e, &env->id, r->queue.id);
    if (still < 0)
        return still;
    if (!still)
        note_left(&op->settle.result, r->queue.id);
    return sqlite_count_queue(e, env, &r->queue, still || FAULT(queue_miscounted) ? 0 : -1, -1);
}

static int update_in_place(struct engine *e, const struct op *op, const struct envelope_rcpt *r)
{
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_UPDATE);
    int rc;

    if (!s)
        return sql_error(e);
    buf_clear(&e->scratch);
    rc = envelope_pack_details(&e->scratch, r);
    if (rc < 0)
        return rc;
    sql_bind_id(s, 1, &op->settle.env->id);
    sql_bind_int(s, 2, (int64_t)r->queue.id);
    sql_bind_int(s, 3, r->number);
    sql_bind_int(s, 4, r->due_ms);
    sql_bind_int(s, 5, r->attempts);
    sql_bind_blob(s, 6, buf_slice(&e->scratch));
    return sql_run(s);
}

/* 1: done; 0: it is not there. */
static int settle_parked(struct engine *e, struct op *op, const struct settle_rcpt *o)
{
    struct envelope_rcpt row, now;
    sqlite3_stmt *found = NULL;
    int rc = find_parked(e, op, o->number, &row, &found);

    if (rc <= 0)
        return rc;
    if (o->kind == SETTLE_PARK) {
        now = parked(&row, o);
        if (now.queue.id == row.queue.id) {
            rc = update_in_place(e, op, &now);
        } else {
            rc = sqlite_put_recipient(e, op->settle.env, &now); /* before the other goes, so that the texts are still there */
            if (rc == 0)
                rc = take_out(e, op, &row);
        }
    } else {
        rc = take_out(e, op, &row);
        if (rc == 0)
            rc = count_outcome(e, op->settle.env, o->kind);
    }
    sqlite3_reset(found);
    return rc < 0 ? rc : 1;
}

/* Where the body of a parked message is: the envelope knows, unless it came without. FL_ENOENT. */
static int place_of(struct engine *e, const struct envelope *env, struct body_place *ret)
{
    struct envelope *row;
    int rc;

    if (env->body && body_place(env->body)->segment) {
        *ret = *body_place(env->body);
        return 0;
    }
    rc = sqlite_message_get(e, &env->id, &row);
    if (rc < 0)
        return rc;
    *ret = *body_place(row->body);
    envelope_unref(row);
    return 0;
}

/* Whether anybody is left; if not, the message goes. */
static int end_parked(struct engine *e, struct op *op)
{
    sqlite3_stmt *s = sql_get(e, SQL_RECIPIENT_LEFT);
    struct body_place place;
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, &op->settle.env->id);
    rc = sql_row(s);
    if (rc != 0) {
        if (rc == 1)
            sqlite3_reset(s);
        return rc < 0 ? rc : 0;
    }
    rc = place_of(e, op->settle.env, &place);
    if (rc == 0)
        rc = delete_row(e, SQL_MESSAGE_DELETE, &op->settle.env->id);
    if (rc == 0 || rc == FL_ENOENT) { /* it went before */
        op->settle.result.message_gone = true;
        return 0;
    }
    return rc < 0 ? rc : message_gone(e, op, &place);
}

/* 1: some were found; 0: none is parked. */
static int settle_all_parked(struct engine *e, struct op *op)
{
    int some = 0, rc = 0;

    for (int i = 0; i < op->settle.count && rc >= 0; i++) {
        rc = settle_parked(e, op, &op->settle.rcpts[i]);
        some |= rc > 0;
    }
    if (rc >= 0 && some && !FAULT(message_left))
        rc = end_parked(e, op);
    return rc < 0 ? rc : some;
}

/* A fresh message, as its row has it. 1: done; 0: there is none. */
static int settle_fresh(struct engine *e, struct op *op)
{
    struct envelope *stored = NULL;
    int rc = sqlite_fresh_get(e, &op->settle.env->id, &stored);

    if (rc < 0)
        return rc == FL_ENOENT ? 0 : rc;
    envelope_unref(op->settle.stored);
    op->settle.stored = stored; /* the tally borrows its names */
    rc = ends_all(op, stored) ? end_fresh(e, op, stored, body_place(stored->body)) : park_rest(e, op, stored);
    return rc < 0 ? rc : 1;
}

/* Looks first where the loop thinks that it is. */
static int settle_any(struct engine *e, struct op *op)
{
    int rc = op->settle.fresh ? settle_fresh(e, op) : settle_all_parked(e, op);

    if (rc == 0)
        rc = op->settle.fresh ? settle_all_parked(e, op) : settle_fresh(e, op);
    return rc == 0 ? end_parked(e, op) : rc; /* 0: nothing of what was named is there any more */
}

int sqlite_settle(struct engine *e, struct op *op)
{
    const struct envelope *env = op->settle.env;
    int rc = 0;

    op->settle.result = (struct settle_result){ 0 };
    op->settle.gone = (struct body_place){ 0 };
    if (op->settle.fresh && env->body && body_place(env->body)->segment && ends_all(op, env))
        rc = end_fresh(e, op, env, body_place(env->body));
    if (rc == 0)
        rc = settle_any(e, op);
    if (rc >= 0 && op->settle.dsn.env)
        rc = sqlite_accept(e, &op->settle.dsn);
    return rc < 0 ? rc : 0;
}
