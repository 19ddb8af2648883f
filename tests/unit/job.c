/* Campaigns: found by tenant and id, bounded, forgotten after a week. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "job.h"

static int forgotten;

static void on_forgotten(void *arg, const struct job *j)
{
    forgotten++;
}

static struct job *job_number(struct jobs *js, int n)
{
    char name[20];

    snprintf(name, sizeof name, "%d", n);
    return jobs_get(js, SLICE("one"), slice_of(name));
}

static void jobs_of_two_tenants_are_two(void **state)
{
    struct jobs *js = jobs_new();
    struct job *a = jobs_get(js, SLICE("one"), SLICE("j"));

    assert_ptr_equal(jobs_get(js, SLICE("one"), SLICE("j")), a);
    assert_ptr_equal(jobs_find(js, SLICE("one"), SLICE("j")), a);
    assert_ptr_not_equal(jobs_get(js, SLICE("two"), SLICE("j")), a);
    assert_null(jobs_get(js, SLICE("one"), SLICE_NONE));
    jobs_free(js);
}

static void past_the_bound_mail_is_counted_under_other(void **state)
{
    struct jobs *js = jobs_new();

    for (int i = 0; i < JOBS_PER_TENANT; i++)
        job_number(js, i);
    assert_true(slice_eq(jobs_name(js, SLICE("one"), SLICE("17")), SLICE("17")));
    assert_true(slice_eq(jobs_name(js, SLICE("one"), SLICE("new")), JOB_OTHER));
    assert_true(slice_eq(jobs_name(js, SLICE("two"), SLICE("new")), SLICE("new")));
    jobs_free(js);
}

static void empty_jobs_are_forgotten_after_a_week_whatever_stands_before_them(void **state)
{
    struct jobs *js = jobs_new();

    for (int i = 0; i < 1000; i++)
        job_number(js, i)->queued = i < 500;
    forgotten = 0;
    for (int i = 0; i < 20; i++)
        jobs_forget_old(js, JOB_KEPT_MS - 1, on_forgotten, NULL);
    assert_int_equal(forgotten, 0);
    for (int i = 0; i < 20; i++)
        jobs_forget_old(js, JOB_KEPT_MS, on_forgotten, NULL);
    assert_int_equal(forgotten, 500);
    assert_non_null(jobs_find(js, SLICE("one"), SLICE("3")));
    assert_null(jobs_find(js, SLICE("one"), SLICE("700")));
    jobs_free(js);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_two_tenants_are_two),
        cmocka_unit_test(past_the_bound_mail_is_counted_under_other),
        cmocka_unit_test(empty_jobs_are_forgotten_after_a_week_whatever_stands_before_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
