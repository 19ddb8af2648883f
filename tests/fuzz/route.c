/* Fuzzes vmta/route.c: headers that steer and rules by header, sender and user, for a tenant that may steer and one that may not. Mail goes
 * by what its tenant was granted or is refused, and a job's name is what one may type. */
#include <assert.h>
#include <stdlib.h>

#include "input.h"
#include "route.h"

static struct conf_vmta vmtas[] = { { .name = "a1", .index = 0 }, { .name = "a2", .index = 1 }, { .name = "b1", .index = 2 } };
static const struct pool_member members[] = { { &vmtas[0], 3 }, { &vmtas[1], 1 } };
static const struct conf_pool pools[] = { { .name = "p", .members = members, .member_count = 2 } };
static const struct conf_vmta *const granted[] = { &vmtas[0], &vmtas[1] };
static const struct conf_pool *const granted_pools[] = { &pools[0] };
static const struct conf_user user = { .name = "robot" };

static const struct pattern *spring(void)
{
    static struct pattern *p;
    struct fl_err err;

    if (!p && pattern_compile(SLICE("/^spring (.*)+x$/i"), &p, &err) < 0)
        abort();
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct route_rule rules[] = {
        { .header = "X-Campaign", .header_pattern = spring(), .to = { .pool = &pools[0] } },
        { .header = "X-Kind", .header_text = "news", .user = "robot", .to = { .vmta = &vmtas[1] } },
        { .sender = "*@*.news.test", .to = { .vmta = &vmtas[1] } },
    };
    struct conf_tenant tenant = { .name = "acme", .vmtas = granted, .vmta_count = 2, .pools = granted_pools, .pool_count = 1,
                                  .route = { .vmta = &vmtas[0] }, .rules = rules, .rule_count = 3 };
    const struct conf conf = { .vmtas = vmtas, .vmta_count = 3, .pools = pools, .pool_count = 1, .tenants = &tenant, .tenant_count = 1 };
    struct slice in = slice_make(data, size);
    uint8_t flags = input_byte(&in);
    struct route_question q = { .tenant = &tenant, .user = flags & 1 ? &user : NULL, .is_stranger = flags & 2 };
    struct route_refusal no = { { 0 }, { 0 } };
    struct route_answer ret;
    struct rand dice;

    tenant.steering_headers = flags & 4;
    q.reverse_path = input_text(&in);
    q.reverse_path_domain = slice_skip(q.reverse_path, slice_find(q.reverse_path, '@') + 1);
    q.header_block = in;
    rand_seed(&dice, flags);
    if (!route_message(&conf, &q, &dice, &ret, &no)) {
        assert(no.enhanced[0] == '5' && slice_is_utf8(slice_of(no.text)));
        for (const char *p = no.text; *p; p++)
            assert((unsigned char)*p >= ' ' && *p != 0x7f);
        return 0;
    }
    assert(tenant_may_use_vmta(&tenant, ret.vmta));
    assert(!ret.job.n || (tenant.steering_headers && !q.is_stranger && ret.job.n <= 128));
    for (size_t i = 0; i < ret.job.n; i++)
        assert(ret.job.p[i] >= '!' && ret.job.p[i] <= '~');
    return 0;
}
