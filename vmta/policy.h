/* policy.h: the delivery settings in force for (tenant, VMTA, domain), key by key, and where each one stands.
 * Precedence, most specific first: VMTA's domain block, tenant's domain block, `domains`, VMTA, tenant, `defaults`; within a level
 * the exact name, then the longest wildcard, then "*". Pure; any thread; borrowed from conf. */
#ifndef FL_POLICY_H
#define FL_POLICY_H

#include "conf.h"

struct policy {
    const struct setting_value *value[SETTINGS]; /* never NULL */
    /* A limit in a tenant's block, or in its domain block, caps that tenant's part of a path; `value` has what caps the path.
     * NULL: no such cap. */
    const struct setting_value *tenant_max_connections, *tenant_max_message_rate;
};

void policy_resolve(const struct conf *c, const struct conf_tenant *t, const struct conf_vmta *v, struct slice domain,
                    struct policy *ret);

static inline int64_t policy_number(const struct policy *p, enum setting key) { return p->value[key]->number; }
static inline int64_t policy_ms(const struct policy *p, enum setting key) { return p->value[key]->ms; }
static inline bool policy_flag(const struct policy *p, enum setting key) { return p->value[key]->flag; }

#endif
