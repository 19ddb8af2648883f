/* When to try again, and when it is too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "retry.h"

static int64_t list_ms[] = { 5 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS };
static const struct retry_schedule list = { .interval_ms = list_ms, .count = 3 };
static const struct retry_schedule growing = { .first_ms = MINUTE_MS, .factor = 2, .max_ms = HOUR_MS };

static void the_last_interval_of_a_list_repeats(void **state)
{
    assert_int_equal(retry_interval(&list, 1, NULL), 5 * MINUTE_MS);
    assert_int_equal(retry_interval(&list, 2, NULL), 10 * MINUTE_MS);
    assert_int_equal(retry_interval(&list, 3, NULL), HOUR_MS);
    assert_int_equal(retry_interval(&list, 4, NULL), HOUR_MS);
    assert_int_equal(retry_interval(&list, INT32_MAX, NULL), HOUR_MS);
    assert_int_equal(retry_interval(&list, 0, NULL), 5 * MINUTE_MS);
}

static void an_exponential_one_grows_to_its_maximum(void **state)
{
    assert_int_equal(retry_interval(&growing, 1, NULL), MINUTE_MS);
    assert_int_equal(retry_interval(&growing, 2, NULL), 2 * MINUTE_MS);
    assert_int_equal(retry_interval(&growing, 6, NULL), 32 * MINUTE_MS);
    assert_int_equal(retry_interval(&growing, 7, NULL), HOUR_MS);
    assert_int_equal(retry_interval(&growing, INT32_MAX, NULL), HOUR_MS);
}

static void a_factor_that_does_not_grow_ends(void **state)
{
    struct retry_schedule s = { .first_ms = MINUTE_MS, .factor = 1, .max_ms = HOUR_MS };

    assert_int_equal(retry_interval(&s, INT32_MAX, NULL), MINUTE_MS);
}

static void jitter_stays_inside_its_width_and_uses_it(void **state)
{
    struct retry_schedule s = { .first_ms = 100 * SECOND_MS, .factor = 2, .max_ms = 100 * SECOND_MS, .jitter_permille = 100 };
    int64_t low = INT64_MAX, high = 0;
    struct rand r;

    rand_seed(&r, 1);
    for (int i = 0; i < 10000; i++) {
        int64_t ms = retry_interval(&s, 3, &r);

        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    assert_true(low >= 90 * SECOND_MS && low < 91 * SECOND_MS);
    assert_true(high <= 110 * SECOND_MS && high > 109 * SECOND_MS);
    assert_true(retry_longest(&s) >= high);
}

static void nothing_is_tried_more_than_once_a_second(void **state)
{
    int64_t ms[] = { 1 };
    struct retry_schedule s = { .interval_ms = ms, .count = 1 };

    assert_int_equal(retry_interval(&s, 1, NULL), RETRY_SHORTEST_MS);
}

static void the_next_attempt_is_never_behind_the_expiry(void **state)
{
    assert_int_equal(retry_next(&list, 1, 1000, 1000 + DAY_MS, NULL), 1000 + 5 * MINUTE_MS);
    assert_int_equal(retry_next(&list, 3, 1000, 1000 + 10 * MINUTE_MS, NULL), 1000 + 10 * MINUTE_MS);
    assert_int_equal(retry_next(&list, 3, 5000, 4000, NULL), 5000);
    assert_int_equal(retry_next(&list, 3, 5000, INT64_MAX, NULL), 5000 + HOUR_MS);
}

static void a_due_time_that_a_step_back_left_far_off_is_pulled_in(void **state)
{
    int64_t now = 1000 * (int64_t)DAY_MS;

    assert_int_equal(retry_pulled_in(&list, now + 365 * (int64_t)DAY_MS, now), now + HOUR_MS);
    assert_int_equal(retry_pulled_in(&list, now + HOUR_MS, now), now + HOUR_MS);
    assert_int_equal(retry_pulled_in(&list, now - 1, now), now - 1);
}

static void after_a_step_nothing_expires_before_one_more_attempt(void **state)
{
    assert_false(retry_is_expired(999, 1000, 0, 0));
    assert_true(retry_is_expired(1000, 1000, 0, 0));
    assert_false(retry_is_expired(5000, 1000, 4000, 900));
    assert_true(retry_is_expired(5000, 1000, 4000, 4500));
}

static void a_step_is_told_from_slewing_and_from_the_first_look(void **state)
{
    struct retry_clock c = { .seen = false };
    struct now n = { .mono_ms = 0, .wall_ms = 50 * (int64_t)DAY_MS };

    assert_false(retry_clock_step(&c, &n));
    n.mono_ms += HOUR_MS;
    n.wall_ms += HOUR_MS + 500;
    assert_false(retry_clock_step(&c, &n));
    n.wall_ms -= 365 * (int64_t)DAY_MS;
    assert_true(retry_clock_step(&c, &n));
    assert_int_equal(c.stepped_ms, n.wall_ms);
    assert_false(retry_clock_step(&c, &n));
    n.wall_ms += DAY_MS;
    assert_true(retry_clock_step(&c, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_interval_of_a_list_repeats),
        cmocka_unit_test(an_exponential_one_grows_to_its_maximum),
        cmocka_unit_test(a_factor_that_does_not_grow_ends),
        cmocka_unit_test(jitter_stays_inside_its_width_and_uses_it),
        cmocka_unit_test(nothing_is_tried_more_than_once_a_second),
        cmocka_unit_test(the_next_attempt_is_never_behind_the_expiry),
        cmocka_unit_test(a_due_time_that_a_step_back_left_far_off_is_pulled_in),
        cmocka_unit_test(after_a_step_nothing_expires_before_one_more_attempt),
        cmocka_unit_test(a_step_is_told_from_slewing_and_from_the_first_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
