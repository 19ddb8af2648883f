/* sqlite_find.c: rows of recipients are gathered into envelopes: loads and selections (store thread, inside a batch), listings
 * and single messages (reader thread). Changes nothing. */
#include "fault.h"
#include "sqlite_engine.h"

enum { ROW_MESSAGE, ROW_NUMBER, ROW_QUEUE, ROW_DUE, ROW_ATTEMPTS, ROW_DETAILS };

/* Neighbours in the result share an envelope. */
struct gathering {
    struct engine *engine;
    struct op *op;
    struct envelope *current; /* the last of the rows; or one that was left out by `wanted` */
    bool current_is_wanted;
    struct queue_key queue;   /* names of the last queue that was asked for; copied into `names` */
    struct buf names;
};

/* Whether the selection speaks of this message. */
static bool wanted(const struct op *op, const struct envelope *env)
{
    const struct store_selection *sel = &op->find.selection;

    if (op->type != OP_SELECT)
        return true;
    return (sel->tenant.n == 0 || slice_eq(sel->tenant, env->tenant)) && (sel->job.n == 0 || slice_eq(sel->job, env->job)) &&
           env->received_ms < sel->received_before_ms;
}

static int queue_names(struct gathering *g, uint64_t id)
{
    sqlite3_stmt *s = sql_get(g->engine, SQL_QUEUE_NAMES);
    size_t length[3];
    const char *at;
    int rc;

    if (g->queue.id == id)
        return 0;
    if (!s)
        return sql_error(g->engine);
    sql_bind_int(s, 1, (int64_t)id);
    rc = sql_row(s);
    if (rc <= 0)
        return rc < 0 ? rc : FL_ECORRUPT; /* recipients keep the row of their queue */
    buf_clear(&g->names);
    for (int i = 0; i < 3 && rc >= 0; i++) {
        struct slice name = sql_slice(s, i);

        length[i] = name.n;
        rc = buf_add(&g->names, name);
    }
    sqlite3_reset(s);
    if (rc < 0)
        return rc;
    at = buf_slice(&g->names).p;
    g->queue = (struct queue_key){
        .id = id,
        .tenant = slice_make(at, length[0]),
        .vmta = slice_make(at + length[0], length[1]),
        .domain = slice_make(at + length[0] + length[1], length[2]),
    };
    return 0;
}

static void drop_current(struct gathering *g)
{
    if (!g->current_is_wanted)
        envelope_unref(g->current);
    g->current = NULL;
}

/* The envelope that takes this row: the present one, or a new one. */
static int turn_to(struct gathering *g, const struct ulid *message, uint32_t number)
{
    struct envelope *env = g->current;
    int rc;

    if (env && ulid_cmp(&env->id, message) == 0 && (env->rcpt_count == 0 || env->rcpts[env->rcpt_count - 1].number < number))
        return 0;
    drop_current(g);
    rc = sqlite_message_get(g->engine, message, &env);
    if (rc < 0)
        return rc == FL_ENOENT ? FL_ECORRUPT : rc;
    g->current_is_wanted = wanted(g->op, env);
    g->current = env;
    if (!g->current_is_wanted)
        return 0;
    rc = op_rows_add(&g->op->find.rows, env);
    if (rc < 0)
        g->current = NULL;
    return rc;
}

static int take_row(struct gathering *g, sqlite3_stmt *s)
{
    struct envelope_rcpt r = { .number = (uint32_t)sqlite3_column_int64(s, ROW_NUMBER) }, *added;
    struct ulid message;
    int rc = sql_id(s, ROW_MESSAGE, &message);

    if (rc == 0)
        rc = turn_to(g, &message, r.number);
    if (rc < 0 || !g->current_is_wanted)
        return rc;
    rc = queue_names(g, (uint64_t)sqlite3_column_int64(s, ROW_QUEUE));
    if (rc < 0)
        return rc;
    r.queue = g->queue;
    r.due_ms = sqlite3_column_int64(s, ROW_DUE);
    r.attempts = sqlite3_column_int(s, ROW_ATTEMPTS);
    rc = envelope_unpack_details(sql_slice(s, ROW_DETAILS), &r);
    if (rc < 0)
        return rc;
    added = envelope_add_rcpt(g->current, &r);
    if (!added)
        return FL_ENOMEM;
    added->number = r.number;
    return 0;
}

static void note_key(struct load_key *key, sqlite3_stmt *s)
{
    key->due_ms = sqlite3_column_int64(s, ROW_DUE);
    key->number = (uint32_t)sqlite3_column_int64(s, ROW_NUMBER);
    sql_id(s, ROW_MESSAGE, &key->message);
}

static bool selects_queue(const struct op *op)
{
    return op->type == OP_LOAD || op->type == OP_LIST_QUEUE ||
           (op->type == OP_SELECT && op->find.selection.queue && !op->find.selection.message);
}

static bool key_is_zero(const struct load_key *k)
{
    static const struct ulid none;

    return k->due_ms == 0 && k->number == 0 && ulid_cmp(&k->message, &none) == 0;
}

/* The statement for what is asked, its values bound but for the limit, whose place is returned. */
static int bind_query(struct engine *e, const struct op *op, sqlite3_stmt **ret)
{
    const struct load_key *after = &op->find.after;
    const struct store_selection *sel = &op->find.selection;
    bool first = key_is_zero(after);
    sqlite3_stmt *s;

    if (selects_queue(op)) {
        s = *ret = sql_get(e, SQL_RECIPIENT_DUE);
        if (!s)
            return sql_error(e);
        sql_bind_int(s, 1, (int64_t)(op->type == OP_SELECT ? sel->queue : op->find.queue));
        sql_bind_int(s, 2, first ? INT64_MIN : after->due_ms);
        sql_bind_id(s, 3, &after->message);
        sql_bind_int(s, 4, after->number);
        return 5;
    }
    if (op->type == OP_LOAD_EXPIRED) {
        s = *ret = sql_get(e, SQL_RECIPIENT_EXPIRED);
        if (!s)
            return sql_error(e);
        sql_bind_int(s, 1, (int64_t)op->find.queue);
        sql_bind_int(s, 2, op->find.until_ms);
        return 3;
    }
    if (op->type == OP_SHOW || sel->message) {
        s = *ret = sql_get(e, SQL_RECIPIENT_OF_MESSAGE);
        if (!s)
            return sql_error(e);
        sql_bind_id(s, 1, op->type == OP_SHOW ? &op->find.message : sel->message);
        sql_bind_int(s, 2, first ? -1 : (int64_t)after->number);
        return 3;
    }
    s = *ret = sql_get(e, SQL_RECIPIENT_OF_JOB);
    if (!s)
        return sql_error(e);
    sql_bind_text(s, 1, sel->tenant);
    sql_bind_text(s, 2, sel->job);
    sql_bind_id(s, 3, &after->message);
    sql_bind_int(s, 4, first ? -1 : (int64_t)after->number);
    return 5;
}

/* Whether this row is one of those that were asked for: a selection over all queues of a message may name a queue. */
static bool in_queue(const struct op *op, sqlite3_stmt *s)
{
    uint64_t queue = op->find.selection.queue;

    return op->type != OP_SELECT || queue == 0 || (uint64_t)sqlite3_column_int64(s, ROW_QUEUE) == queue;
}

static int gather(struct gathering *g)
{
    struct op *op = g->op;
    struct op_rows *rows = &op->find.rows;
    sqlite3_stmt *s;
    int limit_at = bind_query(g->engine, op, &s), rc, taken = 0;

    if (limit_at < 0)
        return limit_at;
    sql_bind_int(s, limit_at, op->find.limit < INT32_MAX ? (int64_t)op->find.limit + 1 : INT32_MAX);
    rows->after = op->find.after;
    while ((rc = sql_row(s)) == 1) {
        int64_t due = sqlite3_column_int64(s, ROW_DUE);
        bool is_due = op->type != OP_LOAD || due <= op->find.until_ms;

        if (taken == op->find.limit || !is_due) {
            rows->more = is_due;
            rows->next_due_ms = due;
            if (is_due && FAULT(load_skips_key))
                note_key(&rows->after, s);
            sqlite3_reset(s);
            break;
        }
        if (in_queue(op, s))
            rc = take_row(g, s);
        if (rc < 0) {
            sqlite3_reset(s);
            break;
        }
        note_key(&rows->after, s);
        taken++;
    }
    drop_current(g);
    return rc < 0 ? rc : 0;
}

int sqlite_find(struct engine *e, struct op *op)
{
    struct gathering g = { .engine = e, .op = op };
    int rc;

    op_rows_clear(&op->find.rows);
    buf_init(&g.names, 0);
    rc = gather(&g);
    buf_free(&g.names);
    return rc;
}

/* A fresh message is in no queue's index: it is looked for first. */
static int show(struct engine *e, struct op *op)
{
    struct envelope *env;
    int rc = sqlite_fresh_get(e, &op->find.message, &env);

    if (rc == FL_ENOENT)
        return sqlite_find(e, op);
    op_rows_clear(&op->find.rows);
    return rc < 0 ? rc : op_rows_add(&op->find.rows, env);
}

int engine_find(struct engine *e, struct op *op)
{
    int rc = sql_do(e, SQL_BEGIN_READ), end;

    if (rc < 0)
        return rc;
    rc = op->type == OP_SHOW ? show(e, op) : sqlite_find(e, op);
    end = sql_do(e, SQL_COMMIT);
    return rc < 0 ? rc : end;
}
