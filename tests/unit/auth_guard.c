/* daemon/auth_guard.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth_guard.h"
#include "clock.h"

static const struct rate thirty_an_hour = { 30, HOUR_MS };

static struct inet_addr addr(const char *text)
{
    struct inet_addr a;

    assert_true(inet_addr_parse(slice_of(text), &a));
    return a;
}

static void guess(struct auth_guard *g, const char *client, int times, int64_t now_ms)
{
    struct inet_addr a = addr(client);

    while (times--)
        auth_guard_failed(g, &a, thirty_an_hour, now_ms);
}

static bool is_shut(struct auth_guard *g, const char *client, int64_t now_ms)
{
    struct inet_addr a = addr(client);

    return auth_guard_is_shut(g, &a, thirty_an_hour, now_ms);
}

static void the_rate_s_count_of_failures_shuts_out(void **state)
{
    struct auth_guard *g = auth_guard_new();

    guess(g, "192.0.2.1", 29, 0);
    assert_false(is_shut(g, "192.0.2.1", 0));
    guess(g, "192.0.2.1", 1, 0);
    assert_true(is_shut(g, "192.0.2.1", 0));
    assert_false(is_shut(g, "192.0.2.2", 0));
    auth_guard_free(g);
}

static void time_lets_in_again(void **state)
{
    struct auth_guard *g = auth_guard_new();

    guess(g, "192.0.2.1", 30, 0);
    assert_true(is_shut(g, "192.0.2.1", 0));
    assert_false(is_shut(g, "192.0.2.1", 2 * MINUTE_MS)); /* one failure has sunk */
    guess(g, "192.0.2.1", 1, 2 * MINUTE_MS);
    assert_true(is_shut(g, "192.0.2.1", 2 * MINUTE_MS));
    assert_false(is_shut(g, "192.0.2.1", 2 * HOUR_MS));
    auth_guard_free(g);
}

static void addresses_of_one_ipv6_network_are_one_client(void **state)
{
    struct auth_guard *g = auth_guard_new();

    guess(g, "2001:db8:0:1::1", 15, 0);
    guess(g, "2001:db8:0:1:ffff::2", 15, 0);
    assert_true(is_shut(g, "2001:db8:0:1::3", 0));
    assert_false(is_shut(g, "2001:db8:0:2::1", 0));
    auth_guard_free(g);
}

static void an_unlimited_rate_shuts_out_nobody(void **state)
{
    struct auth_guard *g = auth_guard_new();
    const struct rate unlimited = { 0, 0 };
    struct inet_addr a = addr("192.0.2.1");

    for (int i = 0; i < 1000; i++)
        auth_guard_failed(g, &a, unlimited, 0);
    assert_false(auth_guard_is_shut(g, &a, unlimited, 0));
    auth_guard_free(g);
}

static void the_one_that_failed_longest_ago_is_forgotten_first(void **state)
{
    struct auth_guard *g = auth_guard_new();
    char client[32];

    guess(g, "192.0.2.1", 40, 0);
    guess(g, "192.0.2.2", 40, 0);
    for (int i = 0; i < AUTH_GUARD_MAX - 2; i++) {
        snprintf(client, sizeof client, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        guess(g, client, 1, 1);
    }
    guess(g, "192.0.2.1", 1, 2); /* it fails again: now the other is the oldest */
    guess(g, "198.51.100.1", 1, 3);
    assert_true(is_shut(g, "192.0.2.1", 3));
    assert_false(is_shut(g, "192.0.2.2", 3));
    auth_guard_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_s_count_of_failures_shuts_out),
        cmocka_unit_test(time_lets_in_again),
        cmocka_unit_test(addresses_of_one_ipv6_network_are_one_client),
        cmocka_unit_test(an_unlimited_rate_shuts_out_nobody),
        cmocka_unit_test(the_one_that_failed_longest_ago_is_forgotten_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
