/* Tests of daemon/access.c, over a configuration of two networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "access.h"

static struct conf_source any = { .max_connections = 5, .max_connections_per_ip = 2 };
static struct conf_source office = { .max_connections = 3, .max_connections_per_ip = 3 };
static struct conf conf;
static struct access *a;

/* A double of conf.c's: 192.0.2.0/24 is the office. */
const struct conf_source *conf_source(const struct conf *c, const struct inet_addr *client)
{
    return inet_net_has(&office.network, client) ? &office : &any;
}

static int setup(void **state)
{
    inet_net_parse(SLICE("0.0.0.0/0"), &any.network);
    inet_net_parse(SLICE("192.0.2.0/24"), &office.network);
    conf.server.total_max_connections = 12; /* nine of them in */
    a = access_new();
    return 0;
}

static int teardown(void **state)
{
    access_free(a);
    return 0;
}

static enum access_verdict enter(const char *client, struct access_ticket *t)
{
    struct access_ticket own;
    struct inet_addr addr;

    assert_true(inet_addr_parse(slice_of(client), &addr));
    return access_enter(a, &conf, &addr, t ? t : &own);
}

static void an_address_has_its_limit(void **state)
{
    struct access_ticket t;

    assert_int_equal(enter("198.51.100.1", &t), ACCESS_YES);
    assert_int_equal(enter("198.51.100.1", NULL), ACCESS_YES);
    assert_int_equal(enter("198.51.100.1", NULL), ACCESS_CLIENT_FULL);
    assert_int_equal(enter("198.51.100.2", NULL), ACCESS_YES);
    access_leave(a, &t);
    assert_int_equal(enter("198.51.100.1", NULL), ACCESS_YES);
    assert_int_equal(access_count(a), 3);
}

static void a_network_has_its_limit_and_strangers_do_not_fill_a_narrower_one(void **state)
{
    static const char *const strangers[] = { "198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5" };

    for (int i = 0; i < 5; i++)
        assert_int_equal(enter(strangers[i], NULL), ACCESS_YES);
    assert_int_equal(enter("198.51.100.6", NULL), ACCESS_NETWORK_FULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter("192.0.2.7", NULL), ACCESS_YES);
    assert_int_equal(enter("192.0.2.8", NULL), ACCESS_NETWORK_FULL);
}

static void three_quarters_of_all_connections_come_in(void **state)
{
    any.max_connections = any.max_connections_per_ip = 100;
    for (int i = 0; i < 9; i++)
        assert_int_equal(enter("198.51.100.1", NULL), ACCESS_YES);
    assert_int_equal(enter("192.0.2.1", NULL), ACCESS_FULL);
    any.max_connections = 5;
    any.max_connections_per_ip = 2;
}

static void a_ticket_gives_back_what_it_took_after_a_reload_too(void **state)
{
    struct access_ticket t;

    assert_int_equal(enter("192.0.2.1", &t), ACCESS_YES);
    inet_net_parse(SLICE("203.0.113.0/24"), &office.network); /* now 192.0.2.1 is a stranger */
    access_leave(a, &t);
    assert_int_equal(access_count(a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_has_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_network_has_its_limit_and_strangers_do_not_fill_a_narrower_one, setup, teardown),
        cmocka_unit_test_setup_teardown(three_quarters_of_all_connections_come_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ticket_gives_back_what_it_took_after_a_reload_too, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
