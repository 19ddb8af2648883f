/* The log of SQLite, gathered: one write a transaction, and nobody misses what is still in memory. On the simulated disk, which
 * counts and fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sqlite_gather.h"
#include "sqlite_vfs_sim.h"

struct base {
    struct sim_disk *disk;
    struct sim_vfs *vfs;
    struct gather_vfs *gather;
    sqlite3 *db;
};

static void must(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    int n;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void insert(sqlite3 *db, int rows)
{
    char sql[200];

    snprintf(sql, sizeof sql, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) "
                              "INSERT INTO t(bytes) SELECT zeroblob(3000) FROM c", rows);
    must(db, sql);
}

static int open_base(void **state)
{
    static struct base b;

    b.disk = sim_disk_new(1);
    b.vfs = sim_vfs_new(b.disk);
    assert_int_equal(gather_vfs_new(sim_vfs_name(b.vfs), &b.gather), 0);
    assert_int_equal(sqlite3_open_v2("a.db", &b.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
                                     gather_vfs_name(b.gather)), SQLITE_OK);
    must(b.db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;"
               "CREATE TABLE t(id INTEGER PRIMARY KEY, bytes BLOB)");
    *state = &b;
    return 0;
}

static int close_base(void **state)
{
    struct base *b = *state;

    assert_int_equal(sqlite3_close(b->db), SQLITE_OK);
    gather_vfs_free(b->gather);
    sim_vfs_free(b->vfs);
    sim_disk_free(b->disk);
    return 0;
}

static void a_commit_is_a_write_and_a_sync(void **state)
{
    struct base *b = *state;
    int before;

    must(b->db, "BEGIN");
    insert(b->db, 10);
    before = sim_disk_operations(b->disk);
    must(b->db, "COMMIT");
    assert_int_equal(sim_disk_operations(b->disk) - before, 2);
}

static void more_than_the_buffer_holds_takes_several_writes(void **state)
{
    struct base *b = *state;
    int before;

    must(b->db, "BEGIN");
    insert(b->db, 400);
    before = sim_disk_operations(b->disk);
    must(b->db, "COMMIT");
    assert_in_range(sim_disk_operations(b->disk) - before, 3, 40);
    assert_int_equal(number(b->db, "SELECT count(*) FROM t"), 400);
}

static void the_file_system_of_the_real_machine_takes_them_too(void **state)
{
    char dir[] = "/tmp/fairlead-gather-XXXXXX", path[64];
    struct gather_vfs *v;
    sqlite3 *db;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.db", dir);
    assert_int_equal(gather_vfs_new(NULL, &v), 0);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, gather_vfs_name(v)), SQLITE_OK);
    must(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, bytes BLOB)");
    for (int rows = 1; rows < 150; rows += 7)
        insert(db, rows);
    must(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    sqlite3_close(db);
    gather_vfs_free(v);
    unlink(path);
    rmdir(dir);
}

static void a_transaction_larger_than_the_page_cache_reads_its_own_pages_back(void **state)
{
    struct base *b = *state;

    must(b->db, "PRAGMA cache_size = 10; BEGIN");
    for (int i = 0; i < 40; i++) {
        insert(b->db, 10);
        must(b->db, "UPDATE t SET bytes = zeroblob(2000) WHERE id % 7 = 0");
        assert_int_equal(number(b->db, "SELECT sum(length(bytes) > 0) FROM t"), 10 * (i + 1));
    }
    must(b->db, "COMMIT");
    assert_int_equal(number(b->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void another_connection_sees_what_is_committed_and_no_more(void **state)
{
    struct base *b = *state;
    sqlite3 *other;

    insert(b->db, 5);
    assert_int_equal(sqlite3_open_v2("a.db", &other, SQLITE_OPEN_READONLY, sim_vfs_name(b->vfs)), SQLITE_OK);
    sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 5);
    must(b->db, "PRAGMA cache_size = 10; BEGIN");
    insert(b->db, 100);
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 5);
    must(b->db, "COMMIT");
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 105);
    sqlite3_close(other);
}

static void a_write_that_fails_late_fails_the_commit(void **state)
{
    static const struct { int code, result; } faults[] = {
        { FL_EIO, SQLITE_IOERR_WRITE }, { FL_EFULL, SQLITE_FULL },
    };
    struct base *b = *state;

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        must(b->db, "BEGIN");
        insert(b->db, 5);
        sim_disk_fail_after(b->disk, 0, faults[i].code, false);
        assert_int_equal(sqlite3_exec(b->db, "COMMIT", NULL, NULL, NULL), faults[i].result);
        assert_true(sqlite3_get_autocommit(b->db));
        assert_int_equal(number(b->db, "SELECT count(*) FROM t"), 0);
    }
    insert(b->db, 5);
    assert_int_equal(number(b->db, "SELECT count(*) FROM t"), 5);
}

static void what_was_rolled_back_is_not_written_over_what_follows(void **state)
{
    struct base *b = *state;

    must(b->db, "PRAGMA cache_size = 10; BEGIN");
    insert(b->db, 100);
    must(b->db, "ROLLBACK");
    insert(b->db, 3);
    must(b->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(number(b->db, "SELECT count(*) FROM t"), 3);
    assert_int_equal(number(b->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void what_was_committed_outlives_a_power_cut(void **state)
{
    struct base *b = *state;

    insert(b->db, 30);
    must(b->db, "PRAGMA cache_size = 10; BEGIN");
    insert(b->db, 100);
    sim_disk_cut_after(b->disk, 0);
    sqlite3_close(b->db);
    sim_disk_power_on(b->disk);
    sim_vfs_power_on(b->vfs);
    assert_int_equal(sqlite3_open_v2("a.db", &b->db, SQLITE_OPEN_READWRITE, gather_vfs_name(b->gather)), SQLITE_OK);
    assert_int_equal(number(b->db, "SELECT count(*) FROM t"), 30);
}

static void no_file_system_of_that_name_is_an_error(void **state)
{
    struct gather_vfs *v;

    assert_int_equal(gather_vfs_new("nowhere", &v), FL_EINVAL);
}

#define on_a_base(f) cmocka_unit_test_setup_teardown(f, open_base, close_base)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_a_base(a_commit_is_a_write_and_a_sync),
        on_a_base(more_than_the_buffer_holds_takes_several_writes),
        cmocka_unit_test(the_file_system_of_the_real_machine_takes_them_too),
        on_a_base(a_transaction_larger_than_the_page_cache_reads_its_own_pages_back),
        on_a_base(another_connection_sees_what_is_committed_and_no_more),
        on_a_base(a_write_that_fails_late_fails_the_commit),
        on_a_base(what_was_rolled_back_is_not_written_over_what_follows),
        on_a_base(what_was_committed_outlives_a_power_cut),
        cmocka_unit_test(no_file_system_of_that_name_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
