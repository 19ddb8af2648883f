/* route.c: see route.h. */
#include "route.h"

#include <stdio.h>

#include "address.h"
#include "header.h"
#include "pool.h"

enum { VALUE_MAX = 1000, JOB_MAX = 128 };

const struct slice route_steering_headers[] = {
    { "X-Fairlead-VMTA", 15 }, { "X-Virtual-MTA", 13 }, { "X-Fairlead-Job", 14 }, { "X-Job", 5 },
};
const int route_steering_header_count = sizeof route_steering_headers / sizeof *route_steering_headers;

enum { STEER_VMTA, STEER_VMTA_OLD, STEER_JOB, STEER_JOB_OLD };

/* Refuses; what a client said stands in the text only when it is printable. */
static bool refuse(struct route_refusal *no, const char *what, struct slice value)
{
    bool printable = value.n <= 64;

    for (size_t i = 0; i < value.n && printable; i++)
        printable = value.p[i] > ' ' && value.p[i] < 0x7f;
    snprintf(no->enhanced, sizeof no->enhanced, "5.7.1");
    if (printable && value.n)
        snprintf(no->text, sizeof no->text, "%s \"%.*s\"", what, SLICE_ARG(value));
    else
        snprintf(no->text, sizeof no->text, "%s", what);
    return false;
}

/* ---------------------------------------------------------------- steering */
/* The one value that all fields of these names say; several that differ are refused: which one was meant is not guessed. */
static bool steered_value(struct slice block, int name, int old_name, char value[VALUE_MAX], bool *ret_found, struct route_refusal *no)
{
    struct header_field f;
    char other[VALUE_MAX];

    *ret_found = false;
    while (header_next(&block, &f)) {
        if (!slice_eq_nocase(f.name, route_steering_headers[name]) && !slice_eq_nocase(f.name, route_steering_headers[old_name]))
            continue;
        header_unfold(f.value, *ret_found ? other : value, VALUE_MAX);
        if (*ret_found && strcmp(value, other) != 0)
            return refuse(no, "the steering headers contradict each other", SLICE_NONE);
        *ret_found = true;
    }
    return true;
}

/* A VMTA or pool of this name that the tenant was granted. */
static bool target_by_name(const struct conf *c, const struct conf_tenant *t, struct slice name, struct route_target *ret)
{
    ret->vmta = conf_vmta(c, name);
    ret->pool = ret->vmta ? NULL : conf_pool(c, name);
    if (ret->vmta)
        return tenant_may_use_vmta(t, ret->vmta);
    return ret->pool && tenant_may_use_pool(t, ret->pool);
}

static bool steer(const struct conf *c, const struct route_question *q, struct route_answer *ret, struct route_target *to,
                  bool *ret_found, struct route_refusal *no)
{
    char value[VALUE_MAX];

    if (!steered_value(q->header_block, STEER_VMTA, STEER_VMTA_OLD, value, ret_found, no))
        return false;
    if (!*ret_found)
        return true;
    if (!target_by_name(c, q->tenant, slice_of(value), to))
        return refuse(no, "this tenant may not send by", slice_of(value));
    ret->from_header = true;
    snprintf(ret->scratch, sizeof ret->scratch, "steered by the header X-Fairlead-VMTA");
    return true;
}

static bool read_job(const struct route_question *q, struct route_answer *ret, struct route_refusal *no)
{
    char value[VALUE_MAX];
    size_t n;
    bool found;

    if (!steered_value(q->header_block, STEER_JOB, STEER_JOB_OLD, value, &found, no))
        return false;
    if (!found)
        return true;
    n = strlen(value);
    if (n == 0 || n > JOB_MAX)
        return refuse(no, "a job id has 1 to 128 printable characters", SLICE_NONE);
    for (size_t i = 0; i < n; i++)
        if (value[i] < '!' || value[i] > '~')
            return refuse(no, "a job id has 1 to 128 printable characters", SLICE_NONE);
    memcpy(ret->job_text, value, n + 1);
    ret->job = slice_make(ret->job_text, n);
    return true;
}

/* ---------------------------------------------------------------- rules */
static bool header_matches(const struct route_rule *rule, struct slice block)
{
    struct header_field f;
    char value[VALUE_MAX];

    while (header_next(&block, &f)) {
        struct slice unfolded;

        if (!slice_eq_nocase(f.name, slice_of(rule->header)))
            continue;
        unfolded = slice_make(value, header_unfold(f.value, value, sizeof value));
        if (rule->header_pattern ? pattern_match(rule->header_pattern, unfolded) == PATTERN_YES
                                 : slice_eq(unfolded, slice_of(rule->header_text)))
            return true;
    }
    return false;
}

static bool sender_matches(const struct route_rule *rule, struct slice reverse_path)
{
    struct address a;

    return reverse_path.n > 0 && address_parse(reverse_path, true, &a) == ADDRESS_OK && address_matches(&a, slice_of(rule->sender));
}

static bool rule_matches(const struct route_rule *rule, const struct route_question *q)
{
    if (rule->user && (q->is_stranger || !q->user || strcmp(rule->user, q->user->name) != 0))
        return false;
    if (rule->sender && !sender_matches(rule, q->reverse_path))
        return false;
    return !rule->header || header_matches(rule, q->header_block);
}

static void say_rule(const struct route_rule *rule, int number, struct route_answer *ret)
{
    int n = snprintf(ret->scratch, sizeof ret->scratch, "rule %d:", number);

    if (rule->header)
        n += snprintf(ret->scratch + n, sizeof ret->scratch - (size_t)n, " header %.40s", rule->header);
    if (rule->sender)
        n += snprintf(ret->scratch + n, sizeof ret->scratch - (size_t)n, " sender %.40s", rule->sender);
    if (rule->user)
        snprintf(ret->scratch + n, sizeof ret->scratch - (size_t)n, " user %.40s", rule->user);
    ret->at = rule->at;
}

static struct route_target by_rules(const struct route_question *q, struct route_answer *ret)
{
    const struct conf_tenant *t = q->tenant;

    for (int i = 0; i < t->rule_count; i++)
        if (rule_matches(&t->rules[i], q)) {
            say_rule(&t->rules[i], i + 1, ret);
            return t->rules[i].to;
        }
    snprintf(ret->scratch, sizeof ret->scratch, "the tenant's default route");
    ret->at = t->route_at;
    return t->route;
}

bool route_message(const struct conf *c, const struct route_question *q, struct rand *rand, struct route_answer *ret,
                   struct route_refusal *no)
{
    struct route_target to = { NULL, NULL };
    bool steered = false;

    *ret = (struct route_answer){ .vmta = NULL };
    if (q->tenant->steering_headers && !q->is_stranger &&
        (!read_job(q, ret, no) || !steer(c, q, ret, &to, &steered, no)))
        return false;
    if (!steered)
        to = by_rules(q, ret);
    ret->because = ret->scratch;
    ret->pool = to.pool;
    ret->vmta = to.pool ? pool_pick(to.pool, rand) : to.vmta;
    if (!ret->vmta)
        return refuse(no, "this tenant has no route", SLICE_NONE);
    return true;
}
