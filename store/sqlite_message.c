/* sqlite_message.c: rows of fresh and message become envelopes. Used by both the writing and the reading engine. */
#include "sqlite_engine.h"

enum { COLUMN_ID, COLUMN_PLACE, COLUMN_ENVELOPE = COLUMN_PLACE + PLACE_COLUMNS };

/* The part that fresh and message have in common. *rest is what stands behind the head, borrowed from the row. */
static int head_row(struct engine *e, sqlite3_stmt *s, struct slice *rest, struct envelope **ret)
{
    struct envelope *env = envelope_new(1);
    struct body_place place;
    bool raw;
    int rc;

    if (!env)
        return FL_ENOMEM;
    *rest = sql_slice(s, COLUMN_ENVELOPE);
    rc = sql_id(s, COLUMN_ID, &env->id);
    if (rc == 0)
        rc = sql_place(s, COLUMN_PLACE, &place, &raw);
    if (rc == 0)
        rc = envelope_unpack_head(rest, env);
    if (rc == 0) {
        env->body = body_stored(e->budget, &place, raw);
        rc = env->body ? 0 : FL_ENOMEM;
    }
    if (rc < 0) {
        envelope_unref(env);
        return rc;
    }
    *ret = env;
    return 0;
}

int sqlite_fresh_row(struct engine *e, sqlite3_stmt *s, struct envelope **ret)
{
    struct envelope *env;
    struct slice rest;
    int rc = head_row(e, s, &rest, &env);

    if (rc < 0)
        return rc;
    rc = envelope_unpack_rcpts(&rest, env);
    if (rc == 0 && rest.n)
        rc = FL_ECORRUPT;
    if (rc < 0) {
        envelope_unref(env);
        return rc;
    }
    *ret = env;
    return 0;
}

int sqlite_fresh_get(struct engine *e, const struct ulid *id, struct envelope **ret)
{
    sqlite3_stmt *s = sql_get(e, SQL_FRESH_GET);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, id);
    rc = sql_row(s);
    if (rc <= 0)
        return rc < 0 ? rc : FL_ENOENT;
    rc = sqlite_fresh_row(e, s, ret);
    sqlite3_reset(s);
    return rc;
}

int sqlite_message_get(struct engine *e, const struct ulid *id, struct envelope **ret)
{
    sqlite3_stmt *s = sql_get(e, SQL_MESSAGE_GET);
    struct slice rest;
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_id(s, 1, id);
    rc = sql_row(s);
    if (rc <= 0)
        return rc < 0 ? rc : FL_ENOENT;
    rc = head_row(e, s, &rest, ret);
    sqlite3_reset(s);
    return rc;
}
