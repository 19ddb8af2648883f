/* site.c: see site.h. */
#include "site.h"

#include <stdlib.h>

struct site *site_get(struct sites *s, const struct site_key *key)
{
    struct site *site;

    HASH_FIND(hh, s->by_key, key, sizeof *key, site);
    if (site)
        return site_ref(site);
    site = calloc(1, sizeof *site);
    if (!site)
        return NULL;
    site->key = *key;
    site->refs = 1;
    HASH_ADD(hh, s->by_key, key, sizeof site->key, site);
    if (!site->hh.tbl) {
        free(site);
        return NULL;
    }
    return site;
}

struct site *site_ref(struct site *site)
{
    site->refs++;
    return site;
}

void site_unref(struct sites *s, struct site *site)
{
    if (--site->refs > 0)
        return;
    HASH_DELETE(hh, s->by_key, site);
    free(site->targets);
    free(site->store);
    free(site);
}

void sites_free(struct sites *s)
{
    struct site *site, *next;

    HASH_ITER(hh, s->by_key, site, next)
    {
        site->refs = 1;
        site_unref(s, site);
    }
}

int site_fill(struct site *site, const struct mx_host *hosts, int host_count, const struct mx_target *targets, int count)
{
    size_t bytes = 0;
    struct site_target *list = calloc((size_t)count, sizeof *list);
    char *store, *at;

    for (int i = 0; i < host_count; i++)
        bytes += strlen(hosts[i].name) + 1;
    store = at = malloc(bytes + 1);
    if (!list || !store) {
        free(list);
        free(store);
        return FL_ENOMEM;
    }
    for (int h = 0; h < host_count; h++) {
        size_t n = strlen(hosts[h].name) + 1;

        memcpy(at, hosts[h].name, n);
        for (int i = 0; i < count; i++)
            if (targets[i].host == h)
                list[i] = (struct site_target){ targets[i].addr, at, hosts[h].name_is_address, hosts[h].preference };
        at += n;
    }
    free(site->targets);
    free(site->store);
    site->targets = list;
    site->target_count = count;
    site->store = store;
    site->version++;
    return 0;
}
