/* Tests of daemon/file_rotation.c, in a folder of their own. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "file_rotation.h"

static const int64_t noon = 1764072000000; /* 2025-11-25T12:00:00Z */

static char folder[64], file[96];

static int setup(void **state)
{
    strcpy(folder, "/tmp/fairlead-rotation-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/a.jsonl", folder);
    return 0;
}

static void write_file(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs("line\n", f);
    fclose(f);
}

static int count_files(bool remove)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    int n = 0;

    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (remove)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
    return n;
}

static int teardown(void **state)
{
    count_files(true);
    rmdir(folder);
    return 0;
}

static void a_file_is_full_by_size_or_by_day(void **state)
{
    const struct file_rotation by_size = { .size = 100 }, by_day = { .every_ms = DAY_MS }, never = { 0 };

    assert_false(file_rotation_is_due(&by_size, 99, noon, noon));
    assert_true(file_rotation_is_due(&by_size, 100, noon, noon));
    assert_false(file_rotation_is_due(&by_day, 1, noon, noon + 11 * HOUR_MS));
    assert_true(file_rotation_is_due(&by_day, 1, noon, noon + 12 * HOUR_MS));
    assert_false(file_rotation_is_due(&by_day, 0, noon, noon + DAY_MS)); /* nothing in it */
    assert_false(file_rotation_is_due(&never, 1 << 30, noon, noon + 100 * (int64_t)DAY_MS));
}

static void the_oldest_go_and_strangers_stay(void **state)
{
    const struct file_rotation r = { .size = 1, .keep = 2 };
    char other[128];

    snprintf(other, sizeof other, "%s.notes", file);
    write_file(other);
    for (int i = 0; i < 5; i++) {
        write_file(file);
        assert_int_equal(file_rotate(file, &r, noon + i * SECOND_MS), 0);
    }
    assert_int_equal(count_files(false), 3);
    assert_int_equal(access(other, F_OK), 0);
    snprintf(other, sizeof other, "%s.20251125T120004.000Z", file);
    assert_int_equal(access(other, F_OK), 0);
}

static void a_file_that_is_there_is_never_written_over(void **state)
{
    const struct file_rotation r = { .size = 1 };

    write_file(file);
    assert_int_equal(file_rotate(file, &r, noon), 0);
    write_file(file);
    assert_int_equal(file_rotate(file, &r, noon), 0); /* in the same millisecond: the next one's name */
    assert_int_equal(count_files(false), 2);
    assert_true(file_rotate(file, &r, noon) < 0); /* there is none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_full_by_size_or_by_day, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_and_strangers_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_there_is_never_written_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
