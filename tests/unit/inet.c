/* Tests conf/base/inet.c and inet_table.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "err.h"
#include "inet.h"

static void address_becomes(const char *in, const char *out)
{
    struct inet_addr a;
    char text[INET_TEXT] = "";

    if (inet_addr_parse(slice_of(in), &a))
        inet_addr_text(&a, text);
    assert_string_equal(text, out);
}

static void one_peer_has_one_address(void **state)
{
    address_becomes("192.0.2.1", "192.0.2.1");
    address_becomes("2001:DB8:0:0::1", "2001:db8::1");
    address_becomes("::ffff:192.0.2.1", "192.0.2.1");
    static const char *const bad[] = { "",      "300.0.0.1",  "1.2.3", "01.2.3.4",  "1.2.3.4 ",
                                       "[::1]", "fe80::1%lo", "::1::", "1.2.3.4.5", "a" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        address_becomes(bad[i], "");
}

static void net_becomes(const char *in, const char *out)
{
    struct inet_net n;
    char text[INET_ENDPOINT_TEXT] = "";

    if (inet_net_parse(slice_of(in), &n))
        inet_net_text(&n, text);
    assert_string_equal(text, out);
}

static void a_network_has_no_host_bits(void **state)
{
    net_becomes("192.0.2.0/24", "192.0.2.0/24");
    net_becomes("192.0.2.7", "192.0.2.7/32");
    net_becomes("::1", "::1/128");
    net_becomes("0.0.0.0/0", "0.0.0.0/0");
    net_becomes("2001:db8::/33", "2001:db8::/33");
    net_becomes("::ffff:10.0.0.0/104", "10.0.0.0/8");
    static const char *const bad[] = { "192.0.2.1/24", "192.0.2.0/33",      "::/129", "192.0.2.0/", "192.0.2.0/08",
                                       "/8",           "::ffff:10.0.0.0/64" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        net_becomes(bad[i], "");
}

static void endpoint_becomes(const char *in, const char *out)
{
    struct inet_endpoint e;
    struct sockaddr_storage sa;
    char text[INET_ENDPOINT_TEXT] = "";

    if (inet_endpoint_parse(slice_of(in), &e)) {
        inet_to_sockaddr(&e, &sa);
        e = inet_from_sockaddr((struct sockaddr *)&sa);
        inet_endpoint_text(&e, text);
    }
    assert_string_equal(text, out);
}

static void an_endpoint_has_a_port(void **state)
{
    endpoint_becomes("192.0.2.1:25", "192.0.2.1:25");
    endpoint_becomes("[2001:db8::1]:587", "[2001:db8::1]:587");
    endpoint_becomes("[192.0.2.1]:25", "192.0.2.1:25");
    static const char *const bad[] = { "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "::1:25",
                                       "[::1]",     "[::1]25",    "[::1",        "[]:25",           ":25" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        endpoint_becomes(bad[i], "");
}

static void a_literal_is_written_as_smtp_has_it(void **state)
{
    struct inet_addr a;
    char text[INET_ENDPOINT_TEXT];

    assert_true(inet_addr_parse(SLICE("::1"), &a));
    inet_literal_text(&a, text);
    assert_string_equal(text, "[IPv6:::1]");
    assert_true(inet_is_loopback(&a));
    assert_true(inet_addr_parse(SLICE("127.8.9.1"), &a));
    inet_literal_text(&a, text);
    assert_string_equal(text, "[127.8.9.1]");
    assert_true(inet_is_loopback(&a));
    assert_true(inet_addr_parse(SLICE("::"), &a) && inet_is_unspecified(&a));
    assert_true(inet_addr_parse(SLICE("0.1.2.3"), &a) && inet_is_unspecified(&a) && !inet_is_loopback(&a));
}

static void the_nth_address_carries(void **state)
{
    struct inet_net n;
    struct inet_addr a;
    char text[INET_TEXT];

    assert_true(inet_net_parse(SLICE("10.0.0.0/8"), &n));
    a = inet_net_nth(&n, 256 * 256 + 255);
    inet_addr_text(&a, text);
    assert_string_equal(text, "10.1.0.255");
    assert_int_equal(inet_net_count(&n), 1 << 24);
    assert_true(inet_net_parse(SLICE("::/0"), &n));
    assert_int_equal(inet_net_count(&n), UINT32_MAX);
}

static bool collect(void *arg, void *value)
{
    strcat(arg, value);
    return true;
}

static void the_most_specific_network_comes_first(void **state)
{
    static struct {
        const char *net;
        char value[2];
    } nets[] = { { "0.0.0.0/0", "a" }, { "10.0.0.0/8", "b" }, { "10.1.0.0/16", "c" }, { "10.1.2.3", "d" }, { "::/0", "e" } };
    struct inet_table *t = inet_table_new();
    struct inet_net n;
    struct inet_addr a;
    char seen[16] = "";

    assert_non_null(t);
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        assert_true(inet_net_parse(slice_of(nets[i].net), &n));
        assert_int_equal(inet_table_add(t, &n, nets[i].value), 0);
        assert_int_equal(inet_table_add(t, &n, nets[i].value), FL_EEXIST);
    }
    assert_true(inet_addr_parse(SLICE("10.1.2.3"), &a));
    inet_table_visit(t, &a, collect, seen);
    assert_string_equal(seen, "dcba");
    assert_string_equal(inet_table_find(t, &a), "d");
    assert_true(inet_addr_parse(SLICE("10.2.2.3"), &a));
    assert_string_equal(inet_table_find(t, &a), "b");
    assert_true(inet_addr_parse(SLICE("::1"), &a));
    assert_string_equal(inet_table_find(t, &a), "e");
    a.family = 0;
    assert_null(inet_table_find(t, &a));
    inet_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_peer_has_one_address), cmocka_unit_test(a_network_has_no_host_bits),
        cmocka_unit_test(an_endpoint_has_a_port),   cmocka_unit_test(a_literal_is_written_as_smtp_has_it),
        cmocka_unit_test(the_nth_address_carries),  cmocka_unit_test(the_most_specific_network_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
