/* sqlite_statement.c: all SQL that runs while Fairlead runs, and how values are bound and read. Nothing is ever pasted into
 * it. */
#include "sqlite_engine.h"

#define PLACE "segment, offset, length, crc, raw, file, file_length, file_crc"
#define RECIPIENT "message, number, queue, due, attempts, details"

static const char *const statements[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_BEGIN_READ] = "BEGIN",

    [SQL_STATE_PUT] = "UPDATE state SET batch = ?1, next_queue = max(next_queue, ?2)",
    [SQL_STATE_BATCH] = "SELECT batch FROM state",
    [SQL_STATE_NEXT_QUEUE] = "SELECT next_queue FROM state",

    [SQL_FRESH_PUT] = "INSERT OR IGNORE INTO fresh(id, " PLACE ", envelope) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_FRESH_DELETE] = "DELETE FROM fresh WHERE id = ?",
    [SQL_FRESH_GET] = "SELECT id, " PLACE ", envelope FROM fresh WHERE id = ?",
    [SQL_FRESH_AFTER] = "SELECT id, " PLACE ", envelope FROM fresh WHERE id > ? ORDER BY id LIMIT ?",

    [SQL_MESSAGE_PUT] =
        "INSERT OR IGNORE INTO message(id, " PLACE ", envelope, tenant, job) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_MESSAGE_DELETE] = "DELETE FROM message WHERE id = ?",
    [SQL_MESSAGE_GET] = "SELECT id, " PLACE ", envelope FROM message WHERE id = ?",
    [SQL_MESSAGE_HAS] = "SELECT 1 FROM message WHERE id = ?",

    [SQL_RECIPIENT_PUT] =
        "INSERT INTO recipient(message, queue, number, due, expires, attempts, details) VALUES(?, ?, ?, ?, ?, ?, ?)",
    [SQL_RECIPIENT_DELETE] = "DELETE FROM recipient WHERE message = ? AND queue = ? AND number = ?",
    [SQL_RECIPIENT_GET] = "SELECT " RECIPIENT " FROM recipient WHERE message = ? AND queue = ? AND number = ?",
    [SQL_RECIPIENT_UPDATE] =
        "UPDATE recipient SET due = ?4, attempts = ?5, details = ?6 WHERE message = ?1 AND queue = ?2 AND number = ?3",
    [SQL_RECIPIENT_QUEUE] = "SELECT queue FROM recipient WHERE message = ? AND number = ?",
    [SQL_RECIPIENT_IN_QUEUE] = "SELECT 1 FROM recipient WHERE message = ? AND queue = ? LIMIT 1",
    [SQL_RECIPIENT_LEFT] = "SELECT 1 FROM recipient WHERE message = ? LIMIT 1",
    [SQL_RECIPIENT_DUE] = "SELECT " RECIPIENT " FROM recipient INDEXED BY recipient_due WHERE queue = ?1 "
                          "AND (due, message, number) > (?2, ?3, ?4) ORDER BY due, message, number LIMIT ?5",
    [SQL_RECIPIENT_EXPIRED] =
        "SELECT " RECIPIENT " FROM recipient INDEXED BY recipient_expires WHERE queue = ?1 AND expires <= ?2 "
        "ORDER BY expires, message, number LIMIT ?3",
    [SQL_RECIPIENT_OF_MESSAGE] =
        "SELECT " RECIPIENT " FROM recipient WHERE message = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    [SQL_RECIPIENT_OF_JOB] = "SELECT r.message, r.number, r.queue, r.due, r.attempts, r.details "
                             "FROM message m INDEXED BY message_job CROSS JOIN recipient r ON r.message = m.id "
                             "WHERE m.tenant = ?1 AND m.job = ?2 AND m.id >= ?3 AND (r.message > ?3 OR r.number > ?4) "
                             "ORDER BY m.id, r.number LIMIT ?5",

    [SQL_QUEUE_COUNT] =
        "UPDATE queue SET messages = messages + ?2, recipients = recipients + ?3, bytes = bytes + ?4 WHERE id = ?1",
    [SQL_QUEUE_PUT] =
        "INSERT INTO queue(id, tenant, vmta, domain, messages, recipients, bytes) VALUES(?1, ?5, ?6, ?7, ?2, ?3, ?4)",
    [SQL_QUEUE_NAMES] = "SELECT tenant, vmta, domain FROM queue WHERE id = ?",
    [SQL_QUEUE_CLOCK] = "UPDATE queue SET attempts = ?2, next_attempt = ?3, reply = ?4 WHERE id = ?1",
    [SQL_QUEUE_CLOCK_NEW] =
        "INSERT INTO queue(id, attempts, next_attempt, reply, tenant, vmta, domain) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_QUEUE_FORGET] = "DELETE FROM queue WHERE id = ? AND recipients = 0",
    [SQL_QUEUE_ALL] =
        "SELECT id, tenant, vmta, domain, messages, recipients, bytes, attempts, next_attempt, reply FROM queue ORDER BY id",
    [SQL_QUEUE_NEXT_DUE] = "SELECT due FROM recipient INDEXED BY recipient_due WHERE queue = ? ORDER BY due LIMIT 1",
    [SQL_QUEUE_OLDEST] = "SELECT message FROM recipient INDEXED BY recipient_expires WHERE queue = ? ORDER BY expires LIMIT 1",

    [SQL_JOB_COUNT] =
        "UPDATE job SET queued = queued + ?3, delivered = delivered + ?4, bounced = bounced + ?5, expired = expired + ?6, "
        "dropped = dropped + ?7, bytes = bytes + ?8, last_event = max(last_event, ?9), first_accepted = min(first_accepted, ?10) "
        "WHERE tenant = ?1 AND job = ?2",
    [SQL_JOB_PUT] =
        "INSERT INTO job(tenant, job, queued, delivered, bounced, expired, dropped, bytes, first_accepted, last_event) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?10, ?9)",
    [SQL_JOB_FORGET] = "DELETE FROM job WHERE tenant = ? AND job = ?",
    [SQL_JOB_ALL] =
        "SELECT tenant, job, queued, delivered, bounced, expired, dropped, bytes, first_accepted, last_event FROM job "
        "ORDER BY tenant, job",

    [SQL_FRESH_BODIES] = "SELECT id, " PLACE " FROM fresh WHERE id > ? ORDER BY id LIMIT ?",
    [SQL_MESSAGE_BODIES] = "SELECT id, " PLACE " FROM message WHERE id > ? ORDER BY id LIMIT ?",
    [SQL_SEGMENT_PUT] = "INSERT INTO segment(id, live, most) VALUES(?1, ?2, ?2) "
                        "ON CONFLICT(id) DO UPDATE SET live = excluded.live, most = max(most, excluded.live)",
    [SQL_SEGMENT_DELETE] = "DELETE FROM segment WHERE id = ?",
    [SQL_SEGMENT_ALL] = "SELECT id, live, most FROM segment ORDER BY id",

    [SQL_SPOOL_PUT] = "INSERT OR IGNORE INTO spool(id) VALUES(?)",
    [SQL_SPOOL_DELETE] = "DELETE FROM spool WHERE id = ?",
    [SQL_SPOOL_HAS] = "SELECT 1 FROM spool WHERE id = ?",

    [SQL_HOLD_PUT] =
        "INSERT OR REPLACE INTO hold(id, tenant, vmta, domain, job, refuse, who, since) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_HOLD_DELETE] = "DELETE FROM hold WHERE id = ?",
    [SQL_HOLD_ALL] = "SELECT id, tenant, vmta, domain, job, refuse, who, since FROM hold ORDER BY id",
};

int sql_code(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return FL_EFULL;
    case SQLITE_NOMEM:
        return FL_ENOMEM;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return FL_EINVAL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FL_ECORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FL_EBUSY;
    default:
        return FL_EIO;
    }
}

int sql_error(const struct engine *e)
{
    int rc = sql_code(sqlite3_errcode(e->db));

    return rc < 0 ? rc : FL_EIO;
}

sqlite3_stmt *sql_get(struct engine *e, enum statement which)
{
    if (!e->prepared[which] &&
        sqlite3_prepare_v3(e->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, &e->prepared[which], NULL) != SQLITE_OK)
        return NULL;
    return e->prepared[which];
}

int sql_run(sqlite3_stmt *s)
{
    int result = sqlite3_step(s);

    sqlite3_reset(s);
    return sql_code(result);
}

int sql_row(sqlite3_stmt *s)
{
    int result = sqlite3_step(s);

    if (result == SQLITE_ROW)
        return 1;
    sqlite3_reset(s);
    return sql_code(result);
}

int sql_do(struct engine *e, enum statement which)
{
    sqlite3_stmt *s = sql_get(e, which);

    return s ? sql_run(s) : sql_error(e);
}

void sql_bind_text(sqlite3_stmt *s, int at, struct slice text)
{
    sqlite3_bind_text(s, at, text.n ? text.p : "", (int)text.n, SQLITE_STATIC);
}

void sql_bind_blob(sqlite3_stmt *s, int at, struct slice bytes)
{
    sqlite3_bind_blob(s, at, bytes.n ? bytes.p : "", (int)bytes.n, SQLITE_STATIC);
}

void sql_bind_id(sqlite3_stmt *s, int at, const struct ulid *id)
{
    sqlite3_bind_blob(s, at, id->b, ULID_BYTES, SQLITE_STATIC);
}

void sql_bind_int(sqlite3_stmt *s, int at, int64_t v)
{
    sqlite3_bind_int64(s, at, v);
}

void sql_bind_place(sqlite3_stmt *s, int at, const struct body_place *p, bool raw)
{
    sql_bind_int(s, at + PLACE_SEGMENT, (int64_t)p->segment);
    sql_bind_int(s, at + PLACE_OFFSET, (int64_t)p->offset);
    sql_bind_int(s, at + PLACE_LENGTH, (int64_t)p->length);
    sql_bind_int(s, at + PLACE_CRC, p->crc);
    sql_bind_int(s, at + PLACE_RAW, raw);
    if (body_place_has_file(p)) {
        sql_bind_id(s, at + PLACE_FILE, &p->file);
        sql_bind_int(s, at + PLACE_FILE_LENGTH, (int64_t)p->file_length);
        sql_bind_int(s, at + PLACE_FILE_CRC, p->file_crc);
    } else {
        sqlite3_bind_null(s, at + PLACE_FILE);
        sqlite3_bind_null(s, at + PLACE_FILE_LENGTH);
        sqlite3_bind_null(s, at + PLACE_FILE_CRC);
    }
}

struct slice sql_slice(sqlite3_stmt *s, int column)
{
    const void *p = sqlite3_column_blob(s, column);

    return slice_make(p, p ? (size_t)sqlite3_column_bytes(s, column) : 0);
}

int sql_id(sqlite3_stmt *s, int column, struct ulid *ret)
{
    struct slice bytes = sql_slice(s, column);

    if (bytes.n != ULID_BYTES)
        return FL_ECORRUPT;
    memcpy(ret->b, bytes.p, ULID_BYTES);
    return 0;
}

int sql_place(sqlite3_stmt *s, int column, struct body_place *ret, bool *ret_raw)
{
    struct body_place p = {
        .segment = (uint64_t)sqlite3_column_int64(s, column + PLACE_SEGMENT),
        .offset = (uint64_t)sqlite3_column_int64(s, column + PLACE_OFFSET),
        .length = (uint64_t)sqlite3_column_int64(s, column + PLACE_LENGTH),
        .crc = (uint32_t)sqlite3_column_int64(s, column + PLACE_CRC),
    };

    if (sqlite3_column_type(s, column + PLACE_FILE) != SQLITE_NULL) {
        int rc = sql_id(s, column + PLACE_FILE, &p.file);

        if (rc < 0)
            return rc;
        p.file_length = (uint64_t)sqlite3_column_int64(s, column + PLACE_FILE_LENGTH);
        p.file_crc = (uint32_t)sqlite3_column_int64(s, column + PLACE_FILE_CRC);
    }
    *ret = p;
    *ret_raw = sqlite3_column_int(s, column + PLACE_RAW) != 0;
    return 0;
}
