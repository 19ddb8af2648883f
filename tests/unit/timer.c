/* Tests of vmta/timer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "timer.h"

struct fixture {
    struct timers ts;
    struct timer a, b, c;
    char fired[32];
    int n;
};

static struct fixture f;

static void fire_a(void *arg) { f.fired[f.n++] = 'a'; }
static void fire_b(void *arg) { f.fired[f.n++] = 'b'; }
static void fire_c(void *arg) { f.fired[f.n++] = 'c'; }

static int setup(void **state)
{
    f = (struct fixture){ 0 };
    timers_init(&f.ts);
    timer_init(&f.a, fire_a, NULL);
    timer_init(&f.b, fire_b, NULL);
    timer_init(&f.c, fire_c, NULL);
    return 0;
}

static int teardown(void **state)
{
    timers_free(&f.ts);
    return 0;
}

static void timers_fire_in_order_of_time_then_of_setting(void **state)
{
    assert_int_equal(timers_next_ms(&f.ts), NEVER_MS);
    timer_set(&f.ts, &f.c, 20);
    timer_set(&f.ts, &f.b, 10);
    timer_set(&f.ts, &f.a, 10);
    assert_int_equal(timers_next_ms(&f.ts), 10);
    timers_run(&f.ts, 9);
    assert_string_equal(f.fired, "");
    timers_run(&f.ts, 30);
    assert_string_equal(f.fired, "bac");
    assert_int_equal(timers_next_ms(&f.ts), NEVER_MS);
}

static void a_timer_is_moved_and_stopped(void **state)
{
    timer_set(&f.ts, &f.a, 10);
    timer_set(&f.ts, &f.a, 5);
    timer_set(&f.ts, &f.b, 6);
    timer_set(&f.ts, &f.c, 7);
    timer_stop(&f.ts, &f.b);
    timer_set(&f.ts, &f.c, NEVER_MS);
    timer_stop(&f.ts, &f.c);
    timers_run(&f.ts, 100);
    assert_string_equal(f.fired, "a");
}

static void set_again(void *arg)
{
    fire_a(NULL);
    if (f.n < 10) {
        timer_set(&f.ts, &f.a, 10);
        timer_set(&f.ts, &f.b, 3);
    }
}

static void what_is_set_for_now_meanwhile_waits_for_the_next_run(void **state)
{
    timer_init(&f.a, set_again, NULL);
    timer_set(&f.ts, &f.a, 10);
    timer_set(&f.ts, &f.c, 10);
    timers_run(&f.ts, 10);
    assert_string_equal(f.fired, "ac");
    timers_run(&f.ts, 10); /* a, which moves b on once more */
    assert_string_equal(f.fired, "aca");
    timer_stop(&f.ts, &f.a);
    timers_run(&f.ts, 10);
    assert_string_equal(f.fired, "acab");
}

static void stop_c(void *arg)
{
    fire_a(NULL);
    timer_stop(&f.ts, &f.c);
}

static void a_callback_may_stop_what_is_due_too(void **state)
{
    timer_init(&f.a, stop_c, NULL);
    timer_set(&f.ts, &f.a, 1);
    timer_set(&f.ts, &f.c, 2);
    timers_run(&f.ts, 5);
    assert_string_equal(f.fired, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order_of_time_then_of_setting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_is_moved_and_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_set_for_now_meanwhile_waits_for_the_next_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_may_stop_what_is_due_too, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
