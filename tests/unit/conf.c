/* The configuration as its users ask it: look-ups, precedence of domain blocks, sources, what a reload changes, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_desk.h"
#include "diff.h"

static struct conf_desk desk;

/* Every free of this program passes here (the linker's --wrap), so that a secret that is given back readable is seen. */
static const char *watched;
static int seen;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
    if (p && watched && memmem(p, malloc_usable_size(p), watched, strlen(watched)))
        seen++;
    __real_free(p);
}

static const char good[] = "server: {hostname: relay.example.net, user: \"\"}\n"
                           "listeners: [{address: \"127.0.0.1:2525\", role: relay, tls: none}]\n"
                           "sources:\n"
                           "  - {network: any, max_recipients: 500, auth_mechanisms: [PLAIN]}\n"
                           "  - {network: 192.0.2.0/24, max_errors: 3, always_allow_relaying: true, tenant: acme}\n"
                           "  - {network: 192.0.2.128/25, always_allow_relaying: false}\n"
                           "vmtas:\n"
                           "  mta1: {source_addresses: [127.0.0.11, \"::1\"], hostname: Mta1.Example.NET}\n"
                           "  mta2: {source_addresses: [127.0.0.16/30], hostname: mta2.example.net}\n"
                           "pools: {both: {members: {mta1: 3, mta2: 1}}}\n"
                           "tenants:\n"
                           "  acme:\n"
                           "    users: {foo: {method: password, password: {plain: barbaz}}}\n"
                           "    sender_domains: [acme.example, \"*.acme.example\"]\n"
                           "    vmtas: [mta1]\n"
                           "    pools: [both]\n"
                           "    route: both\n"
                           "    delivery_pool: {share: 7}\n"
                           "domains:\n"
                           "  \"*\": {port: 1}\n"
                           "  \"*.example\": {port: 2}\n"
                           "  \"*.b.example\": {port: 3, smart_host: {host: \"[192.0.2.9]:26\", user: u, password: p}}\n"
                           "  a.b.example: {port: 4}\n";

static int setup(void **state)
{
    conf_desk_open(&desk);
    return 0;
}

static int teardown(void **state)
{
    conf_desk_close(&desk);
    return 0;
}

static void load_good(void)
{
    if (conf_desk_try(&desk, good) < 0)
        fail_msg("%s", desk.findings.count ? desk.findings.items[0].text : "no finding");
}

static void names_are_found_and_nothing_else(void **state)
{
    const struct conf *c;

    load_good();
    c = desk.conf;
    assert_string_equal(conf_tenant(c, SLICE("acme"))->name, "acme");
    assert_null(conf_tenant(c, SLICE("acm")));
    assert_null(conf_tenant(c, SLICE("")));
    assert_int_equal(conf_vmta(c, SLICE("mta2"))->source_count, 4);
    assert_string_equal(conf_vmta(c, SLICE("mta1"))->hostname, "mta1.example.net");
    assert_int_equal(conf_pool(c, SLICE("both"))->member_count, 2);
    assert_string_equal(conf_user(c, SLICE("foo"))->tenant->name, "acme");
    assert_null(conf_user(c, SLICE("FOO")));
    assert_true(conf_is_own_name(c, SLICE("mta1.example.net")));
    assert_false(conf_is_own_name(c, SLICE("example.net")));
    assert_true(tenant_may_use_vmta(conf_tenant(c, SLICE("acme")), conf_vmta(c, SLICE("mta1"))));
    assert_false(tenant_may_use_vmta(conf_tenant(c, SLICE("acme")), conf_vmta(c, SLICE("mta2"))));
    assert_true(tenant_may_send_as(conf_tenant(c, SLICE("acme")), SLICE("x.acme.example")));
    assert_false(tenant_may_send_as(conf_tenant(c, SLICE("acme")), SLICE("evilacme.example")));
    assert_int_equal(conf_tenant(c, SLICE("acme"))->share, 7);
    assert_int_equal(conf_tenant(c, SLICE("acme"))->max_connections, INT64_MAX);
}

static void domain_blocks_come_most_specific_first(void **state)
{
    static const struct {
        const char *domain;
        int ports[4];
    } cases[] = {
        { "a.b.example", { 4, 3, 2, 1 } }, { "x.b.example", { 3, 2, 1 } }, { "b.example", { 2, 1 } }, { "example", { 1 } },
        { "other.test", { 1 } },
    };

    load_good();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct domain_block *found[8];
        int n = domain_blocks_find(&desk.conf->domains, slice_of(cases[i].domain), found, 8);

        for (int j = 0; j < 4; j++)
            assert_int_equal(j < n ? settings_get(&found[j]->settings, SET_PORT)->number : 0, cases[i].ports[j]);
    }
}

static void defaults_hold_every_setting_and_read_back(void **state)
{
    struct buf text;

    load_good();
    for (int key = 0; key < SETTINGS; key++) {
        const struct setting_value *v = settings_get(&desk.conf->defaults, (enum setting)key);

        assert_non_null(v);
        buf_init(&text, 0);
        assert_int_equal(setting_text((enum setting)key, v, &text), 0);
        assert_true(buf_len(&text) > 0);
        buf_free(&text);
    }
    assert_int_equal(settings_get(&desk.conf->defaults, SET_RETRY)->retry->count, 7);
    assert_null(settings_get(&desk.conf->domains.block[0].settings, SET_TLS));
}

static const struct conf_source *source(const char *address)
{
    struct inet_addr a;

    assert_true(inet_addr_parse(slice_of(address), &a));
    return conf_source(desk.conf, &a);
}

static void the_narrowest_source_wins_and_takes_from_wider_ones(void **state)
{
    load_good();
    assert_int_equal(source("198.51.100.1")->max_recipients, 500);
    assert_int_equal(source("2001:db8::1")->max_recipients, 500);
    assert_false(source("198.51.100.1")->always_allow_relaying);
    assert_true(source("192.0.2.1")->always_allow_relaying);
    assert_false(source("192.0.2.1")->require_auth);
    assert_int_equal(source("192.0.2.1")->max_errors, 3);
    assert_int_equal(source("192.0.2.1")->max_recipients, 500);
    assert_false(source("192.0.2.200")->always_allow_relaying);
    assert_int_equal(source("192.0.2.200")->auth_mechanisms, AUTH_PLAIN);
    conf_desk_try(&desk, "server: {user: \"\"}\n");
    assert_true(source("192.0.2.1")->require_auth);
}

static void a_hash_takes_scram_away(void **state)
{
    conf_desk_try(&desk, "tenants:\n  t:\n    users:\n      a: {method: password, password: {plain: x}}\n");
    assert_int_equal(source("192.0.2.1")->auth_mechanisms, AUTH_PLAIN | AUTH_LOGIN | AUTH_SCRAM_SHA_256);
    conf_desk_try(&desk,
                  "tenants:\n  t:\n    users:\n      a: {method: password, password: {plain: x}}\n      b: {method: system}\n");
    assert_int_equal(source("192.0.2.1")->auth_mechanisms, AUTH_PLAIN | AUTH_LOGIN);
}

/* Loads a variant of the good file and says what differs. */
static struct conf_diff diff_to(const char *old, const char *new)
{
    struct conf_diff d = { 0 };
    struct conf *before;
    char text[4096];
    const char *at = strstr(good, old);

    assert_non_null(at);
    load_good();
    before = conf_ref(desk.conf);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, new, at + strlen(old));
    conf_desk_try(&desk, text);
    assert_non_null(desk.conf);
    assert_int_equal(conf_diff(before, desk.conf, &d), 0);
    conf_unref(before);
    return d;
}

static void a_reload_finds_what_changed_and_no_more(void **state)
{
    struct conf_diff d = diff_to("listeners", "# a line more\nlisteners");

    assert_int_equal(d.tenants_changed_count + d.tenants_added_count + d.tenants_removed_count, 0);
    assert_int_equal(d.vmtas_changed_count + d.vmtas_added_count + d.vmtas_removed_count, 0);
    assert_int_equal(d.listeners_added_count + d.listeners_removed_count, 0);
    assert_false(d.settings_changed || d.sources_changed || d.server_changed);
    conf_diff_free(&d);
    d = diff_to("share: 7", "share: 8");
    assert_int_equal(d.tenants_changed_count, 1);
    assert_int_equal(d.vmtas_changed_count, 0);
    conf_diff_free(&d);
    d = diff_to("plain: barbaz", "plain: barbay");
    assert_int_equal(d.tenants_changed_count, 1);
    conf_diff_free(&d);
    d = diff_to("127.0.0.16/30", "127.0.0.16/31");
    assert_int_equal(d.vmtas_changed_count, 1);
    assert_int_equal(d.vmtas_changed[0], 1);
    conf_diff_free(&d);
    d = diff_to("pools:", "  mta3: {source_addresses: [127.0.0.13], hostname: mta3.example.net}\npools:");
    assert_int_equal(d.vmtas_added_count, 1);
    assert_int_equal(d.vmtas_added[0], 2);
    conf_diff_free(&d);
    d = diff_to(":2525", ":2526");
    assert_int_equal(d.listeners_added_count, 1);
    assert_int_equal(d.listeners_removed_count, 1);
    conf_diff_free(&d);
    d = diff_to("port: 4", "port: 5");
    assert_true(d.settings_changed);
    assert_false(d.sources_changed || d.server_changed || d.log_changed);
    conf_diff_free(&d);
}

static void secrets_come_from_files_and_the_environment(void **state)
{
    conf_desk_write(&desk, "secret", "from the file\n");
    setenv("CONF_TEST_SECRET", "from outside", 1);
    conf_desk_try(&desk, "tenants:\n"
                         "  t:\n"
                         "    users:\n"
                         "      a: {method: password, password: {plain: {file: ~/secret}}}\n"
                         "      b: {method: password, password: {plain: {env: CONF_TEST_SECRET}}}\n"
                         "      c: {method: password, password: {plain: {file: secret}}}\n");
    assert_non_null(desk.conf);
    assert_string_equal(conf_user(desk.conf, SLICE("a"))->secret, "from the file");
    assert_string_equal(conf_user(desk.conf, SLICE("b"))->secret, "from outside");
    assert_string_equal(conf_user(desk.conf, SLICE("c"))->secret, "from the file");
}

static void no_secret_is_left_in_memory_that_was_given_back(void **state)
{
    watched = "dA1-hidden-word";
    seen = 0;
    conf_desk_write(&desk, "secret", "dA1-hidden-word\n");
    conf_desk_try(&desk, "tenants:\n"
                         "  t:\n"
                         "    users:\n"
                         "      a: {method: password, password: {plain: {file: ~/secret}}}\n"
                         "      b: {method: password, password: {plain: {file: ~/secret}}}\n"
                         "domains:\n"
                         "  a.example: {smart_host: {host: \"[192.0.2.1]:25\", user: u, password: {file: ~/secret}}}\n");
    assert_non_null(desk.conf);
    assert_string_equal(conf_user(desk.conf, SLICE("a"))->secret, watched);
    assert_int_equal(seen, 0);
    conf_unref(desk.conf);
    desk.conf = NULL;
    assert_int_equal(seen, 0);
    watched = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_and_nothing_else),
        cmocka_unit_test(domain_blocks_come_most_specific_first),
        cmocka_unit_test(defaults_hold_every_setting_and_read_back),
        cmocka_unit_test(the_narrowest_source_wins_and_takes_from_wider_ones),
        cmocka_unit_test(a_hash_takes_scram_away),
        cmocka_unit_test(a_reload_finds_what_changed_and_no_more),
        cmocka_unit_test(secrets_come_from_files_and_the_environment),
        cmocka_unit_test(no_secret_is_left_in_memory_that_was_given_back),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
