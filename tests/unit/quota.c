/* What a tenant, and a network of clients, may hand in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "quota.h"

static const struct conf_tenant tenant = {
    .name = "one", .max_accept_rate = { 2, 1000 }, .max_queued_recipients = 10, .max_queued_bytes = 1000,
};
static const struct conf_source source = { .network = { .addr = { .family = 4 }, .prefix = 8 }, .max_message_rate = { 1, 1000 } };
static const struct conf_tenant unbound = { .name = "two", .max_queued_recipients = INT64_MAX, .max_queued_bytes = INT64_MAX };

static void recipients_under_way_count_already(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant, .recipients = 4, .queued_recipients = 3 };

    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    assert_int_equal(quota_peek(qs, &r), QUOTA_RECIPIENTS);
    assert_int_equal(quota_take(qs, &r), QUOTA_RECIPIENTS);
    quota_done(qs, &r, true);
    r.queued_recipients = 6;
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    quotas_free(qs);
}

static void bytes_are_bounded(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant, .recipients = 1, .bytes = 1001 };

    assert_int_equal(quota_take(qs, &r), QUOTA_BYTES);
    r.bytes = 1000;
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    quotas_free(qs);
}

static void a_rate_refuses_and_recovers(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant };

    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    assert_int_equal(quota_peek(qs, &r), QUOTA_TENANT_RATE);
    r.now_ms = 500;
    assert_int_equal(quota_peek(qs, &r), QUOTA_OK);
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    assert_int_equal(quota_take(qs, &r), QUOTA_TENANT_RATE);
    quotas_free(qs);
}

static void what_was_not_stored_is_given_back(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant, .source = &source, .recipients = 10 };

    for (int i = 0; i < 5; i++) {
        assert_int_equal(quota_take(qs, &r), QUOTA_OK);
        quota_done(qs, &r, false);
    }
    quotas_free(qs);
}

static void a_refusal_takes_nothing_of_the_other_limits(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant, .source = &source, .recipients = 11 };

    assert_int_equal(quota_take(qs, &r), QUOTA_RECIPIENTS);
    r.recipients = 1;
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    assert_int_equal(quota_take(qs, &r), QUOTA_SOURCE_RATE);
    r.source = NULL;
    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    quotas_free(qs);
}

static void tenants_do_not_share_and_no_limit_is_none(void **state)
{
    struct quotas *qs = quotas_new();
    struct quota_request r = { .tenant = &tenant, .recipients = 10 }, free = { .tenant = &unbound, .recipients = 1000000, .bytes = 1 << 30 };

    assert_int_equal(quota_take(qs, &r), QUOTA_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(quota_take(qs, &free), QUOTA_OK);
    quotas_free(qs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_under_way_count_already),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(a_rate_refuses_and_recovers),
        cmocka_unit_test(what_was_not_stored_is_given_back),
        cmocka_unit_test(a_refusal_takes_nothing_of_the_other_limits),
        cmocka_unit_test(tenants_do_not_share_and_no_limit_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
