/* The store's files: segments that come and go, large content of its own, and databases that are not as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment.h"
#include "store_desk.h"
#include "thin.h"

#define RCPTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int open_in(struct desk *d, const char *name)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", d->dir, name);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

/* Overwrites what stands there. */
static void damage(struct desk *d, const char *name, off_t at, size_t n)
{
    int fd = open_in(d, name);
    char *junk = malloc(n);

    assert_non_null(junk);
    memset(junk, 0x5a, n);
    assert_int_equal(pwrite(fd, junk, n, at), n);
    close(fd);
    free(junk);
}

static void run_sql(struct desk *d, const char *sql)
{
    char path[256];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/fairlead.db", d->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_newer_schema_is_refused(void **state)
{
    struct desk d;
    struct fl_err err;

    desk_open(&d);
    desk_close_store(&d);
    run_sql(&d, "UPDATE schema_version SET version = 99");
    assert_int_equal(desk_open_store(&d, &err), FL_EINVAL);
    assert_non_null(strstr(err.text, "schema version 99"));
    assert_non_null(strstr(err.text, "fairlead.db"));
    desk_close(&d);
}

static void what_is_no_database_is_refused(void **state)
{
    struct desk d;
    struct fl_err err;

    desk_open(&d);
    desk_close_store(&d);
    damage(&d, "fairlead.db", 0, 100);
    assert_int_equal(desk_open_store(&d, &err), FL_ECORRUPT);
    assert_non_null(strstr(err.text, "not a database"));
    desk_close(&d);
}

static void a_database_with_damaged_pages_is_refused(void **state)
{
    struct desk d;
    struct fl_err err;
    struct envelope *e;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    desk_close_store(&d);
    damage(&d, "fairlead.db", 4096, 20 * 4096);
    assert_int_equal(desk_open_store(&d, &err), FL_ECORRUPT);
    assert_non_null(strstr(err.text, "fairlead.db"));
    envelope_unref(e);
    desk_close(&d);
}

static void a_damaged_body_is_noticed_when_it_is_read(void **state)
{
    struct desk d;
    struct envelope *e;

    desk_open(&d);
    e = desk_message(&d, "hello, world\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    body_forget(e->body);
    assert_int_equal(body_in_memory(e->body), 0);
    assert_int_equal(body_length(e->body), 14);
    assert_int_equal(desk_read(&d, e->body), 0);
    assert_memory_equal(d.read, "hello, world\r\n", 14);
    damage(&d, "segment-0000000000000001", (off_t)body_place(e->body)->offset + 5, 1);
    assert_int_equal(desk_read(&d, e->body), FL_ECORRUPT);
    envelope_unref(e);
    desk_close(&d);
}

static void a_missing_segment_is_said_at_the_start_and_stops_nothing_else(void **state)
{
    struct desk d;
    struct envelope *e;
    char path[256];

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    desk_close_store(&d);
    snprintf(path, sizeof path, "%s/segment-0000000000000001", d.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(desk_open_store(&d, NULL), 0);
    assert_non_null(strstr(d.last_log, "segment_missing"));
    assert_int_equal(desk_read(&d, store_recovered(d.store)->fresh[0]->body), FL_EIO);
    envelope_unref(e);
    desk_close(&d);
}

static void each_start_begins_a_segment_and_the_dead_ones_go(void **state)
{
    struct desk d;
    struct envelope *e, *f;

    desk_open(&d);
    e = desk_message(&d, "one\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    desk_reopen(&d);
    f = desk_message(&d, "two\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, f, true), 0);
    assert_int_equal(body_place(e->body)->segment, 1);
    assert_int_equal(body_place(f->body)->segment, 2);
    assert_int_equal(desk_files(&d, "segment-"), 2);
    desk_settle(&d, e, -1, SETTLE_DELIVERED, 0);
    desk_files_become(&d, "segment-", 1);
    desk_settle(&d, f, -1, SETTLE_DELIVERED, 0); /* the one that is written stays */
    assert_int_equal(desk_files(&d, "segment-"), 1);
    envelope_unref(e);
    envelope_unref(f);
    desk_close(&d);
}

static void a_dead_segment_is_kept_as_the_spare_one_and_becomes_the_next(void **state)
{
    struct desk d;
    struct envelope *e[3];

    desk_open(&d);
    for (int i = 0; i < 3; i++)
        e[i] = desk_message(&d, i == 0 ? "a longer one, of which bytes are left behind\r\n" : "two\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e[0], true), 0);
    desk_reopen(&d);
    assert_int_equal(desk_accept(&d, e[1], true), 0);
    assert_int_equal(desk_read(&d, e[0]->body), 0); /* the reader has it open */
    desk_settle(&d, e[0], -1, SETTLE_DELIVERED, 0);
    desk_files_become(&d, "spare", 1);
    assert_int_equal(desk_read(&d, e[0]->body), FL_EIO);
    desk_reopen(&d);
    assert_int_equal(desk_accept(&d, e[2], true), 0);
    assert_int_equal(body_place(e[2]->body)->segment, 3);
    assert_int_equal(desk_files(&d, "spare"), 0);
    assert_int_equal(desk_read(&d, e[2]->body), 0);
    assert_int_equal(d.read_n, 5);
    assert_int_equal(desk_read(&d, e[1]->body), 0);
    for (int i = 0; i < 3; i++)
        envelope_unref(e[i]);
    desk_close(&d);
}

/* Thins the first segment out. Returns the bytes that were freed. */
static int64_t thin_first(struct desk *d, bool forget)
{
    char path[256];
    struct engine_options eo = { .path = path, .budget = &d->budget };
    const uint64_t first = 1;
    struct engine *e;
    struct disk *disk;
    struct thin *t;
    int64_t freed;
    int rc;

    snprintf(path, sizeof path, "%s/fairlead.db", d->dir);
    assert_int_equal(disk_open_posix(d->dir, &disk, NULL), 0);
    assert_int_equal(engine_open(&eo, &e, NULL), 0);
    assert_int_equal(thin_new(disk, &first, 1, &t), 0);
    if (forget)
        thin_forget(t, "segment-0000000000000001");
    while ((rc = thin_step(t, e)) > 0)
        ;
    assert_int_equal(rc, 0);
    freed = thin_freed(t);
    thin_free(t);
    engine_close(e);
    disk_close(disk);
    return freed;
}

static void what_is_alive_stays_when_a_segment_is_thinned_out(void **state)
{
    enum { BODIES = 8, BYTES = 20000 };
    static char text[BYTES + 1];
    struct desk d;
    struct envelope *e[BODIES];

    desk_open(&d);
    for (int i = 0; i < BODIES; i++) {
        memset(text, 'a' + i, BYTES);
        memcpy(text + BYTES - 2, "\r\n", 3);
        e[i] = desk_message(&d, text, NULL, RCPTS("7 a@two.test"));
        assert_int_equal(desk_accept(&d, e[i], i % 2), 0); /* fresh ones and parked ones */
    }
    for (int i = 0; i < BODIES; i++)
        if (i != 2 && i != 5)
            desk_settle(&d, e[i], -1, SETTLE_DELIVERED, 0);
    assert_int_equal(thin_first(&d, true), 0);
    assert_in_range(thin_first(&d, false), 4 * BYTES, SEGMENT_BYTES - 2 * BYTES);
    for (int i = 0; i < BODIES; i++) {
        if (i == 2 || i == 5) {
            assert_int_equal(desk_read(&d, e[i]->body), 0);
            assert_int_equal(d.read_n, BYTES);
            assert_int_equal(d.read[0], 'a' + i);
        }
        envelope_unref(e[i]);
    }
    desk_close(&d);
}

static void files_that_no_message_needs_go_at_the_start(void **state)
{
    struct desk d;
    char path[256];

    desk_open(&d);
    desk_close_store(&d);
    snprintf(path, sizeof path, "%s/segment-00000000000000ff", d.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/large-01JABCDEFGHJKMNPQRSTVWXYZ0", d.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/notes.txt", d.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(desk_open_store(&d, NULL), 0);
    assert_int_equal(desk_files(&d, "segment-"), 0);
    assert_int_equal(desk_files(&d, "large-"), 0);
    assert_int_equal(desk_files(&d, "notes.txt"), 1);
    desk_close(&d);
}

static void on_written(void *desk)
{
    ((struct desk *)desk)->done++;
}

static void large_content_has_a_file_of_its_own(void **state)
{
    struct desk d;
    struct envelope *e;
    struct store_spool *sp;
    static char big[300000];

    desk_open(&d);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 23);
    e = desk_message(&d, "Subject: head\r\n\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(store_spool_open(d.store, &sp), 0);
    store_spool_on_written(sp, on_written, &d);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_spool_add(sp, slice_make(big + i * 100000, 100000)), 0);
    desk_wait(&d, 1);
    store_spool_finish(sp, e->body, desk_on_done, &d);
    desk_wait(&d, 1);
    assert_int_equal(d.rc, 0);
    assert_int_equal(body_length(e->body), 17 + sizeof big);
    assert_int_equal(desk_accept(&d, e, false), 0);
    desk_reopen(&d);
    assert_int_equal(desk_files(&d, "large-"), 1);
    desk_load(&d, 7, INT64_MAX, 10);
    assert_int_equal(d.loaded.count, 1);
    assert_int_equal(desk_read(&d, d.loaded.envelopes[0]->body), 0);
    assert_int_equal(d.read_n, 17 + sizeof big);
    assert_memory_equal(d.read, "Subject: head\r\n\r\n", 17);
    assert_memory_equal(d.read + 17, big, sizeof big);
    desk_settle(&d, d.loaded.envelopes[0], -1, SETTLE_DELIVERED, 0);
    desk_files_become(&d, "large-", 0);
    envelope_unref(e);
    desk_close(&d);
}

static void large_content_that_is_given_up_leaves_nothing(void **state)
{
    struct desk d;
    struct envelope *e;
    struct store_spool *aborted, *dropped, *left;

    desk_open(&d);
    e = desk_message(&d, "head\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(store_spool_open(d.store, &aborted), 0);
    assert_int_equal(store_spool_open(d.store, &dropped), 0);
    assert_int_equal(store_spool_open(d.store, &left), 0);
    assert_int_equal(store_spool_add(aborted, SLICE("rest")), 0);
    assert_int_equal(store_spool_add(dropped, SLICE("rest")), 0);
    assert_int_equal(store_spool_add(left, SLICE("rest")), 0);
    store_spool_abort(aborted);
    store_spool_finish(dropped, e->body, desk_on_done, &d);
    desk_wait(&d, 1);
    assert_int_equal(store_spool_drop(d.store, e->body), 0);
    desk_reopen(&d); /* the third goes with its session; the start finds its file */
    assert_int_equal(desk_files(&d, "large-"), 0);
    envelope_unref(e);
    desk_close(&d);
}

static void below_the_floor_nothing_is_accepted_and_outcomes_go_on(void **state)
{
    struct desk d;
    struct envelope *e, *f;

    desk_open(&d);
    e = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    f = desk_message(&d, "hello\r\n", NULL, RCPTS("7 a@two.test"));
    assert_int_equal(desk_accept(&d, e, true), 0);
    d.options.min_free_space = INT64_MAX / 2;
    desk_reopen(&d);
    assert_int_equal(store_health(d.store), STORE_FULL);
    assert_int_equal(desk_accept(&d, f, true), FL_EFULL);
    desk_settle(&d, e, -1, SETTLE_DELIVERED, 0);
    assert_true(d.settled.message_gone);
    envelope_unref(e);
    envelope_unref(f);
    desk_close(&d);
}

static void names_of_body_files_are_parsed_strictly(void **state)
{
    struct ulid file;
    uint64_t id;
    char name[SEGMENT_NAME];

    segment_name(0xa1, name);
    assert_string_equal(name, "segment-00000000000000a1");
    assert_true(segment_parse_name(name, &id, &file) && id == 0xa1);
    assert_false(segment_parse_name("segment-0000000000000000", &id, &file));
    assert_false(segment_parse_name("segment-a1", &id, &file));
    assert_false(segment_parse_name("segment-00000000000000A1", &id, &file));
    assert_false(segment_parse_name("large-1", &id, &file));
    assert_false(segment_parse_name("fairlead.db", &id, &file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(what_is_no_database_is_refused),
        cmocka_unit_test(a_database_with_damaged_pages_is_refused),
        cmocka_unit_test(a_damaged_body_is_noticed_when_it_is_read),
        cmocka_unit_test(a_missing_segment_is_said_at_the_start_and_stops_nothing_else),
        cmocka_unit_test(each_start_begins_a_segment_and_the_dead_ones_go),
        cmocka_unit_test(a_dead_segment_is_kept_as_the_spare_one_and_becomes_the_next),
        cmocka_unit_test(what_is_alive_stays_when_a_segment_is_thinned_out),
        cmocka_unit_test(files_that_no_message_needs_go_at_the_start),
        cmocka_unit_test(large_content_has_a_file_of_its_own),
        cmocka_unit_test(large_content_that_is_given_up_leaves_nothing),
        cmocka_unit_test(below_the_floor_nothing_is_accepted_and_outcomes_go_on),
        cmocka_unit_test(names_of_body_files_are_parsed_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
