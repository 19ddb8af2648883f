/* Tests daemon/admin_order.c, admin_query.c, admin_access.c and admin_problem.c: what comes in over HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "admin_access.h"
#include "admin_order.h"
#include "admin_problem.h"
#include "admin_query.h"
#include "fake_relay.h"

/* ---------------------------------------------------------------- orders */
static void expect_refused(const char *body, const char *why)
{
    struct admin_order o;
    struct fl_err err = { 0 };
    int rc = admin_order_parse(slice_of(body), &o, &err);

    if (rc != FL_EINVAL || !strstr(err.text, why))
        fail_msg("%s: %d '%s', wanted '%s'", body, rc, err.text, why);
    admin_order_free(&o);
}

static void an_order_that_cannot_be_meant_is_refused(void **state)
{
    expect_refused("{\"do\": \"drop\", \"select\": {}}", "empty");
    expect_refused("{\"do\": \"drop\"}", "select");
    expect_refused("{\"do\": \"drop\", \"select\": {\"tenant\": null}}", "tenant");
    expect_refused("{\"do\": \"drop\", \"select\": {\"tenant\": 5}}", "tenant");
    expect_refused("{\"do\": \"drop\", \"select\": {\"tenant\": \"\"}}", "tenant");
    expect_refused("{\"do\": \"drop\", \"select\": {\"tenant\": \"a\\nb\"}}", "control");
    expect_refused("{\"do\": \"drop\", \"select\": {\"tennant\": \"a\"}}", "tennant");
    expect_refused("{\"do\": \"explode\", \"select\": {\"tenant\": \"a\"}}", "do");
    expect_refused("{\"select\": {\"tenant\": \"a\"}}", "do");
    expect_refused("{\"do\": \"hold\", \"do\": \"drop\", \"select\": {\"tenant\": \"a\"}}", "JSON");
    expect_refused("[]", "object");
    expect_refused("{\"do\": \"hold\", \"select\": {\"tenant\": ", "JSON");
    expect_refused("{\"do\": \"hold\", \"select\": {\"all\": true, \"tenant\": \"a\"}}", "alone");
    expect_refused("{\"do\": \"hold\", \"select\": {\"all\": false}}", "all");
    expect_refused("{\"do\": \"hold\", \"select\": {\"all\": \"yes\"}}", "all");
    expect_refused("{\"do\": \"hold\", \"select\": {\"state\": \"odd\"}}", "state");
    expect_refused("{\"do\": \"hold\", \"select\": {\"older\": \"2\"}}", "older");
    expect_refused("{\"do\": \"hold\", \"select\": {\"message\": \"x\"}}", "message");
    expect_refused("{\"do\": \"hold\", \"select\": {\"job\": \"x\"}}", "TENANT/JOB");
    expect_refused("{\"do\": \"hold\", \"select\": {\"domain\": \"a..b\"}}", "domain");
    expect_refused("{\"do\": \"move\", \"select\": {\"tenant\": \"a\"}}", "to");
    expect_refused("{\"do\": \"hold\", \"to\": \"v\", \"select\": {\"tenant\": \"a\"}}", "move");
    expect_refused("{\"do\": \"hold\", \"dsn\": true, \"select\": {\"tenant\": \"a\"}}", "drop");
    expect_refused("{\"do\": \"hold\", \"refuse\": true, \"select\": {\"vmta\": \"a\"}}", "refuse");
    expect_refused("{\"do\": \"hold\", \"refuse\": true, \"select\": {\"tenant\": \"t\", \"domain\": \"a.test\"}}", "refuse");
    expect_refused("{\"do\": \"hold\", \"dry_run\": 1, \"select\": {\"tenant\": \"a\"}}", "dry_run");
}

static void an_order_says_what_was_meant(void **state)
{
    struct admin_order o;
    struct fl_err err;

    assert_int_equal(
        admin_order_parse(SLICE("{\"do\": \"move\", \"to\": \"v2\", \"dry_run\": true, \"select\": {\"tenant\": \"acme\","
                                "\"domain\": \"*.B\xC3\xBC"
                                "cher.Example\", \"older\": \"2d\", \"state\": \"held\"}}"),
                          &o, &err),
        0);
    assert_int_equal(o.action.kind, ACTION_MOVE);
    assert_true(slice_eq(o.action.tenant, SLICE("acme")) && slice_eq(o.action.to, SLICE("v2")) && o.action.dry_run);
    assert_true(slice_eq(o.action.domain, SLICE("*.xn--bcher-kva.example")));
    assert_true(o.action.older_ms == INT64_C(172800000) && o.action.state == VIEW_HELD && !o.action.all);
    admin_order_free(&o);

    assert_int_equal(admin_order_parse(SLICE("{\"do\": \"drop\", \"select\": {\"job\": \"acme/a/b\"}}"), &o, &err), 0);
    assert_true(slice_eq(o.action.tenant, SLICE("acme")) && slice_eq(o.action.job, SLICE("a/b")));
    admin_order_free(&o);

    assert_int_equal(
        admin_order_parse(SLICE("{\"do\": \"drop\", \"select\": {\"tenant\": \"acme\", \"job\": \"x/b\"}}"), &o, &err), 0);
    assert_true(slice_eq(o.action.tenant, SLICE("acme")) && slice_eq(o.action.job, SLICE("x/b")));
    admin_order_free(&o);
}

/* ---------------------------------------------------------------- paths and queries */
static bool path_is(const char *text, int count)
{
    struct arena *arena = arena_new(256);
    struct admin_path path;
    bool ok = admin_path_parse(slice_of(text), arena, &path) && path.count == count;

    arena_free(arena);
    return ok;
}

static void a_path_is_decoded_strictly(void **state)
{
    struct arena *arena = arena_new(256);
    struct admin_path path;

    assert_true(admin_path_parse(SLICE("/v1/jobs/acme/a%2Fb%20c"), arena, &path));
    assert_int_equal(path.count, 4);
    assert_true(slice_eq(path.segment[3], SLICE("a/b c")));
    arena_free(arena);
    assert_true(path_is("/metrics", 1));
    assert_false(path_is("/", 0));
    assert_false(path_is("", 0));
    assert_false(path_is("v1", 1));
    assert_false(path_is("/v1//x", 3));
    assert_false(path_is("/v1/", 1));
    assert_false(path_is("/v1/%", 2));
    assert_false(path_is("/v1/%4", 2));
    assert_false(path_is("/v1/%zz", 2));
    assert_false(path_is("/v1/%00", 2));
    assert_false(path_is("/v1/%ff", 2));
    assert_false(path_is("/v1/%0a", 2));
    assert_false(path_is("/1/2/3/4/5/6/7/8/9", 9));
}

static bool query_is(const char *text, int count)
{
    struct arena *arena = arena_new(256);
    struct admin_query query;
    bool ok = admin_query_parse(slice_of(text), arena, &query) && query.count == count;

    arena_free(arena);
    return ok;
}

static void a_query_has_each_key_once(void **state)
{
    struct arena *arena = arena_new(256);
    struct admin_query query;

    assert_true(admin_query_parse(SLICE("after=a%2Fb+c&limit=5&empty=&bare"), arena, &query));
    assert_int_equal(query.count, 4);
    assert_true(slice_eq(admin_query_get(&query, "after"), SLICE("a/b c")));
    assert_true(admin_query_get(&query, "empty").p && !admin_query_get(&query, "empty").n);
    assert_null(admin_query_get(&query, "other").p);
    arena_free(arena);
    assert_true(query_is("", 0));
    assert_false(query_is("a=1&a=2", 2));
    assert_false(query_is("a=1&%61=2", 2));
    assert_false(query_is("=1", 1));
    assert_false(query_is("a=1&&b=2", 2));
    assert_false(query_is("a=%G1", 1));
    assert_false(query_is("1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", 17));
}

/* ---------------------------------------------------------------- access, problems */
static void only_the_whole_token_opens(void **state)
{
    struct relay r;

    fake_relay_init(&r);
    assert_string_equal(admin_access_token(&r.conf, SLICE("Bearer right-token"))->name, "ops");
    assert_string_equal(admin_access_token(&r.conf, SLICE("bearer second"))->name, "other");
    assert_null(admin_access_token(&r.conf, SLICE("Bearer right-toke")));
    assert_null(admin_access_token(&r.conf, SLICE("Bearer right-tokenx")));
    assert_null(admin_access_token(&r.conf, SLICE("Bearer right-tokem")));
    assert_null(admin_access_token(&r.conf, SLICE("Bearer right-tokenright-token")));
    assert_null(admin_access_token(&r.conf, SLICE("Bearer ")));
    assert_null(admin_access_token(&r.conf, SLICE("Bearer")));
    assert_null(admin_access_token(&r.conf, SLICE("Basic right-token")));
    assert_null(admin_access_token(&r.conf, SLICE_NONE));
    assert_true(admin_access_is_open(&r.conf, SLICE("/metrics")));
    assert_false(admin_access_is_open(&r.conf, SLICE("/metrics/")));
    assert_false(admin_access_is_open(&r.conf, SLICE("/v1/status")));
}

static void a_problem_document_takes_any_byte(void **state)
{
    for (int b = 0; b < 256; b++) {
        const char detail[] = { 'x', (char)b, '"', '\\' };
        struct buf out;
        json_t *json;

        buf_init(&out, 0);
        assert_int_equal(admin_problem_write(404, slice_make(detail, sizeof detail), &out), 0);
        json = json_loadb(buf_slice(&out).p, buf_len(&out), 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
        json_decref(json);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_that_cannot_be_meant_is_refused),
        cmocka_unit_test(an_order_says_what_was_meant),
        cmocka_unit_test(a_path_is_decoded_strictly),
        cmocka_unit_test(a_query_has_each_key_once),
        cmocka_unit_test(only_the_whole_token_opens),
        cmocka_unit_test(a_problem_document_takes_any_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
