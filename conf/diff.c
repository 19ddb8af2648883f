/* diff.c: see diff.h. Both sides are sorted by name, so one walk over both finds tenants and virtual MTAs; listeners are few.
 */
#include "diff.h"

#include <stdlib.h>

#include "conf_private.h"
#include "err.h"

/* A growing list of indices. */
static bool add(int **list, int *count, int index)
{
    if ((*count & (*count - 1)) == 0) {
        int *more = realloc(*list, sizeof *more * (*count ? (size_t)*count * 2 : 1));

        if (!more)
            return false;
        *list = more;
    }
    (*list)[(*count)++] = index;
    return true;
}

static bool diff_tenants(const struct conf *before, const struct conf *after, struct conf_diff *d)
{
    int i = 0, j = 0;
    bool ok = true;

    while (ok && (i < before->tenant_count || j < after->tenant_count)) {
        int c = i == before->tenant_count  ? 1
                : j == after->tenant_count ? -1
                                           : strcmp(before->tenants[i].name, after->tenants[j].name);

        if (c < 0)
            ok = add(&d->tenants_removed, &d->tenants_removed_count, i);
        else if (c > 0)
            ok = add(&d->tenants_added, &d->tenants_added_count, j);
        else if (before->private->tenant_prints[i] != after->private->tenant_prints[j])
            ok = add(&d->tenants_changed, &d->tenants_changed_count, j);
        i += c <= 0;
        j += c >= 0;
    }
    return ok;
}

static bool diff_vmtas(const struct conf *before, const struct conf *after, struct conf_diff *d)
{
    int i = 0, j = 0;
    bool ok = true;

    while (ok && (i < before->vmta_count || j < after->vmta_count)) {
        int c = i == before->vmta_count ? 1 : j == after->vmta_count ? -1 : strcmp(before->vmtas[i].name, after->vmtas[j].name);

        if (c < 0)
            ok = add(&d->vmtas_removed, &d->vmtas_removed_count, i);
        else if (c > 0)
            ok = add(&d->vmtas_added, &d->vmtas_added_count, j);
        else if (before->private->vmta_prints[i] != after->private->vmta_prints[j])
            ok = add(&d->vmtas_changed, &d->vmtas_changed_count, j);
        i += c <= 0;
        j += c >= 0;
    }
    return ok;
}

static bool listens(const struct conf *c, const struct inet_endpoint *e)
{
    for (int i = 0; i < c->listener_count; i++)
        if (c->listeners[i].endpoint.port == e->port && inet_addr_eq(&c->listeners[i].endpoint.addr, &e->addr))
            return true;
    return false;
}

static bool diff_listeners(const struct conf *before, const struct conf *after, struct conf_diff *d)
{
    for (int i = 0; i < before->listener_count; i++)
        if (!listens(after, &before->listeners[i].endpoint) && !add(&d->listeners_removed, &d->listeners_removed_count, i))
            return false;
    for (int i = 0; i < after->listener_count; i++)
        if (!listens(before, &after->listeners[i].endpoint) && !add(&d->listeners_added, &d->listeners_added_count, i))
            return false;
    return true;
}

int conf_diff(const struct conf *before, const struct conf *after, struct conf_diff *ret)
{
    struct conf_diff d = { 0 };
    bool changed[CONF_SECTIONS];

    for (int i = 0; i < CONF_SECTIONS; i++)
        changed[i] = before->private->section[i] != after->private->section[i];
    d.settings_changed = changed[SECTION_SETTINGS];
    d.certificates_changed = changed[SECTION_CERTIFICATES];
    d.admin_changed = changed[SECTION_ADMIN];
    d.accounting_changed = changed[SECTION_ACCOUNTING];
    d.log_changed = changed[SECTION_LOG];
    d.dns_changed = changed[SECTION_DNS];
    d.store_changed = changed[SECTION_STORE];
    d.sources_changed = changed[SECTION_SOURCES];
    d.server_changed = changed[SECTION_SERVER];
    if (!diff_tenants(before, after, &d) || !diff_vmtas(before, after, &d) || !diff_listeners(before, after, &d)) {
        conf_diff_free(&d);
        return FL_ENOMEM;
    }
    *ret = d;
    return 0;
}

void conf_diff_free(struct conf_diff *d)
{
    free(d->tenants_removed);
    free(d->tenants_changed);
    free(d->tenants_added);
    free(d->vmtas_removed);
    free(d->vmtas_changed);
    free(d->vmtas_added);
    free(d->listeners_removed);
    free(d->listeners_added);
    *d = (struct conf_diff){ 0 };
}
