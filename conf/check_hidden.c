/* check_hidden.c: the levels of delivery settings come before the forms of a domain, so a `*` in a virtual MTA's block stands
 * before what a tenant's block, or `domains`, says of a domain by name. That is seldom meant (check.h). */
#include "check.h"

/* What a block of that pattern says by name, and what "*" says. */
static bool is_star(const struct domain_block *b)
{
    return slice_eq(b->pattern, SLICE("*"));
}

static const struct domain_block *star_of(const struct domain_blocks *b)
{
    const struct domain_block *found;

    return domain_blocks_find(b, SLICE(""), &found, 1) ? found : NULL;
}

static void report_hidden(const struct domain_block *named, const struct domain_block *star, const char *who, const char *name,
                          struct conf_findings *f)
{
    uint32_t both = named->settings.set & star->settings.set;

    for (int key = 0; key < SETTINGS; key++) {
        if (!(both & (UINT32_C(1) << key)))
            continue;
        finding_warning(f, &settings_get(&named->settings, (enum setting)key)->at,
                        "%s for %.*s is hidden by the \"*\" of %s %s at %s:%d", setting_name((enum setting)key),
                        SLICE_ARG(named->pattern), who, name, star->at.file,
                        settings_get(&star->settings, (enum setting)key)->at.line);
    }
}

static void check_under(const struct domain_blocks *blocks, const struct domain_blocks *above, const char *who,
                        const char *name, struct conf_findings *f)
{
    const struct domain_block *star = star_of(above);

    for (int i = 0; star && i < blocks->count; i++)
        if (!is_star(&blocks->block[i]))
            report_hidden(&blocks->block[i], star, who, name, f);
}

void check_hidden(const struct conf *c, struct conf_findings *findings)
{
    for (int i = 0; i < c->vmta_count && c->domains.count; i++)
        check_under(&c->domains, &c->vmtas[i].domains, "virtual MTA", c->vmtas[i].name, findings);
    for (int i = 0; i < c->tenant_count; i++) {
        const struct conf_tenant *t = &c->tenants[i];

        if (c->domains.count)
            check_under(&c->domains, &t->domains, "tenant", t->name, findings);
        for (int j = 0; j < t->vmta_count && t->domains.count; j++)
            check_under(&t->domains, &t->vmtas[j]->domains, "virtual MTA", t->vmtas[j]->name, findings);
    }
}
