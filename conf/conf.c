/* conf.c: the life of struct conf, and look-ups in it (conf.h). Pure; any thread. */
#include "conf_private.h"

#include <assert.h>
#include <stdlib.h>

#include "domain.h"
#include "err.h"

enum { CONF_ARENA = 16384, SECRETS_ARENA = 1024 };

struct conf *conf_new(void)
{
    struct arena *arena = arena_new(CONF_ARENA), *secrets = arena_new(SECRETS_ARENA);
    struct conf *c = arena ? arena_alloc(arena, sizeof *c) : NULL;
    struct conf_private *p = c ? arena_alloc(arena, sizeof *p) : NULL;

    if (!p || !secrets) {
        arena_free(arena);
        arena_free(secrets);
        return NULL;
    }
    p->arena = arena;
    p->secrets = secrets;
    atomic_init(&p->refs, 1);
    c->private = p;
    return c;
}

struct conf *conf_ref(struct conf *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->private->refs, 1, memory_order_relaxed);
    return c;
}

void conf_unref(struct conf *c)
{
    struct conf_private *p = c ? c->private : NULL;

    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (struct kept_pattern *k = p->patterns; k; k = k->next)
        pattern_free(k->pattern);
    inet_table_free(p->source_table);
    arena_wipe(p->secrets);
    arena_free(p->arena); /* c and p lie in it */
}

int conf_keep_pattern(struct conf *c, struct pattern *pattern)
{
    struct kept_pattern *k = arena_alloc(c->private->arena, sizeof *k);

    if (!k) {
        pattern_free(pattern);
        return FL_ENOMEM;
    }
    k->pattern = pattern;
    k->next = c->private->patterns;
    c->private->patterns = k;
    return 0;
}

/* The elements begin with a name each, and are sorted by it. */
static const void *find_named(struct slice name, const void *base, int count, size_t size)
{
    int low = 0, high = count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        const void *at = (const char *)base + (size_t)middle * size;
        int c = slice_cmp(name, slice_of(*(const char *const *)at));

        if (c == 0)
            return at;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct conf_tenant *conf_tenant(const struct conf *c, struct slice name)
{
    return find_named(name, c->tenants, c->tenant_count, sizeof *c->tenants);
}

const struct conf_vmta *conf_vmta(const struct conf *c, struct slice name)
{
    return find_named(name, c->vmtas, c->vmta_count, sizeof *c->vmtas);
}

const struct conf_pool *conf_pool(const struct conf *c, struct slice name)
{
    return find_named(name, c->pools, c->pool_count, sizeof *c->pools);
}

const struct conf_host *conf_host(const struct conf *c, struct slice name)
{
    return find_named(name, c->dns.hosts, c->dns.host_count, sizeof *c->dns.hosts);
}

static int compare_user_name(const void *key, const void *at)
{
    return slice_cmp(*(const struct slice *)key, slice_of((*(const struct conf_user *const *)at)->name));
}

static int compare_user_sha256(const void *key, const void *at)
{
    return memcmp(key, (*(const struct conf_user *const *)at)->cert_sha256, 32);
}

static int compare_user_dns(const void *key, const void *at)
{
    return slice_cmp(*(const struct slice *)key, slice_of((*(const struct conf_user *const *)at)->cert_dns));
}

static const struct conf_user *find_user(const void *key, const struct conf_user *const *users, int count,
                                         int (*compare)(const void *, const void *))
{
    const struct conf_user *const *at = count ? bsearch(key, users, (size_t)count, sizeof *users, compare) : NULL;

    return at ? *at : NULL;
}

const struct conf_user *conf_user(const struct conf *c, struct slice name)
{
    return find_user(&name, c->private->users, c->private->user_count, compare_user_name);
}

const struct conf_user *conf_user_by_sha256(const struct conf *c, const uint8_t sha256[32])
{
    return find_user(sha256, c->private->users_by_sha256, c->private->sha256_count, compare_user_sha256);
}

const struct conf_user *conf_user_by_dns(const struct conf *c, struct slice dns_name)
{
    return find_user(&dns_name, c->private->users_by_dns, c->private->dns_count, compare_user_dns);
}

const struct conf_source *conf_source(const struct conf *c, const struct inet_addr *client)
{
    const struct conf_source *s = c->private->source_table ? inet_table_find(c->private->source_table, client) : NULL;

    return s ? s : &c->private->strict;
}

bool conf_is_relay_recipient(const struct conf *c, struct slice address, struct slice domain)
{
    for (int i = 0; i < c->relay_domain_count; i++)
        if (domain_matches(slice_of(c->relay_domains[i]), domain))
            return true;
    for (int i = 0; i < c->relay_address_count; i++) {
        const struct relay_address *r = &c->relay_addresses[i];

        if (r->pattern ? pattern_match(r->pattern, address) == PATTERN_YES : slice_eq(address, slice_of(r->exact)))
            return true;
    }
    return false;
}

bool conf_is_own_name(const struct conf *c, struct slice canonical_name)
{
    return find_named(canonical_name, c->private->own_names, c->private->own_name_count, sizeof *c->private->own_names) != NULL;
}

/* A listener on all addresses of a family is ours at each of them that could be this machine's: loopback and source addresses.
 */
static bool endpoint_holds(const struct conf *c, const struct inet_endpoint *e, const struct inet_addr *addr, uint16_t port)
{
    if (e->port != port || e->addr.family != addr->family)
        return false;
    if (inet_addr_eq(&e->addr, addr))
        return true;
    if (!inet_is_unspecified(&e->addr))
        return false;
    if (inet_is_loopback(addr) || inet_is_unspecified(addr))
        return true;
    for (int i = 0; i < c->vmta_count; i++)
        for (int j = 0; j < c->vmtas[i].source_count; j++)
            if (inet_addr_eq(&c->vmtas[i].sources[j], addr))
                return true;
    return false;
}

bool conf_is_own_listener(const struct conf *c, const struct inet_addr *addr, uint16_t port)
{
    for (int i = 0; i < c->listener_count; i++)
        if (endpoint_holds(c, &c->listeners[i].endpoint, addr, port))
            return true;
    return false;
}

bool tenant_may_use_vmta(const struct conf_tenant *t, const struct conf_vmta *v)
{
    for (int i = 0; i < t->vmta_count; i++)
        if (t->vmtas[i] == v)
            return true;
    return false;
}

bool tenant_may_use_pool(const struct conf_tenant *t, const struct conf_pool *p)
{
    for (int i = 0; i < t->pool_count; i++)
        if (t->pools[i] == p)
            return true;
    return false;
}

bool tenant_may_send_as(const struct conf_tenant *t, struct slice domain)
{
    for (int i = 0; i < t->sender_domain_count; i++)
        if (domain_matches(slice_of(t->sender_domains[i]), domain))
            return true;
    return false;
}
