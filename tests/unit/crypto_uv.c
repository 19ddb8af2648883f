/* crypto_uv.c: slow work off the loop, as the daemon has it: many jobs in all classes at once, configurations loaded beside each
 * other, and an end while jobs run. Built with ThreadSanitizer too (./dev test). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "crypto_uv.h"
#include "load.h"
#include "now_uv.h"

enum { JOBS = 300, LOADS = 16, ADDED_UP = 1000 };

static struct crypto *begin(uv_loop_t *uv)
{
    static struct now now;
    struct fl_err err = { 0 };
    struct crypto *c;

    assert_int_equal(uv_loop_init(uv), 0);
    now_attach(uv, &now);
    assert_int_equal(crypto_new(uv, &c, &err), 0);
    return c;
}

/* What runs is awaited. */
static void end(uv_loop_t *uv, struct crypto *c)
{
    crypto_free(c);
    uv_run(uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(uv), 0);
}

struct job {
    int *done_count;
    int64_t sum;
};

static void add_up(void *arg)
{
    struct job *j = arg;

    for (int i = 1; i <= ADDED_UP; i++)
        j->sum += i;
}

static void added_up(void *arg)
{
    struct job *j = arg;

    ++*j->done_count;
}

static void all_work_is_done_off_the_loop_and_told_on_it(void **state)
{
    static const enum crypto_class classes[] = { CRYPTO_WORK, CRYPTO_AUTH, CRYPTO_PAM };
    static struct job jobs[JOBS];
    struct crypto *c;
    uv_loop_t uv;
    int done = 0, taken = 0;

    c = begin(&uv);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){ .done_count = &done };
        taken += crypto_run(c, classes[i % 3], add_up, added_up, &jobs[i]) == 0;
    }
    while (done < taken)
        uv_run(&uv, UV_RUN_ONCE);
    for (int i = 0; i < JOBS; i++)
        assert_true(jobs[i].sum == 0 || jobs[i].sum == (int64_t)ADDED_UP * (ADDED_UP + 1) / 2);
    assert_true(taken > JOBS / 2);
    end(&uv, c);
}

static void what_runs_at_the_end_is_awaited(void **state)
{
    static struct job jobs[JOBS];
    struct crypto *c;
    uv_loop_t uv;
    int done = 0, taken = 0;

    c = begin(&uv);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){ .done_count = &done };
        taken += crypto_run(c, CRYPTO_WORK, add_up, added_up, &jobs[i]) == 0;
    }
    end(&uv, c);
    assert_int_equal(done, taken);
}

struct load {
    char file[4096];
    struct conf *conf;
    struct conf_findings findings;
    int rc, *done_count;
};

static void load_it(void *arg)
{
    struct load *l = arg;

    l->rc = conf_load(l->file, &l->conf, &l->findings);
}

static void loaded(void *arg)
{
    struct load *l = arg;

    ++*l->done_count;
}

static void configurations_are_loaded_beside_each_other(void **state)
{
    static struct load loads[LOADS];
    struct crypto *c;
    uv_loop_t uv;
    int done = 0;

    c = begin(&uv);
    for (int i = 0; i < LOADS; i++) {
        snprintf(loads[i].file, sizeof loads[i].file, "%s/conf/examples/powermta.yaml", getenv("FAIRLEAD_SOURCE"));
        loads[i].done_count = &done;
        assert_int_equal(crypto_run(c, CRYPTO_WORK, load_it, loaded, &loads[i]), 0);
    }
    while (done < LOADS)
        uv_run(&uv, UV_RUN_ONCE);
    for (int i = 0; i < LOADS; i++) {
        assert_int_equal(loads[i].rc, loads[0].rc);
        assert_int_equal(loads[i].findings.count, loads[0].findings.count);
    }
    for (int i = 0; i < LOADS; i++) {
        conf_unref(loads[i].conf);
        conf_findings_free(&loads[i].findings);
    }
    end(&uv, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_work_is_done_off_the_loop_and_told_on_it),
        cmocka_unit_test(what_runs_at_the_end_is_awaited),
        cmocka_unit_test(configurations_are_loaded_beside_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
