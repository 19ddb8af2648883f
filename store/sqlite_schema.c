/* sqlite_schema.c: the tables, and how an older database becomes a present one. A migration is added at the end of the list and
 * never changed afterwards. */
#include "sqlite_engine.h"

/* fresh:     one row a message, recipients inside, no second index: written once and deleted once on the way through.
 * message, recipient: parked mail. The key begins (message, queue): "has this message anything left in that queue" is a look-up.
 * queue:     counts are of parked mail only. next_attempt and reply: the queue's own clock.
 * segment:   messages whose body lies in it, and how many those were at most. spool: files of large bodies that a message needs.
 * state:     the number of the last batch, by which a COMMIT of unknown outcome is judged. */
static const char *const migrations[] = {
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), batch INTEGER NOT NULL, next_queue INTEGER NOT NULL);"
    "INSERT INTO state VALUES(1, 0, 1);"
    "CREATE TABLE fresh(id BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, raw INTEGER NOT NULL, file BLOB, file_length INTEGER, file_crc INTEGER, envelope BLOB NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE message(id BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, raw INTEGER NOT NULL, file BLOB, file_length INTEGER, file_crc INTEGER, envelope BLOB NOT NULL,"
    " tenant TEXT, job TEXT) WITHOUT ROWID;"
    "CREATE INDEX message_job ON message(tenant, job, id) WHERE job IS NOT NULL;"
    "CREATE TABLE recipient(message BLOB NOT NULL, queue INTEGER NOT NULL, number INTEGER NOT NULL, due INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, attempts INTEGER NOT NULL, details BLOB NOT NULL, PRIMARY KEY(message, queue, number)) WITHOUT "
    "ROWID;"
    "CREATE INDEX recipient_due ON recipient(queue, due, message, number);"
    "CREATE INDEX recipient_expires ON recipient(queue, expires, message, number);"
    "CREATE TABLE queue(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, vmta TEXT NOT NULL, domain TEXT NOT NULL,"
    " messages INTEGER NOT NULL DEFAULT 0, recipients INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0, next_attempt INTEGER NOT NULL DEFAULT 0, reply BLOB);"
    "CREATE TABLE job(tenant TEXT NOT NULL, job TEXT NOT NULL, queued INTEGER NOT NULL, delivered INTEGER NOT NULL,"
    " bounced INTEGER NOT NULL, expired INTEGER NOT NULL, dropped INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " first_accepted INTEGER NOT NULL, last_event INTEGER NOT NULL, PRIMARY KEY(tenant, job)) WITHOUT ROWID;"
    "CREATE TABLE segment(id INTEGER PRIMARY KEY, live INTEGER NOT NULL);"
    "CREATE TABLE spool(id BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE hold(id BLOB PRIMARY KEY, tenant TEXT NOT NULL, vmta TEXT NOT NULL, domain TEXT NOT NULL, job TEXT NOT NULL,"
    " refuse INTEGER NOT NULL, who TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;",
    "ALTER TABLE segment ADD COLUMN most INTEGER NOT NULL DEFAULT 0;",
};

enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

/* The version of the tables; 0 for an empty file. */
static int read_version(struct engine *e, int *ret)
{
    sqlite3_stmt *s = NULL;
    int result = sqlite3_prepare_v2(e->db, "SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'", -1, &s, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_step(s);
    sqlite3_finalize(s);
    if (result == SQLITE_DONE) {
        *ret = 0;
        return 0;
    }
    if (result != SQLITE_ROW)
        return sql_code(result);
    result = sqlite3_prepare_v2(e->db, "SELECT version FROM schema_version", -1, &s, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(s);
    if (result == SQLITE_ROW)
        *ret = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return result == SQLITE_ROW ? 0 : result == SQLITE_DONE ? FL_ECORRUPT : sql_code(result);
}

static int migrate(struct engine *e, int from)
{
    int result = sqlite3_exec(e->db, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS schema_version(version INTEGER NOT NULL);",
                              NULL, NULL, NULL);

    for (int i = from; i < SCHEMA_VERSION && result == SQLITE_OK; i++)
        result = sqlite3_exec(e->db, migrations[i], NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(e->db, "DELETE FROM schema_version", NULL, NULL, NULL);
    if (result == SQLITE_OK) {
        sqlite3_stmt *s = NULL;

        result = sqlite3_prepare_v2(e->db, "INSERT INTO schema_version VALUES(?)", -1, &s, NULL);
        if (result == SQLITE_OK) {
            sqlite3_bind_int(s, 1, SCHEMA_VERSION);
            result = sqlite3_step(s);
        }
        sqlite3_finalize(s);
    }
    if (result == SQLITE_OK || result == SQLITE_DONE)
        result = sqlite3_exec(e->db, "COMMIT", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        sqlite3_exec(e->db, "ROLLBACK", NULL, NULL, NULL);
    return sql_code(result);
}

int sqlite_schema_check(struct engine *e, struct fl_err *err)
{
    int version = 0, rc = read_version(e, &version);

    if (rc < 0)
        return fl_fail(err, rc, "cannot be read: %s", sqlite3_errmsg(e->db));
    if (version > SCHEMA_VERSION)
        return fl_fail(err, FL_EINVAL,
                       "has schema version %d, and this program knows versions up to %d: a newer Fairlead wrote it", version,
                       SCHEMA_VERSION);
    return version;
}

int sqlite_schema_update(struct engine *e, struct fl_err *err)
{
    int rc = sqlite_schema_check(e, err);

    if (rc < 0 || rc == SCHEMA_VERSION)
        return rc < 0 ? rc : 0;
    rc = migrate(e, rc);
    return rc < 0 ? fl_fail(err, rc, "its tables cannot be made: %s", sqlite3_errmsg(e->db)) : 0;
}
