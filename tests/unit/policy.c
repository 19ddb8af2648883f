/* Precedence, by a model: six levels, three of them with four forms of a domain, settings placed at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "buf.h"
#include "policy.h"
#include "stream_desk.h"

#include <stdio.h>

enum { LEVELS = 6, FORMS = 4, ROUNDS = 60 };
enum { VMTA_DOMAIN, TENANT_DOMAIN, DOMAINS, VMTA, TENANT, DEFAULTS };

static const char *const form[FORMS] = { "a.b.test", "*.b.test", "*.test", "*" };

/* What stands where; 0: nothing. A level without domains uses its first form only. */
struct placed {
    int timeout_s[LEVELS][FORMS], connections[LEVELS][FORMS];
};

static bool has_forms(int level)
{
    return level <= DOMAINS;
}

static void place(struct placed *p, struct rand *r)
{
    int value = 1;

    for (int level = 0; level < LEVELS; level++)
        for (int f = 0; f < FORMS; f++, value++) {
            bool fits = has_forms(level) || f == 0, always = level == DEFAULTS && f == 0;

            p->timeout_s[level][f] = always || (fits && rand_below(r, 4) == 0) ? value : 0;
            p->connections[level][f] = always || (fits && rand_below(r, 4) == 0) ? value : 0;
        }
}

static void keys(struct buf *b, const struct placed *p, int level, int f)
{
    char text[80];

    if (p->timeout_s[level][f]) {
        snprintf(text, sizeof text, "connect_timeout: %ds, ", p->timeout_s[level][f]);
        assert_int_equal(buf_add(b, slice_of(text)), 0);
    }
    if (p->connections[level][f]) {
        snprintf(text, sizeof text, "max_connections: %d, ", p->connections[level][f]);
        assert_int_equal(buf_add(b, slice_of(text)), 0);
    }
}

static void blocks(struct buf *b, const struct placed *p, int level)
{
    assert_int_equal(buf_add(b, SLICE("domains: {")), 0);
    for (int f = 0; f < FORMS; f++) {
        char text[40];

        snprintf(text, sizeof text, "'%s': {", form[f]);
        assert_int_equal(buf_add(b, slice_of(text)), 0);
        keys(b, p, level, f);
        assert_int_equal(buf_add(b, SLICE("}, ")), 0);
    }
    assert_int_equal(buf_add(b, SLICE("}")), 0);
}

static void write(struct buf *b, const struct placed *p)
{
    assert_int_equal(buf_add(b, SLICE("defaults: {")), 0);
    keys(b, p, DEFAULTS, 0);
    assert_int_equal(buf_add(b, SLICE("}\nvmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test, ")), 0);
    keys(b, p, VMTA, 0);
    blocks(b, p, VMTA_DOMAIN);
    assert_int_equal(buf_add(b, SLICE("}}\ntenants: {one: {vmtas: [v], route: v, sender_domains: ['*'], ")), 0);
    keys(b, p, TENANT, 0);
    blocks(b, p, TENANT_DOMAIN);
    assert_int_equal(buf_add(b, SLICE("}}\n")), 0);
    blocks(b, p, DOMAINS);
    assert_int_equal(buf_add(b, slice_make("\n", 2)), 0);
}

/* The first that speaks of the domain; from: which forms of the list match it. */
static int first(const int values[LEVELS][FORMS], int level, int from)
{
    for (int f = has_forms(level) ? from : 0; f < (has_forms(level) ? FORMS : 1); f++)
        if (values[level][f])
            return values[level][f];
    return 0;
}

static void check(const struct conf *c, const struct placed *p, const char *domain, int from)
{
    struct policy got;
    int timeout = 0, connections = 0, cap = first(p->connections, TENANT_DOMAIN, from);

    policy_resolve(c, conf_tenant(c, SLICE("one")), conf_vmta(c, SLICE("v")), slice_of(domain), &got);
    for (int level = 0; level < LEVELS; level++) {
        if (!timeout)
            timeout = first(p->timeout_s, level, from);
        if (!connections && level != TENANT && level != TENANT_DOMAIN)
            connections = first(p->connections, level, from);
    }
    if (!cap)
        cap = first(p->connections, TENANT, from);
    assert_int_equal(policy_ms(&got, SET_CONNECT_TIMEOUT), timeout * 1000);
    assert_int_equal(policy_number(&got, SET_MAX_CONNECTIONS), connections);
    assert_int_equal(got.tenant_max_connections ? got.tenant_max_connections->number : 0, cap);
    for (int key = 0; key < SETTINGS; key++)
        assert_non_null(got.value[key]);
}

static void each_setting_comes_from_the_most_specific_place(void **state)
{
    struct rand r;

    rand_seed(&r, 7);
    for (int round = 0; round < ROUNDS; round++) {
        struct stream_desk d;
        struct placed p;
        struct buf b;

        buf_init(&b, 100000);
        place(&p, &r);
        write(&b, &p);
        stream_desk_open(&d, buf_slice(&b).p);
        check(d.conf.conf, &p, "a.b.test", 0);
        check(d.conf.conf, &p, "c.b.test", 1);
        check(d.conf.conf, &p, "b.test", 2);
        check(d.conf.conf, &p, "other.example", 3);
        stream_desk_close(&d);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting_comes_from_the_most_specific_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
