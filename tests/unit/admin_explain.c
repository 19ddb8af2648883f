/* Tests daemon/admin_explain.c on a configuration read from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin_explain.h"
#include "load.h"

static const char text[] =
    "server: {hostname: relay.example.net, data_dir: /tmp, user: \"\", postmaster: p@example.net}\n" /* line 1 */
    "listeners: [{address: \"127.0.0.1:2525\", role: relay, tls: none}]\n"
    "sources: [{network: 127.0.0.1/32, always_allow_relaying: true, tenant: acme}]\n"
    "defaults: {max_connections: 7}\n"
    "vmtas:\n" /* 5 */
    "  v1: {source_addresses: [127.0.0.11], hostname: v1.example.net}\n"
    "  v2: {source_addresses: [127.0.0.12], hostname: v2.example.net}\n"
    "tenants:\n"
    "  acme:\n"
    "    users: {foo: {method: password, password: {plain: secret}}}\n" /* 10 */
    "    sender_domains: [acme.example]\n"
    "    vmtas: [v1, v2]\n"
    "    route: v1\n"
    "    routes:\n"
    "      - {when: {header: {X-Campaign: '/^spring/'}}, to: v2}\n" /* 15 */
    "    domains:\n"
    "      two.test: {max_connections: 3}\n";

static int load(void **state)
{
    char file[] = "/tmp/fairlead-explain-XXXXXX";
    int fd = mkstemp(file);
    struct conf_findings findings;
    struct conf *conf = NULL;

    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    if (conf_load(file, &conf, &findings) < 0)
        for (int i = 0; i < findings.count; i++)
            fprintf(stderr, "%d: %s\n", findings.items[i].at.line, findings.items[i].text);
    conf_findings_free(&findings);
    unlink(file);
    *state = conf;
    return conf ? 0 : -1;
}

static int unload(void **state)
{
    conf_unref(*state);
    return 0;
}

static struct explain_question question(const char *from, const char *to)
{
    return (struct explain_question){ .tenant = SLICE("acme"), .from = slice_of(from), .to = slice_of(to) };
}

static json_t *answer(const struct conf *conf, const struct explain_question *q)
{
    struct fl_err err = { 0 };
    json_t *json = NULL;

    if (explain(conf, q, &json, &err) < 0)
        fail_msg("%s", err.text);
    return json;
}

static const char *route_text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json_object_get(json, "route"), key));
}

static bool ends_with(const char *s, const char *end)
{
    return s && slice_ends_nocase(slice_of(s), slice_of(end));
}

static void a_route_is_named_with_its_place(void **state)
{
    struct explain_question q = question("bob@acme.example", "u@Two.Test");
    json_t *json = answer(*state, &q);

    assert_string_equal(route_text(json, "vmta"), "v1");
    assert_true(ends_with(route_text(json, "at"), ":13"));
    assert_string_equal(json_string_value(json_object_get(json, "queue")), "acme/v1/two.test");
    json_decref(json);
    q.headers[0].name = SLICE("x-campaign");
    q.headers[0].value = SLICE("spring-1");
    q.header_count = 1;
    json = answer(*state, &q);
    assert_string_equal(route_text(json, "vmta"), "v2");
    assert_true(ends_with(route_text(json, "at"), ":15"));
    json_decref(json);
}

static void a_limit_capped_at_two_levels_gives_two_rows(void **state)
{
    struct explain_question q = question("bob@acme.example", "u@two.test");
    json_t *json = answer(*state, &q), *row;
    const char *at[4] = { 0 }, *value[4] = { 0 };
    size_t i, n = 0;

    json_array_foreach(json_object_get(json, "settings"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "key")), "max_connections") == 0 && n < 4) {
            at[n] = json_string_value(json_object_get(row, "at"));
            value[n++] = json_string_value(json_object_get(row, "value"));
        }
    }
    assert_int_equal(n, 2);
    assert_string_equal(value[0], "7");
    assert_true(ends_with(at[0], ":4"));
    assert_string_equal(value[1], "3");
    assert_true(ends_with(at[1], ":17"));
    json_decref(json);
}

static void what_would_be_refused_is_said_instead_of_a_route(void **state)
{
    static const char *const addresses[][2] = {
        { "bob@beta.example", "u@two.test" },    /* not its sender */
        { "bob@acme.example", "u@[192.0.2.1]" }, /* a literal */
        { "bob@acme.example", "no address" },
        { "bob", "u@two.test" },
    };

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct explain_question q = question(addresses[i][0], addresses[i][1]);
        json_t *json = answer(*state, &q);

        assert_null(json_object_get(json, "route"));
        assert_int_equal(json_string_value(json_object_get(json, "refused"))[0], '5');
        json_decref(json);
    }
}

static void a_foreign_address_in_from_is_refused_too(void **state)
{
    struct explain_question q = question("bob@acme.example", "u@two.test");
    json_t *json;

    q.headers[0].name = SLICE("From");
    q.headers[0].value = SLICE("X <x@beta.example>");
    q.header_count = 1;
    json = answer(*state, &q);
    assert_non_null(json_object_get(json, "refused"));
    json_decref(json);
    q.from = SLICE("<>"); /* the null reverse-path, with a From: of its own */
    q.headers[0].value = SLICE("x@acme.example");
    json = answer(*state, &q);
    assert_null(json_object_get(json, "refused"));
    json_decref(json);
}

static void unknown_names_and_broken_headers_are_errors(void **state)
{
    struct explain_question q = question("bob@acme.example", "u@two.test");
    struct fl_err err;
    json_t *json;

    q.tenant = SLICE("nobody");
    assert_int_equal(explain(*state, &q, &json, &err), FL_ENOENT);
    q.tenant = SLICE("acme");
    q.user = SLICE("nobody");
    assert_int_equal(explain(*state, &q, &json, &err), FL_ENOENT);
    q.user = SLICE("foo");
    q.headers[0].name = SLICE("A B");
    q.header_count = 1;
    assert_int_equal(explain(*state, &q, &json, &err), FL_EINVAL);
    q.headers[0].name = SLICE("A");
    q.headers[0].value = SLICE("x\r\nBcc: y");
    assert_int_equal(explain(*state, &q, &json, &err), FL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_named_with_its_place),
        cmocka_unit_test(a_limit_capped_at_two_levels_gives_two_rows),
        cmocka_unit_test(what_would_be_refused_is_said_instead_of_a_route),
        cmocka_unit_test(a_foreign_address_in_from_is_refused_too),
        cmocka_unit_test(unknown_names_and_broken_headers_are_errors),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
