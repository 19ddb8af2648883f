/* check_reach.c: ip_families that leave a virtual MTA no source address, and smart hosts of a family that it has none of
 * (check.h). Where a setting holds for several virtual MTAs, it is an error when none of them can obey it, and a warning when
 * some cannot. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static const enum setting reach_keys[] = { SET_IP_FAMILIES, SET_SMART_HOST };

static bool has_family(const struct conf_vmta *v, int family)
{
    for (int i = 0; i < v->source_count; i++)
        if (v->sources[i].family == family)
            return true;
    return v->source_count == 0; /* then that is what is wrong with it */
}

static bool can_obey(const struct conf_vmta *v, enum setting key, const struct setting_value *s)
{
    if (key == SET_SMART_HOST)
        return !s->smart_host || s->smart_host->addr.family == 0 || has_family(v, s->smart_host->addr.family);
    for (int i = 0; i < 2 && s->families.order[i]; i++)
        if (has_family(v, s->families.order[i]))
            return true;
    return s->families.order[0] == 0; /* empty was reported */
}

static void report(const struct conf_vmta *v, enum setting key, const struct conf_place *at, bool is_warning,
                   struct conf_findings *f)
{
    char text[256];

    if (key == SET_SMART_HOST)
        snprintf(text, sizeof text, "is an address of a family that virtual MTA %s has no source address of", v->name);
    else
        snprintf(text, sizeof text, "leaves virtual MTA %s no usable source address", v->name);
    if (is_warning)
        finding_warning(f, at, "%s: %s", setting_name(key), text);
    else
        finding_error(f, at, "%s: %s", setting_name(key), text);
}

/* Which virtual MTAs a setting holds for. */
struct scope {
    const struct conf_vmta *const *vmtas;
    int count;
};

static void check_settings(const struct settings *s, struct scope scope, struct conf_findings *f)
{
    for (size_t k = 0; k < sizeof reach_keys / sizeof *reach_keys; k++) {
        const struct setting_value *v = settings_get(s, reach_keys[k]);
        const struct conf_vmta *cannot = NULL;
        bool some_can = false;

        for (int i = 0; v && i < scope.count; i++) {
            if (can_obey(scope.vmtas[i], reach_keys[k], v))
                some_can = true;
            else if (!cannot)
                cannot = scope.vmtas[i];
        }
        if (cannot)
            report(cannot, reach_keys[k], &v->at, some_can, f);
    }
}

static void check_blocks(const struct domain_blocks *b, struct scope scope, struct conf_findings *f)
{
    for (int i = 0; i < b->count; i++)
        check_settings(&b->block[i].settings, scope, f);
}

/* What holds for it where no domain says otherwise: its own settings, or the defaults. */
static void check_vmta(const struct conf *c, const struct conf_vmta *v, struct conf_findings *f)
{
    struct scope scope = { &v, 1 };

    for (size_t k = 0; k < sizeof reach_keys / sizeof *reach_keys; k++) {
        const struct setting_value *s = settings_get(&v->settings, reach_keys[k]);

        s = s ? s : settings_get(&c->defaults, reach_keys[k]);
        if (s && !can_obey(v, reach_keys[k], s))
            report(v, reach_keys[k], s->at.line ? &s->at : &v->at, false, f);
    }
    check_blocks(&v->domains, scope, f);
}

static void check_tenant(const struct conf_tenant *t, struct conf_findings *f)
{
    const struct conf_vmta **vmtas;
    struct scope scope = { 0 };
    int room = t->vmta_count;

    if (t->settings.set == 0 && t->domains.count == 0)
        return;
    for (int i = 0; i < t->pool_count; i++)
        room += t->pools[i]->member_count;
    vmtas = calloc((size_t)room + 1, sizeof *vmtas);
    if (!vmtas) {
        f->lost = true;
        return;
    }
    for (int i = 0; i < t->vmta_count; i++)
        vmtas[scope.count++] = t->vmtas[i];
    for (int i = 0; i < t->pool_count; i++)
        for (int j = 0; j < t->pools[i]->member_count; j++)
            vmtas[scope.count++] = t->pools[i]->members[j].vmta;
    scope.vmtas = vmtas;
    check_settings(&t->settings, scope, f);
    check_blocks(&t->domains, scope, f);
    free(vmtas);
}

void check_reach(const struct conf *c, struct conf_findings *findings)
{
    const struct conf_vmta **all = calloc((size_t)c->vmta_count + 1, sizeof *all);

    if (!all) {
        findings->lost = true;
        return;
    }
    for (int i = 0; i < c->vmta_count; i++) {
        all[i] = &c->vmtas[i];
        check_vmta(c, &c->vmtas[i], findings);
    }
    check_blocks(&c->domains, (struct scope){ all, c->vmta_count }, findings);
    free(all);
    for (int i = 0; i < c->tenant_count; i++)
        check_tenant(&c->tenants[i], findings);
}
