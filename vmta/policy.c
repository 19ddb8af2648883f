/* policy.c: see policy.h. */
#include "policy.h"

enum { BLOCKS_MAX = 130 }; /* a name of 253 octets has at most 127 labels: itself, a wildcard for each, "*" */

/* What one level says of every key that no level before it has said. */
static void take(struct policy *p, const struct settings *s)
{
    for (int key = 0; key < SETTINGS; key++)
        if (!p->value[key])
            p->value[key] = settings_get(s, key);
}

static void take_blocks(struct policy *p, const struct domain_blocks *b, struct slice domain)
{
    const struct domain_block *found[BLOCKS_MAX];
    int n = domain_blocks_find(b, domain, found, BLOCKS_MAX);

    for (int i = 0; i < n; i++)
        take(p, &found[i]->settings);
}

/* The limits of a tenant do not bound the path, but the tenant's part of it: they are looked up apart. */
static void take_tenant(struct policy *p, const struct conf_tenant *t, struct slice domain, bool blocks)
{
    const struct setting_value *connections = p->value[SET_MAX_CONNECTIONS], *rate = p->value[SET_MAX_MESSAGE_RATE];
    struct policy own = { .value = { NULL } };

    if (blocks)
        take_blocks(&own, &t->domains, domain);
    else
        take(&own, &t->settings);
    if (!p->tenant_max_connections)
        p->tenant_max_connections = own.value[SET_MAX_CONNECTIONS];
    if (!p->tenant_max_message_rate)
        p->tenant_max_message_rate = own.value[SET_MAX_MESSAGE_RATE];
    for (int key = 0; key < SETTINGS; key++)
        if (!p->value[key])
            p->value[key] = own.value[key];
    p->value[SET_MAX_CONNECTIONS] = connections;
    p->value[SET_MAX_MESSAGE_RATE] = rate;
}

void policy_resolve(const struct conf *c, const struct conf_tenant *t, const struct conf_vmta *v, struct slice domain,
                    struct policy *ret)
{
    *ret = (struct policy){ .value = { NULL } };
    take_blocks(ret, &v->domains, domain);
    take_tenant(ret, t, domain, true);
    take_blocks(ret, &c->domains, domain);
    take(ret, &v->settings);
    take_tenant(ret, t, domain, false);
    take(ret, &c->defaults);
}
