/* oracle_hold.c: standing rules of operators: what was held a second ago is not begun, until it is released, whatever happens to the
 * process meanwhile. See oracle.h. */
#include <stdio.h>

#include "oracle_books.h"

enum { EFFECT_MS = 1000 };

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b) == 0;
}

void oracle_held(struct oracle *o, const char *tenant, const char *domain, const char *job, int64_t asked_ms)
{
    struct rule *r;

    if (o->rule_count == RULES || asked_ms <= o->released_ms)
        return; /* the rest of a long world goes unwatched; a release overtook it */
    r = &o->rules[o->rule_count++];
    *r = (struct rule){ .from_ms = o->world->now.mono_ms, .until_ms = NEVER_MS };
    snprintf(r->tenant, sizeof r->tenant, "%s", tenant);
    snprintf(r->domain, sizeof r->domain, "%s", domain ? domain : "");
    snprintf(r->job, sizeof r->job, "%s", job ? job : "");
}

static void end_rule(struct oracle *o, struct rule *r)
{
    if (r->until_ms == NEVER_MS)
        r->until_ms = o->world->now.mono_ms;
}

/* A release ends the rules that it names, and may end those that lie within it. */
void oracle_released(struct oracle *o, const char *tenant, const char *domain, const char *job)
{
    o->released_ms = o->world->now.mono_ms;
    for (int i = 0; i < o->rule_count; i++) {
        struct rule *r = &o->rules[i];

        if (same(tenant, r->tenant) && (!domain || same(domain, r->domain) || !*r->domain) && (!job || same(job, r->job) || !*r->job))
            end_rule(o, r);
    }
}

void oracle_all_durable(struct oracle *o)
{
    for (int i = o->durable_rules; i < o->rule_count; i++)
        o->rules[i].durable = true;
    o->durable_rules = o->rule_count;
}

/* The answer to a hold does not wait for its COMMIT: what was not there yet may be gone. */
void oracle_hold_crashed(struct oracle *o)
{
    for (int i = 0; i < o->rule_count; i++)
        if (!o->rules[i].durable)
            end_rule(o, &o->rules[i]);
    o->durable_rules = o->rule_count;
}

static const struct rule *rule_for(const struct oracle *o, const struct message *m, const char *domain, int64_t sent_ms)
{
    for (int i = 0; i < o->rule_count; i++) {
        const struct rule *r = &o->rules[i];

        if (same(m->tenant, r->tenant) && (!*r->domain || same(domain, r->domain)) && (!*r->job || same(m->job, r->job)) &&
            r->from_ms + EFFECT_MS < sent_ms && sent_ms < r->until_ms)
            return r;
    }
    return NULL;
}

void oracle_judge_hold(struct oracle *o, const struct message *m, const struct rcpt *rcpt, int64_t sent_ms)
{
    const struct rule *r = rule_for(o, m, strchr(rcpt->address, '@') + 1, sent_ms);

    if (r)
        world_broken(o->world, "%s is sent at %.3f, and tenant %s domain '%s' job '%s' is held since %.3f", rcpt->address,
                     (double)(sent_ms - o->world->began_ms) / 1000, r->tenant, r->domain, r->job,
                     (double)(r->from_ms - o->world->began_ms) / 1000);
}
