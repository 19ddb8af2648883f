/* sqlite_engine.h: what the files of the SQLite engine share: the connection, its statements, and how values go in and out.
 * Only sqlite_*.c include it. */
#ifndef FL_SQLITE_ENGINE_H
#define FL_SQLITE_ENGINE_H

#include <sqlite3.h>

#include "buf.h"
#include "engine.h"
#include "envelope_pack.h"

/* One name for each statement; the texts stand in sqlite_statement.c. */
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_BEGIN_READ,
    SQL_STATE_PUT,
    SQL_STATE_BATCH,
    SQL_STATE_NEXT_QUEUE,
    SQL_FRESH_PUT,
    SQL_FRESH_DELETE,
    SQL_FRESH_GET,
    SQL_FRESH_AFTER,
    SQL_MESSAGE_PUT,
    SQL_MESSAGE_DELETE,
    SQL_MESSAGE_GET,
    SQL_MESSAGE_HAS,
    SQL_RECIPIENT_PUT,
    SQL_RECIPIENT_DELETE,
    SQL_RECIPIENT_GET,
    SQL_RECIPIENT_UPDATE,
    SQL_RECIPIENT_QUEUE,
    SQL_RECIPIENT_IN_QUEUE,
    SQL_RECIPIENT_LEFT,
    SQL_RECIPIENT_DUE,
    SQL_RECIPIENT_EXPIRED,
    SQL_RECIPIENT_OF_MESSAGE,
    SQL_RECIPIENT_OF_JOB,
    SQL_QUEUE_COUNT,
    SQL_QUEUE_PUT,
    SQL_QUEUE_NAMES,
    SQL_QUEUE_CLOCK,
    SQL_QUEUE_CLOCK_NEW,
    SQL_QUEUE_FORGET,
    SQL_QUEUE_ALL,
    SQL_QUEUE_NEXT_DUE,
    SQL_QUEUE_OLDEST,
    SQL_JOB_COUNT,
    SQL_JOB_PUT,
    SQL_JOB_FORGET,
    SQL_JOB_ALL,
    SQL_FRESH_BODIES,
    SQL_MESSAGE_BODIES,
    SQL_SEGMENT_PUT,
    SQL_SEGMENT_DELETE,
    SQL_SEGMENT_ALL,
    SQL_SPOOL_PUT,
    SQL_SPOOL_DELETE,
    SQL_SPOOL_HAS,
    SQL_HOLD_PUT,
    SQL_HOLD_DELETE,
    SQL_HOLD_ALL,
    SQL_STATEMENTS
};

struct gather_vfs;

struct engine {
    sqlite3 *db;
    struct gather_vfs *gather; /* below the connection; NULL where it only reads */
    struct tally *tally;
    struct body_budget *budget;
    sqlite3_stmt *prepared[SQL_STATEMENTS];
    struct buf scratch;
    int64_t now_ms;      /* of the batch */
    uint64_t next_queue; /* above every number of a queue that was seen */
    int wal_frames, wal_copied;
};

/* Columns that say where a body lies stand together, in this order, in fresh and message. */
enum {
    PLACE_SEGMENT,
    PLACE_OFFSET,
    PLACE_LENGTH,
    PLACE_CRC,
    PLACE_RAW,
    PLACE_FILE,
    PLACE_FILE_LENGTH,
    PLACE_FILE_CRC,
    PLACE_COLUMNS
};

/* The FL_E… of a result of SQLite; 0 for SQLITE_OK, SQLITE_ROW, SQLITE_DONE. */
int sql_code(int result);
/* A prepared statement, reset and without values; prepared at its first use. NULL when it cannot be (sql_code of the
 * connection). */
sqlite3_stmt *sql_get(struct engine *e, enum statement which);
/* The error of sql_get. */
int sql_error(const struct engine *e);
/* Runs it to its end and resets it. */
int sql_run(sqlite3_stmt *s);
/* 1: there is a row; 0: no more (and it is reset); or an error (reset too). */
int sql_row(sqlite3_stmt *s);
/* Runs one statement without values or results. */
int sql_do(struct engine *e, enum statement which);

void sql_bind_text(sqlite3_stmt *s, int at, struct slice text);
void sql_bind_blob(sqlite3_stmt *s, int at, struct slice bytes);
void sql_bind_id(sqlite3_stmt *s, int at, const struct ulid *id);
void sql_bind_int(sqlite3_stmt *s, int at, int64_t v);
/* Binds the columns of a place from `at` on. */
void sql_bind_place(sqlite3_stmt *s, int at, const struct body_place *p, bool raw);
/* Borrowed until the next step. */
struct slice sql_slice(sqlite3_stmt *s, int column);
/* FL_ECORRUPT when it is not 16 bytes. */
int sql_id(sqlite3_stmt *s, int column, struct ulid *ret);
int sql_place(sqlite3_stmt *s, int column, struct body_place *ret, bool *ret_raw);

/* sqlite_schema.c: makes or migrates the tables. */
int sqlite_schema_update(struct engine *e, struct fl_err *err);
int sqlite_schema_check(struct engine *e, struct fl_err *err);

/* sqlite_message.c: rows to envelopes. */
int sqlite_fresh_get(struct engine *e, const struct ulid *id, struct envelope **ret); /* FL_ENOENT */
int sqlite_message_get(struct engine *e, const struct ulid *id, struct envelope **ret);
int sqlite_fresh_row(struct engine *e, sqlite3_stmt *s, struct envelope **ret);

/* sqlite_write.c */
int sqlite_accept(struct engine *e, struct op_message *m);
int sqlite_put_message(struct engine *e, const struct envelope *env, const struct body_place *place, bool raw);
/* Puts a parked recipient of env (r may be a copy with another state) and counts it. */
int sqlite_put_recipient(struct engine *e, const struct envelope *env, const struct envelope_rcpt *r);
/* Counts recipients of a queue, of which the message is the first or last when messages is not 0. */
int sqlite_count_queue(struct engine *e, const struct envelope *env, const struct queue_key *key, int messages, int recipients);
int sqlite_count_job(struct engine *e, const struct envelope *env, enum job_column column, int64_t n);
/* Whether the message has a recipient in that queue: 1, 0 or an error. */
int sqlite_message_in_queue(struct engine *e, const struct ulid *message, uint64_t queue);

/* sqlite_settle.c */
int sqlite_settle(struct engine *e, struct op *op);

/* sqlite_find.c */
int sqlite_find(struct engine *e, struct op *op);

#endif
