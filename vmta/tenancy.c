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

static void party_bound(struct party *p, int64_t max_connections, struct rate rate, int64_t mono_ms)
{
    p->in_conf = true;
    ceiling_set_max(&p->ceiling, max_connections);
    bucket_set_rate(&p->bucket, rate, mono_ms);
}

int tenancy_set_conf(struct tenancy *t, const struct conf *c, int64_t mono_ms)
{
    struct party *p, *next;

    HASH_ITER(hh, t->tenants, p, next)
        p->in_conf = false;
    HASH_ITER(hh, t->vmtas, p, next)
        p->in_conf = false;
    for (int i = 0; i < c->tenant_count; i++) {
        const struct conf_tenant *ct = &c->tenants[i];
        struct tenant_state *ts = tenancy_tenant(t, slice_of(ct->name));

        if (!ts)
            return FL_ENOMEM;
        ts->share = ct->share;
        party_bound(&ts->party, ct->max_connections, ct->max_message_rate, mono_ms);
    }
    for (int i = 0; i < c->vmta_count; i++) {
        const struct conf_vmta *cv = &c->vmtas[i];
        struct vmta_state *vs = tenancy_vmta(t, slice_of(cv->name));

        if (!vs)
            return FL_ENOMEM;
        party_bound(&vs->party, cv->total_max_connections, cv->total_max_message_rate, mono_ms);
    }
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
