/* tenancy.c: see tenancy.h. */
#include "tenancy.h"

#include <stdlib.h>

#include "err.h"

static struct party *party_find(struct party **table, struct slice name, size_t size)
{
    struct party *p;

    HASH_FIND(hh, *table, name.p, name.n, p);
    if (p)
        return p;
    p = calloc(1, size);
    if (p)
        p->name = slice_dup(name);
    if (!p || !p->name) {
        free(p);
        return NULL;
    }
    ceiling_init(&p->ceiling, INT64_MAX);
    HASH_ADD_KEYPTR(hh, *table, p->name, name.n, p);
    if (!p->hh.tbl) {
        free(p->name);
        free(p);
        return NULL;
    }
    return p;
}

/* The same after the last one: a table keeps the order in which its parties came, which is the configuration's unless it has changed. So
 * a reload with ten thousand of them looks up few, and the loop does not stand still for it. */
static struct party *party_after(struct party **table, struct party *last, const char *name, size_t size)
{
    struct party *next = last ? last->hh.next : *table;

    return next && strcmp(next->name, name) == 0 ? next : party_find(table, slice_of(name), size);
}

struct tenant_state *tenancy_tenant(struct tenancy *t, struct slice name)
{
    struct tenant_state *ts = (struct tenant_state *)party_find(&t->tenants, name, sizeof(struct tenant_state));

    if (ts && ts->share == 0)
        ts->share = 1;
    return ts;
}

struct vmta_state *tenancy_vmta(struct tenancy *t, struct slice name)
{
    return (struct vmta_state *)party_find(&t->vmtas, name, sizeof(struct vmta_state));
}

struct stream_counters *tenancy_counters(struct tenancy *t, struct tenant_state *tenant, struct vmta_state *vmta)
{
    struct { struct tenant_state *tenant; struct vmta_state *vmta; } key = { tenant, vmta };
    struct stream_counters *c;

    HASH_FIND(hh, t->counters, &key, sizeof key, c);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->tenant = tenant;
    c->vmta = vmta;
    HASH_ADD_KEYPTR(hh, t->counters, &c->tenant, sizeof key, c);
    if (!c->hh.tbl) {
        free(c);
        return NULL;
    }
    return c;
}

static void party_bound(struct party *p, uint64_t pass, int64_t max_connections, struct rate rate, int64_t mono_ms)
{
    p->in_conf = true;
    p->seen = pass;
    ceiling_set_max(&p->ceiling, max_connections);
    bucket_set_rate(&p->bucket, rate, mono_ms);
}

/* Names are unique: where there are as many parties as were seen, none has vanished. */
static void parties_vanish(struct party *table, unsigned seen, uint64_t pass)
{
    struct party *p, *next;

    if (HASH_COUNT(table) == seen)
        return;
    HASH_ITER(hh, table, p, next)
        p->in_conf = p->seen == pass;
}

int tenancy_set_conf(struct tenancy *t, const struct conf *c, int64_t mono_ms)
{
    struct party *tenant = NULL, *vmta = NULL;

    t->pass++;
    for (int i = 0; i < c->tenant_count; i++) {
        const struct conf_tenant *ct = &c->tenants[i];

        tenant = party_after(&t->tenants, tenant, ct->name, sizeof(struct tenant_state));
        if (!tenant)
            return FL_ENOMEM;
        ((struct tenant_state *)tenant)->share = ct->share;
        party_bound(tenant, t->pass, ct->max_connections, ct->max_message_rate, mono_ms);
    }
    for (int i = 0; i < c->vmta_count; i++) {
        const struct conf_vmta *cv = &c->vmtas[i];

        vmta = party_after(&t->vmtas, vmta, cv->name, sizeof(struct vmta_state));
        if (!vmta)
            return FL_ENOMEM;
        party_bound(vmta, t->pass, cv->total_max_connections, cv->total_max_message_rate, mono_ms);
    }
    parties_vanish(t->tenants, (unsigned)c->tenant_count, t->pass);
    parties_vanish(t->vmtas, (unsigned)c->vmta_count, t->pass);
    return 0;
}

static void parties_free(struct party **table)
{
    struct party *p, *next;

    HASH_ITER(hh, *table, p, next) {
        HASH_DELETE(hh, *table, p);
        free(p->name);
        free(p);
    }
}

void tenancy_free(struct tenancy *t)
{
    struct stream_counters *c, *next;

    HASH_ITER(hh, t->counters, c, next) {
        HASH_DELETE(hh, t->counters, c);
        free(c);
    }
    parties_free(&t->tenants);
    parties_free(&t->vmtas);
}
