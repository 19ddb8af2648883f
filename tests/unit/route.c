/* Where a message goes: a header that steers, rules, the default; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool.h"
#include "route.h"
#include "stream_desk.h"

#include <stdlib.h>

static const char text[] =
    "vmtas: {v1: {source_addresses: [127.0.0.1], hostname: v1.test}, v2: {source_addresses: [127.0.0.2], hostname: v2.test},"
    " v3: {source_addresses: [127.0.0.3], hostname: v3.test}}\n"
    "pools: {p: {members: {v1: 3, v2: 1}}, other: {members: {v3: 1}}}\n"
    "tenants: {one: {users: {app: {method: password, password: {plain: secret-enough}}, robot: {method: password, password: {plain: secret-enough}}},"
    " vmtas: [v1, v2], pools: [p], route: v1, sender_domains: ['*'], steering_headers: true, routes: ["
    "{when: {header: {X-Campaign: '/^spring/'}}, to: p}, {when: {header: {X-Kind: news}, user: robot}, to: v2},"
    " {when: {sender: '*@news.test'}, to: v2}]},"
    " deaf: {vmtas: [v1, v2], route: v1, sender_domains: ['*']}}\n";

struct routing {
    struct stream_desk *d;
    struct route_question q;
    struct route_answer a;
    struct route_refusal no;
};

static void begin(struct routing *r)
{
    *r = (struct routing){ .d = calloc(1, sizeof *r->d) };
    assert_non_null(r->d);
    stream_desk_open(r->d, text);
    r->q = (struct route_question){ .tenant = conf_tenant(r->d->conf.conf, SLICE("one")), .reverse_path = SLICE("a@one.test") };
}

static void end(struct routing *r)
{
    stream_desk_close(r->d);
    free(r->d);
}

/* The VMTA's name, or NULL for a refusal. */
static const char *routed(struct routing *r, const char *header)
{
    r->q.header_block = slice_of(header);
    return route_message(r->d->conf.conf, &r->q, &r->d->mta.rand, &r->a, &r->no) ? r->a.vmta->name : NULL;
}

static void the_first_rule_that_matches_wins_before_the_default(void **state)
{
    struct routing r;

    begin(&r);
    assert_string_equal(routed(&r, "Subject: x\r\n"), "v1");
    assert_null(r.a.pool);
    assert_non_null(routed(&r, "x-campaign:  spring-1\r\n"));
    assert_string_equal(r.a.pool->name, "p");
    assert_non_null(strstr(r.a.because, "rule 1"));
    assert_string_equal(routed(&r, "X-Campaign: late spring\r\n"), "v1");
    assert_null(r.a.pool);
    r.q.reverse_path = SLICE("a@NEWS.test");
    assert_string_equal(routed(&r, "Subject: x\r\n"), "v2");
    r.q.reverse_path = SLICE_NONE;
    assert_string_equal(routed(&r, "Subject: x\r\n"), "v1");
    end(&r);
}

static void all_conditions_of_a_rule_must_hold(void **state)
{
    struct routing r;

    begin(&r);
    assert_string_equal(routed(&r, "X-Kind: news\r\n"), "v1");
    r.q.user = conf_user(r.d->conf.conf, SLICE("app"));
    assert_string_equal(routed(&r, "X-Kind: news\r\n"), "v1");
    r.q.user = conf_user(r.d->conf.conf, SLICE("robot"));
    assert_string_equal(routed(&r, "X-Kind: news\r\n"), "v2");
    assert_string_equal(routed(&r, "X-Kind: newspaper\r\n"), "v1");
    end(&r);
}

static void a_header_steers_before_the_rules(void **state)
{
    struct routing r;

    begin(&r);
    assert_string_equal(routed(&r, "X-Campaign: spring\r\nX-Fairlead-VMTA: v2\r\n"), "v2");
    assert_true(r.a.from_header);
    assert_string_equal(routed(&r, "x-virtual-mta:\tv2 \r\nX-Job: c1\r\n"), "v2");
    assert_true(slice_eq(r.a.job, SLICE("c1")));
    assert_non_null(routed(&r, "X-Fairlead-VMTA: p\r\n"));
    assert_string_equal(r.a.pool->name, "p");
    assert_string_equal(routed(&r, "X-Fairlead-VMTA: v2\r\nX-Virtual-MTA: v2\r\n"), "v2");
    end(&r);
}

static void what_was_not_granted_or_is_unknown_is_refused(void **state)
{
    struct routing r;

    begin(&r);
    assert_null(routed(&r, "X-Fairlead-VMTA: v3\r\n"));
    assert_string_equal(r.no.enhanced, "5.7.1");
    assert_null(routed(&r, "X-Fairlead-VMTA: other\r\n"));
    assert_null(routed(&r, "X-Fairlead-VMTA: nobody\r\n"));
    assert_null(routed(&r, "X-Fairlead-VMTA: V1\r\n"));
    assert_null(routed(&r, "X-Fairlead-VMTA:\r\n"));
    end(&r);
}

static void headers_that_contradict_each_other_are_refused(void **state)
{
    struct routing r;

    begin(&r);
    assert_null(routed(&r, "X-Fairlead-VMTA: v1\r\nX-Virtual-MTA: v2\r\n"));
    assert_null(routed(&r, "X-Job: a\r\nX-Fairlead-Job: b\r\n"));
    assert_null(routed(&r, "X-Fairlead-VMTA: v1\r\nX-Fairlead-VMTA: v2\r\n"));
    end(&r);
}

static void a_job_id_has_printable_characters_only(void **state)
{
    struct routing r;

    begin(&r);
    assert_null(routed(&r, "X-Job: two words\r\n"));
    assert_null(routed(&r, "X-Job:\r\n"));
    assert_null(routed(&r, "X-Job: \303\244\r\n"));
    end(&r);
}

static void a_stranger_and_a_tenant_that_may_not_steer_are_not_obeyed(void **state)
{
    struct routing r;

    begin(&r);
    r.q.is_stranger = true;
    assert_string_equal(routed(&r, "X-Fairlead-VMTA: v2\r\nX-Job: j\r\n"), "v1");
    assert_int_equal(r.a.job.n, 0);
    r.q.is_stranger = false;
    r.q.tenant = conf_tenant(r.d->conf.conf, SLICE("deaf"));
    assert_string_equal(routed(&r, "X-Fairlead-VMTA: v3\r\n"), "v1");
    assert_false(r.a.from_header);
    end(&r);
}

static void a_pool_is_dealt_by_weight(void **state)
{
    struct routing r;
    int v1 = 0;

    begin(&r);
    for (int i = 0; i < 10000; i++)
        v1 += strcmp(pool_pick(conf_pool(r.d->conf.conf, SLICE("p")), &r.d->mta.rand)->name, "v1") == 0;
    assert_in_range(v1, 7350, 7650);
    assert_string_equal(pool_pick(conf_pool(r.d->conf.conf, SLICE("other")), &r.d->mta.rand)->name, "v3");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_wins_before_the_default),
        cmocka_unit_test(all_conditions_of_a_rule_must_hold),
        cmocka_unit_test(a_header_steers_before_the_rules),
        cmocka_unit_test(what_was_not_granted_or_is_unknown_is_refused),
        cmocka_unit_test(headers_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_job_id_has_printable_characters_only),
        cmocka_unit_test(a_stranger_and_a_tenant_that_may_not_steer_are_not_obeyed),
        cmocka_unit_test(a_pool_is_dealt_by_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
