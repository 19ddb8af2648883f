/* Hosts in order, and ourselves left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mx.h"

/* What is ours, as the configuration would say. */
bool conf_is_own_name(const struct conf *c, struct slice name)
{
    return slice_eq(name, SLICE("relay.me.test")) || slice_eq(name, SLICE("192.0.2.10")) || slice_eq(name, SLICE("127.0.0.11"));
}

bool conf_is_own_listener(const struct conf *c, const struct inet_addr *addr, uint16_t port)
{
    struct inet_addr own;

    inet_addr_parse(SLICE("127.0.0.1"), &own);
    return inet_addr_eq(addr, &own) && port == 25;
}

static const uint8_t both[2] = { 6, 4 };
static const struct mx_guard guard = { .port = 25 };
static struct rand r;

static struct inet_addr addr(const char *text)
{
    struct inet_addr a;

    assert_true(inet_addr_parse(slice_of(text), &a));
    return a;
}

static struct dns_mx mx(int preference, const char *host)
{
    struct dns_mx m = { .preference = (uint16_t)preference };

    strcpy(m.host, host);
    return m;
}

static void a_root_alone_is_a_null_mx(void **state)
{
    struct dns_mx m[] = { mx(0, ""), mx(10, "a.test") };

    assert_int_equal(mx_judge(m, 1), MX_NULL);
    assert_int_equal(mx_judge(m, 2), MX_OK);
    assert_int_equal(mx_judge(m, 0), MX_NONE);
}

static void lower_preference_comes_first(void **state)
{
    struct dns_mx m[] = { mx(30, "c.test"), mx(10, "a.test"), mx(20, "b.test"), mx(5, "") };
    struct mx_host hosts[MX_HOSTS_MAX];

    for (int i = 0; i < 50; i++) {
        assert_int_equal(mx_sort(m, 4, &r, hosts), 3);
        assert_string_equal(hosts[0].name, "a.test");
        assert_string_equal(hosts[1].name, "b.test");
        assert_string_equal(hosts[2].name, "c.test");
    }
}

static void among_equals_chance_decides_evenly(void **state)
{
    struct dns_mx m[] = { mx(10, "a.test"), mx(10, "b.test"), mx(10, "c.test"), mx(20, "z.test") };
    struct mx_host hosts[MX_HOSTS_MAX];
    int first[3] = { 0 };

    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mx_sort(m, 4, &r, hosts), 4);
        first[hosts[0].name[0] - 'a']++;
        assert_string_equal(hosts[3].name, "z.test");
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(first[i], 900, 1100);
}

static void a_name_listed_twice_keeps_its_better_place(void **state)
{
    struct dns_mx m[] = { mx(30, "a.test"), mx(20, "b.test"), mx(10, "a.test") };
    struct mx_host hosts[MX_HOSTS_MAX];

    assert_int_equal(mx_sort(m, 3, &r, hosts), 2);
    assert_string_equal(hosts[0].name, "a.test");
    assert_int_equal(hosts[0].preference, 10);
}

static void families_go_in_the_order_given(void **state)
{
    struct inet_addr a[] = { addr("192.0.2.1"), addr("2001:db8::1"), addr("192.0.2.2") };
    struct mx_host h = { .name = "a.test", .addrs = a, .addr_count = 3 };
    struct mx_target t[MX_TARGETS_MAX];
    int n;

    assert_int_equal(mx_targets(&h, 1, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_OK);
    assert_int_equal(n, 3);
    assert_int_equal(t[0].addr.family, 6);
    assert_int_equal(mx_targets(&h, 1, (uint8_t[2]){ 4, 0 }, &guard, &r, t, MX_TARGETS_MAX, &n), MX_OK);
    assert_int_equal(n, 2);
    assert_int_equal(mx_targets(&h, 1, (uint8_t[2]){ 6, 4 }, &guard, &r, t, 2, &n), MX_OK);
    assert_int_equal(n, 2);
}

static void hosts_without_an_address_are_skipped(void **state)
{
    struct inet_addr a = addr("192.0.2.1");
    struct mx_host h[] = { { .name = "a.test" }, { .name = "b.test", .addrs = &a, .addr_count = 1 } };
    struct mx_target t[MX_TARGETS_MAX];
    int n;

    assert_int_equal(mx_targets(h, 2, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_OK);
    assert_int_equal(n, 1);
    assert_int_equal(t[0].host, 1);
    assert_int_equal(mx_targets(h, 1, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_NONE);
    assert_int_equal(mx_targets(h, 0, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_NONE);
}

/* RFC 5321 5.1: we, and all that are not more preferred than we are, are thrown away. */
static void what_is_not_more_preferred_than_ourselves_is_left_out(void **state)
{
    struct inet_addr a = addr("198.51.100.1");
    struct mx_host h[] = { { .preference = 10, .name = "a.test", .addrs = &a, .addr_count = 1 },
                           { .preference = 20, .name = "b.test", .addrs = &a, .addr_count = 1 },
                           { .preference = 20, .name = "relay.me.test", .addrs = &a, .addr_count = 1 },
                           { .preference = 30, .name = "c.test", .addrs = &a, .addr_count = 1 } };
    struct mx_target t[MX_TARGETS_MAX];
    int n;

    assert_int_equal(mx_targets(h, 4, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_OK);
    assert_int_equal(n, 1);
    assert_int_equal(t[0].host, 0);
    assert_int_equal(mx_targets(h + 1, 3, both, &guard, &r, t, MX_TARGETS_MAX, &n), MX_LOOP);
}

static enum mx_result with_address(const char *text, const struct mx_guard *g)
{
    struct inet_addr a[] = { addr("198.51.100.1"), addr(text) };
    struct mx_host h = { .name = "mx.test", .addrs = a, .addr_count = 2 };
    struct mx_target t[MX_TARGETS_MAX];
    int n;

    return mx_targets(&h, 1, both, g, &r, t, MX_TARGETS_MAX, &n);
}

static void an_address_of_ours_is_a_loop(void **state)
{
    struct mx_guard lax = { .port = 25, .allow_loopback = true }, other_port = { .port = 2525, .allow_loopback = true };
    struct mx_guard smart = { .port = 25, .smart_host = true };

    assert_int_equal(with_address("192.0.2.10", &guard), MX_LOOP);
    assert_int_equal(with_address("192.0.2.10", &lax), MX_LOOP);
    assert_int_equal(with_address("127.0.0.100", &guard), MX_LOOP);
    assert_int_equal(with_address("::1", &guard), MX_LOOP);
    assert_int_equal(with_address("0.0.0.0", &lax), MX_LOOP);
    assert_int_equal(with_address("::", &lax), MX_LOOP);
    assert_int_equal(with_address("127.0.0.100", &lax), MX_OK);
    assert_int_equal(with_address("127.0.0.11", &lax), MX_OK); /* a source address, but nobody listens there */
    assert_int_equal(with_address("127.0.0.1", &lax), MX_LOOP);
    assert_int_equal(with_address("127.0.0.1", &other_port), MX_OK);
    assert_int_equal(with_address("127.0.0.1", &smart), MX_OK);
    assert_int_equal(with_address("198.51.100.7", &guard), MX_OK);
}

static bool is_odd(void *arg, const struct inet_addr *a)
{
    return a->b[3] % 2;
}

static void bad_hosts_go_last_in_their_order(void **state)
{
    struct mx_target t[5];

    for (int i = 0; i < 5; i++)
        t[i] = (struct mx_target){ .addr = { .family = 4, .b = { 192, 0, 2, (uint8_t)(i + 1) } }, .host = i };
    mx_bad_last(t, 5, is_odd, NULL);
    assert_int_equal(t[0].host, 1);
    assert_int_equal(t[1].host, 3);
    assert_int_equal(t[2].host, 0);
    assert_int_equal(t[3].host, 2);
    assert_int_equal(t[4].host, 4);
}

static void a_site_is_its_set_of_names(void **state)
{
    struct mx_host one[] = { { .preference = 10, .name = "a.test" }, { .preference = 20, .name = "b.test" } };
    struct mx_host two[] = { { .preference = 5, .name = "b.test" }, { .preference = 5, .name = "a.test" },
                             { .name = "b.test" } };
    struct mx_host other[] = { { .name = "a.testb.test" } };

    assert_true(mx_site_key(one, 2) == mx_site_key(two, 3));
    assert_true(mx_site_key(one, 2) != mx_site_key(one, 1));
    assert_true(mx_site_key(one, 2) != mx_site_key(other, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_alone_is_a_null_mx),
        cmocka_unit_test(lower_preference_comes_first),
        cmocka_unit_test(among_equals_chance_decides_evenly),
        cmocka_unit_test(a_name_listed_twice_keeps_its_better_place),
        cmocka_unit_test(families_go_in_the_order_given),
        cmocka_unit_test(hosts_without_an_address_are_skipped),
        cmocka_unit_test(what_is_not_more_preferred_than_ourselves_is_left_out),
        cmocka_unit_test(an_address_of_ours_is_a_loop),
        cmocka_unit_test(bad_hosts_go_last_in_their_order),
        cmocka_unit_test(a_site_is_its_set_of_names),
    };

    rand_seed(&r, 7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
