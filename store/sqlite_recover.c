/* sqlite_recover.c: what a start reads: a few rows for each queue, rule, job and segment, whatever the backlog. */
#include "sqlite_engine.h"

/* The first row's value of a look-up by queue. */
static int of_queue(struct engine *e, enum statement which, uint64_t queue, sqlite3_stmt **ret)
{
    sqlite3_stmt *s = *ret = sql_get(e, which);

    if (!s)
        return sql_error(e);
    sql_bind_int(s, 1, (int64_t)queue);
    return sql_row(s);
}

/* The message that expires first is the oldest where lifetimes are the same, as they are in one queue; its id says when it
 * came. */
static int queue_times(struct engine *e, struct stored_queue *q)
{
    sqlite3_stmt *s;
    struct ulid oldest;
    int rc = of_queue(e, SQL_QUEUE_NEXT_DUE, q->key.id, &s);

    q->next_due_ms = q->oldest_ms = INT64_MAX;
    if (rc <= 0)
        return rc;
    q->next_due_ms = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    rc = of_queue(e, SQL_QUEUE_OLDEST, q->key.id, &s);
    if (rc <= 0)
        return rc;
    rc = sql_id(s, 0, &oldest);
    if (rc == 0)
        q->oldest_ms = ulid_ms(&oldest);
    sqlite3_reset(s);
    return rc;
}

int engine_queues(struct engine *e, engine_each_queue *each, void *arg)
{
    sqlite3_stmt *s = sql_get(e, SQL_QUEUE_ALL);
    int rc;

    if (!s)
        return sql_error(e);
    while ((rc = sql_row(s)) == 1) {
        struct stored_queue q = {
            .key = { .id = (uint64_t)sqlite3_column_int64(s, 0),
                     .tenant = sql_slice(s, 1),
                     .vmta = sql_slice(s, 2),
                     .domain = sql_slice(s, 3) },
            .messages = sqlite3_column_int64(s, 4),
            .recipients = sqlite3_column_int64(s, 5),
            .bytes = sqlite3_column_int64(s, 6),
            .attempts = sqlite3_column_int(s, 7),
            .next_attempt_ms = sqlite3_column_int64(s, 8),
        };

        rc = envelope_unpack_reply(sql_slice(s, 9), &q.reply);
        if (rc == 0)
            rc = queue_times(e, &q);
        if (rc == 0)
            rc = each(arg, &q);
        if (rc != 0)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int engine_holds(struct engine *e, engine_each_hold *each, void *arg)
{
    sqlite3_stmt *s = sql_get(e, SQL_HOLD_ALL);
    int rc;

    if (!s)
        return sql_error(e);
    while ((rc = sql_row(s)) == 1) {
        struct stored_hold h = {
            .tenant = sql_slice(s, 1),
            .vmta = sql_slice(s, 2),
            .domain = sql_slice(s, 3),
            .job = sql_slice(s, 4),
            .refuse = sqlite3_column_int(s, 5) != 0,
            .who = sql_slice(s, 6),
            .since_ms = sqlite3_column_int64(s, 7),
        };

        rc = sql_id(s, 0, &h.id);
        if (rc == 0)
            rc = each(arg, &h);
        if (rc != 0)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int engine_jobs(struct engine *e, engine_each_job *each, void *arg)
{
    sqlite3_stmt *s = sql_get(e, SQL_JOB_ALL);
    int rc;

    if (!s)
        return sql_error(e);
    while ((rc = sql_row(s)) == 1) {
        struct stored_job j = {
            .tenant = sql_slice(s, 0),
            .job = sql_slice(s, 1),
            .queued = sqlite3_column_int64(s, 2),
            .delivered = sqlite3_column_int64(s, 3),
            .bounced = sqlite3_column_int64(s, 4),
            .expired = sqlite3_column_int64(s, 5),
            .dropped = sqlite3_column_int64(s, 6),
            .bytes = sqlite3_column_int64(s, 7),
            .first_accepted_ms = sqlite3_column_int64(s, 8),
            .last_event_ms = sqlite3_column_int64(s, 9),
        };

        rc = each(arg, &j);
        if (rc != 0)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int engine_segments(struct engine *e, engine_each_segment *each, void *arg)
{
    sqlite3_stmt *s = sql_get(e, SQL_SEGMENT_ALL);
    int rc;

    if (!s)
        return sql_error(e);
    while ((rc = sql_row(s)) == 1) {
        rc = each(arg, (uint64_t)sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2));
        if (rc != 0)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int engine_bodies(struct engine *e, enum engine_bodies table, const struct ulid *after, int limit, engine_each_body *each,
                  void *arg)
{
    sqlite3_stmt *s = sql_get(e, table == BODIES_FRESH ? SQL_FRESH_BODIES : SQL_MESSAGE_BODIES);
    int count = 0, rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, after);
    sql_bind_int(s, 2, limit);
    while ((rc = sql_row(s)) == 1) {
        struct body_place place;
        struct ulid id;
        bool raw;

        rc = sql_id(s, 0, &id);
        if (rc == 0)
            rc = sql_place(s, 1, &place, &raw);
        if (rc == 0)
            rc = each(arg, &id, &place);
        if (rc != 0)
            break;
        count++;
    }
    sqlite3_reset(s);
    return rc < 0 ? rc : count;
}

int engine_fresh(struct engine *e, const struct ulid *after, int64_t limit, engine_each_fresh *each, void *arg)
{
    sqlite3_stmt *s = sql_get(e, SQL_FRESH_AFTER);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, after);
    sql_bind_int(s, 2, limit);
    while ((rc = sql_row(s)) == 1) {
        struct envelope *env;

        rc = sqlite_fresh_row(e, s, &env);
        if (rc == 0)
            rc = each(arg, env);
        if (rc != 0)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int engine_has_spool(struct engine *e, const struct ulid *file)
{
    sqlite3_stmt *s = sql_get(e, SQL_SPOOL_HAS);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, file);
    rc = sql_row(s);
    if (rc == 1)
        sqlite3_reset(s);
    return rc;
}
