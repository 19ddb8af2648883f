/* Rates as timelines, ceilings as lines of those who wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "limit.h"

static int64_t taken(struct bucket *b, int64_t from, int64_t until, int64_t step)
{
    int64_t n = 0;

    for (int64_t at = from; at < until; at += step) {
        int64_t room = bucket_room(b, 1000, at);

        bucket_take(b, room, at);
        n += room;
    }
    return n;
}

static void a_rate_is_evenly_spaced_with_a_burst_of_one_second(void **state)
{
    struct bucket b;

    bucket_init(&b, (struct rate){ 10, 1000 }, 0);
    assert_int_equal(bucket_room(&b, 1000, 0), 10);
    bucket_take(&b, 10, 0);
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(bucket_next_ms(&b, 100 * i - 100), 100 * i);
        assert_int_equal(bucket_room(&b, 1000, 100 * i - 1), 0);
        assert_int_equal(bucket_room(&b, 1000, 100 * i), 1);
        bucket_take(&b, 1, 100 * i);
    }
    assert_int_equal(bucket_full_ms(&b, 2000), 3000);
}

static void one_in_twenty_minutes_does_not_drift_in_a_year(void **state)
{
    struct bucket b;
    int64_t n = 0, at = 0;

    bucket_init(&b, (struct rate){ 1, 20 * MINUTE_MS }, 0);
    while (at < INT64_C(365) * DAY_MS) {
        assert_int_equal(at % (20 * MINUTE_MS), 0);
        bucket_take(&b, 1, at);
        n++;
        /* asked at odd moments */
        bucket_room(&b, 1, at + 7);
        bucket_room(&b, 1, at + 34567);
        at = bucket_next_ms(&b, at + 34567);
    }
    assert_int_equal(n, 365 * 72);
}

static void thirds_of_a_second_do_not_drift(void **state)
{
    struct bucket b;

    bucket_init(&b, (struct rate){ 3, 1000 }, 0);
    assert_int_equal(taken(&b, 0, 3600 * 1000, 1), 3 * 3600 + 2);
    bucket_init(&b, (struct rate){ 7, 60000 }, 0);
    assert_int_equal(taken(&b, 0, 3600 * 1000, 13), 7 * 60);
}

static void more_than_the_burst_is_paid_back(void **state)
{
    struct bucket b;

    bucket_init(&b, (struct rate){ 1, 1000 }, 0);
    bucket_take(&b, 5, 0);
    assert_int_equal(bucket_next_ms(&b, 0), 5000);
    bucket_give_back(&b, 2);
    assert_int_equal(bucket_next_ms(&b, 0), 3000);
}

static void a_new_rate_keeps_what_was_taken(void **state)
{
    struct bucket b;

    bucket_init(&b, (struct rate){ 1, 1000 }, 0);
    bucket_take(&b, 1, 0);
    bucket_set_rate(&b, (struct rate){ 1, 1000 }, 0);
    assert_int_equal(bucket_room(&b, 1, 0), 0);
    bucket_set_rate(&b, (struct rate){ 1, 10000 }, 0);
    assert_int_equal(bucket_next_ms(&b, 0), 10000);
    bucket_set_rate(&b, (struct rate){ 0, 0 }, 0);
    assert_int_equal(bucket_room(&b, 7, 0), 7);
}

struct asker {
    struct limit_waiter waiter; /* first */
    int woken;
};

static void on_wake(struct limit_waiter *w)
{
    ((struct asker *)w)->woken++;
}

static void a_ceiling_wakes_who_was_refused_first_and_keeps_its_place(void **state)
{
    struct asker a = { .waiter.wake = on_wake }, b = { .waiter.wake = on_wake }, c = { .waiter.wake = on_wake };
    struct ceiling l;

    ceiling_init(&l, 1);
    ceiling_take(&l, &c.waiter);
    ceiling_wait(&l, &a.waiter);
    ceiling_wait(&l, &b.waiter);
    ceiling_wait(&l, &a.waiter);
    ceiling_give_back(&l);
    assert_int_equal(a.woken, 1);
    assert_int_equal(b.woken, 0);
    assert_true(ceiling_permits(&l, &a.waiter));
    assert_false(ceiling_permits(&l, &c.waiter));
    ceiling_take(&l, &a.waiter);
    limit_waiter_pass(&a.waiter);
    assert_int_equal(b.woken, 0);
    ceiling_give_back(&l);
    assert_int_equal(b.woken, 1);
    limit_waiter_pass(&b.waiter);
    assert_true(ceiling_permits(&l, &c.waiter));
}

static void who_does_not_take_its_place_passes_it_on(void **state)
{
    struct asker a = { .waiter.wake = on_wake }, b = { .waiter.wake = on_wake }, c = { .waiter.wake = on_wake };
    struct ceiling l;

    ceiling_init(&l, 1);
    ceiling_take(&l, &c.waiter);
    ceiling_wait(&l, &a.waiter);
    ceiling_wait(&l, &b.waiter);
    ceiling_wait(&l, &c.waiter);
    limit_waiter_cancel(&b.waiter);
    ceiling_give_back(&l);
    limit_waiter_pass(&a.waiter);
    assert_int_equal(b.woken, 0);
    assert_int_equal(c.woken, 1);
}

/* Each holds what another needs; were a place that was passed on kept for the next one, they would pass both round for ever. */
static void two_who_need_two_places_each_come_to_an_end(void **state)
{
    struct asker on_tenant[2] = { { .waiter.wake = on_wake }, { .waiter.wake = on_wake } };
    struct asker on_vmta[2] = { { .waiter.wake = on_wake }, { .waiter.wake = on_wake } };
    struct ceiling tenant, vmta;

    ceiling_init(&tenant, 1);
    ceiling_init(&vmta, 1);
    ceiling_take(&tenant, &on_tenant[0].waiter);
    ceiling_take(&vmta, &on_vmta[0].waiter);
    ceiling_wait(&tenant, &on_tenant[1].waiter);
    ceiling_wait(&vmta, &on_vmta[0].waiter);
    ceiling_wait(&vmta, &on_vmta[1].waiter);
    ceiling_give_back(&tenant);
    ceiling_give_back(&vmta);
    assert_false(ceiling_permits(&vmta, &on_vmta[1].waiter)); /* the second has its tenant's place, the first the VMTA's */
    limit_waiter_pass(&on_vmta[0].waiter);
    assert_int_equal(on_vmta[1].woken, 1);
    assert_true(ceiling_permits(&vmta, &on_vmta[0].waiter)); /* room for anybody now */
    assert_true(ceiling_permits(&vmta, &on_vmta[1].waiter));
    ceiling_take(&vmta, &on_vmta[1].waiter);
    ceiling_take(&tenant, &on_tenant[1].waiter);
    assert_int_equal(vmta.promised + tenant.promised, 0);
}

static void a_raised_maximum_wakes_as_many_as_it_has_places_for(void **state)
{
    struct asker a[4] = { { .waiter.wake = on_wake }, { .waiter.wake = on_wake }, { .waiter.wake = on_wake }, { .waiter.wake = on_wake } };
    struct ceiling l;

    ceiling_init(&l, 0);
    for (int i = 0; i < 4; i++)
        ceiling_wait(&l, &a[i].waiter);
    ceiling_set_max(&l, 3);
    assert_int_equal(a[0].woken + a[1].woken + a[2].woken, 3);
    assert_int_equal(a[3].woken, 0);
    limit_waiter_cancel(&a[3].waiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_evenly_spaced_with_a_burst_of_one_second),
        cmocka_unit_test(one_in_twenty_minutes_does_not_drift_in_a_year),
        cmocka_unit_test(thirds_of_a_second_do_not_drift),
        cmocka_unit_test(more_than_the_burst_is_paid_back),
        cmocka_unit_test(a_new_rate_keeps_what_was_taken),
        cmocka_unit_test(a_ceiling_wakes_who_was_refused_first_and_keeps_its_place),
        cmocka_unit_test(who_does_not_take_its_place_passes_it_on),
        cmocka_unit_test(two_who_need_two_places_each_come_to_an_end),
        cmocka_unit_test(a_raised_maximum_wakes_as_many_as_it_has_places_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
