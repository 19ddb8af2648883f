/* sqlite_open.c: the connection: opened, set up, checkpointed and closed. One connection of the process both commits and
 * checkpoints; the others never do, so that the race between two checkpoints (see sqlite_version.c) cannot be met. */
#include <stdlib.h>

#include "fault.h"
#include "sqlite_engine.h"
#include "sqlite_gather.h"

/* 4 KiB pages are what disks write whole. Each COMMIT is synced (FULL). Nothing is mapped: an error of the disk is an answer
 * then and not a signal. wal_autocheckpoint 0: checkpoints are explicit, between batches. */
static const char WRITER_SETUP[] = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                   "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -65536; PRAGMA mmap_size = 0;"
                                   "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF";
static const char READER_SETUP[] = "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192; PRAGMA mmap_size = 0;"
                                   "PRAGMA temp_store = MEMORY; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF";

enum { READER_BUSY_MS = 2000 };

static int note_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct engine *e = arg;

    if (frames < e->wal_frames)
        e->wal_copied = 0; /* the log began anew */
    e->wal_frames = frames;
    return SQLITE_OK;
}

/* The file may be a database of another program, or none at all: the pragma is the first thing that reads it. */
static int set_up_writer(struct engine *e, struct fl_err *err)
{
    sqlite3_stmt *s = NULL;
    bool is_wal;
    int result = sqlite3_exec(e->db, WRITER_SETUP, NULL, NULL, NULL);

    if (result == SQLITE_OK && FAULT(commit_not_synced))
        result = sqlite3_exec(e->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return fl_fail(err, sql_code(result), "cannot be used: %s", sqlite3_errmsg(e->db));
    result = sqlite3_prepare_v2(e->db, "PRAGMA journal_mode", -1, &s, NULL);
    is_wal = result == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && slice_eq(sql_slice(s, 0), SLICE("wal"));
    sqlite3_finalize(s);
    if (!is_wal)
        return fl_fail(err, FL_EIO, "cannot be used in WAL mode: its file system lacks what that needs");
    sqlite3_wal_hook(e->db, note_frames, e);
    return sqlite_schema_update(e, err);
}

static int set_up_reader(struct engine *e, struct fl_err *err)
{
    int result = sqlite3_exec(e->db, READER_SETUP, NULL, NULL, NULL), rc;

    if (result == SQLITE_OK)
        result = sqlite3_db_config(e->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (result != SQLITE_OK)
        return fl_fail(err, sql_code(result), "cannot be read: %s", sqlite3_errmsg(e->db));
    sqlite3_busy_timeout(e->db, READER_BUSY_MS);
    rc = sqlite_schema_check(e, err);
    return rc < 0 ? rc : 0;
}

/* The connection alone. What the writer puts into the log is gathered. */
static int open_database(struct engine *e, const struct engine_options *o, struct fl_err *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, result;
    const char *vfs = o->vfs;

    if (o->tally) {
        int rc = gather_vfs_new(o->vfs, &e->gather);

        if (rc < 0)
            return fl_fail(err, rc, "%s: cannot be opened: %s", o->path,
                           rc == FL_ENOMEM ? "out of memory" : "no such file system");
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        vfs = gather_vfs_name(e->gather);
    } else {
        flags |= SQLITE_OPEN_READONLY;
    }
    result = sqlite3_open_v2(o->path, &e->db, flags, vfs);
    if (result == SQLITE_OK)
        return 0;
    return fl_fail(err, sql_code(result), "%s: cannot be opened: %s", o->path,
                   e->db ? sqlite3_errmsg(e->db) : "out of memory");
}

int engine_open(const struct engine_options *o, struct engine **ret, struct fl_err *err)
{
    struct engine *e = calloc(1, sizeof *e);
    int rc;

    if (!e)
        return fl_fail(err, FL_ENOMEM, "%s: out of memory", o->path);
    e->tally = o->tally;
    e->budget = o->budget;
    buf_init(&e->scratch, 0);
    rc = open_database(e, o, err);
    if (rc == 0) {
        rc = o->tally ? set_up_writer(e, err) : set_up_reader(e, err);
        if (rc < 0)
            fl_at(err, "%s", o->path);
    }
    if (rc < 0) {
        engine_close(e);
        return rc;
    }
    *ret = e;
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(e->prepared[i]);
    sqlite3_close(e->db);
    gather_vfs_free(e->gather);
    buf_free(&e->scratch);
    free(e);
}

void engine_abandon(struct engine *e)
{
    if (e)
        sqlite3_db_config(e->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    engine_close(e);
}

int engine_begin(struct engine *e, int64_t now_ms)
{
    e->now_ms = now_ms;
    return sql_do(e, SQL_BEGIN);
}

int engine_commit(struct engine *e, uint64_t batch)
{
    sqlite3_stmt *s = sql_get(e, SQL_STATE_PUT);
    int rc;

    if (!s)
        return sql_error(e);
    sql_bind_int(s, 1, (int64_t)batch);
    sql_bind_int(s, 2, (int64_t)e->next_queue);
    rc = sql_run(s);
    return rc < 0 ? rc : sql_do(e, SQL_COMMIT);
}

/* After some errors SQLite has rolled back by itself. */
void engine_rollback(struct engine *e)
{
    if (!sqlite3_get_autocommit(e->db))
        sql_do(e, SQL_ROLLBACK);
}

static int read_number(struct engine *e, enum statement which, uint64_t *ret)
{
    sqlite3_stmt *s = sql_get(e, which);
    int rc = s ? sql_row(s) : sql_error(e);

    if (rc <= 0)
        return rc < 0 ? rc : FL_ECORRUPT;
    *ret = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return 0;
}

int engine_batch(struct engine *e, uint64_t *ret)
{
    return read_number(e, SQL_STATE_BATCH, ret);
}

int engine_next_queue(struct engine *e, uint64_t *ret)
{
    return read_number(e, SQL_STATE_NEXT_QUEUE, ret);
}

int engine_wal_frames(const struct engine *e)
{
    return e->wal_frames;
}

int engine_wal_waiting(const struct engine *e)
{
    return e->wal_frames - e->wal_copied;
}

int engine_checkpoint(struct engine *e, bool to_end)
{
    int in_log = 0, copied = 0;
    int mode = to_end ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    int result = sqlite3_wal_checkpoint_v2(e->db, NULL, mode, &in_log, &copied);

    if (result != SQLITE_OK)
        return sql_code(result);
    e->wal_frames = in_log;
    e->wal_copied = copied;
    return 0;
}
