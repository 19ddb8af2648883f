/* Standing rules: all that they say must match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hold.h"

static struct queue queue_of(const char *tenant, const char *vmta, const char *domain)
{
    return (struct queue){ .key = { 1, slice_of(tenant), slice_of(vmta), slice_of(domain) } };
}

static void a_rule_matches_when_all_that_it_says_does(void **state)
{
    struct holds *hs = holds_new();
    struct queue a = queue_of("one", "v", "a.test"), b = queue_of("one", "w", "a.test"), c = queue_of("two", "v", "x.b.test");
    struct hold *h = holds_add(hs, &(struct stored_hold){ .tenant = SLICE("one"), .vmta = SLICE("v"), .who = SLICE("ops") });

    assert_ptr_equal(holds_match(hs, &a), h);
    assert_null(holds_match(hs, &b));
    assert_null(holds_match(hs, &c));
    h = holds_add(hs, &(struct stored_hold){ .domain = SLICE("*.b.test") });
    assert_ptr_equal(holds_match(hs, &c), h);
    assert_null(holds_match(hs, &b));
    holds_remove(hs, h);
    assert_null(holds_match(hs, &c));
    holds_add(hs, &(struct stored_hold){ .who = SLICE("all") });
    assert_non_null(holds_match(hs, &b));
    holds_free(hs);
}

static void the_same_rule_is_one_and_may_begin_to_refuse(void **state)
{
    struct holds *hs = holds_new();
    struct stored_hold s = { .tenant = SLICE("one"), .who = SLICE("ops"), .since_ms = 5 };
    struct hold *h = holds_add(hs, &s);

    assert_false(holds_is_refused(hs, SLICE("one")));
    s.refuse = true;
    s.who = SLICE("other");
    assert_ptr_equal(holds_add(hs, &s), h);
    assert_int_equal(hs->count, 1);
    assert_true(holds_is_refused(hs, SLICE("one")));
    assert_false(holds_is_refused(hs, SLICE("two")));
    assert_true(slice_eq(hold_stored(h).who, SLICE("ops")));
    holds_free(hs);
}

static void a_held_job_holds_no_queue(void **state)
{
    struct holds *hs = holds_new();
    struct queue q = queue_of("one", "v", "a.test");

    holds_add(hs, &(struct stored_hold){ .tenant = SLICE("one"), .job = SLICE("j") });
    assert_null(holds_match(hs, &q));
    assert_true(holds_job_is_held(hs, SLICE("one"), SLICE("j")));
    assert_false(holds_job_is_held(hs, SLICE("two"), SLICE("j")));
    assert_false(holds_job_is_held(hs, SLICE("one"), SLICE_NONE));
    holds_free(hs);
}

static void a_rule_of_a_job_and_a_domain_holds_the_mail_that_is_of_both(void **state)
{
    struct holds *hs = holds_new();
    struct queue a = queue_of("one", "v", "a.test"), b = queue_of("one", "v", "b.test"), other = queue_of("two", "v", "a.test");

    holds_add(hs, &(struct stored_hold){ .tenant = SLICE("one"), .job = SLICE("j"), .domain = SLICE("a.test") });
    assert_true(holds_mail_is_held(hs, &a, SLICE("j")));
    assert_false(holds_mail_is_held(hs, &b, SLICE("j")));
    assert_false(holds_mail_is_held(hs, &a, SLICE("k")));
    assert_false(holds_mail_is_held(hs, &a, SLICE_NONE));
    assert_false(holds_mail_is_held(hs, &other, SLICE("j")));
    assert_false(holds_job_is_held(hs, SLICE("one"), SLICE("j")));
    assert_true(holds_name_job(hs, SLICE("one"), SLICE("j")));
    holds_free(hs);
}

static void their_number_is_bounded(void **state)
{
    struct holds *hs = holds_new();

    for (uint64_t i = 0; i <= HOLDS_MAX; i++)
        assert_int_equal(holds_add(hs, &(struct stored_hold){ .tenant = slice_make(&i, sizeof i) }) != NULL, i < HOLDS_MAX);
    holds_free(hs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_matches_when_all_that_it_says_does),
        cmocka_unit_test(the_same_rule_is_one_and_may_begin_to_refuse),
        cmocka_unit_test(a_held_job_holds_no_queue),
        cmocka_unit_test(a_rule_of_a_job_and_a_domain_holds_the_mail_that_is_of_both),
        cmocka_unit_test(their_number_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
