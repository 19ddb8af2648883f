/* path.c: see path.h. */
#include "path.h"

#include <stdlib.h>

struct path_host *path_host_find(const struct path *p, const struct inet_addr *addr)
{
    for (struct path_host *h = p->hosts; h; h = h->next)
        if (inet_addr_eq(&h->addr, addr))
            return h;
    return NULL;
}

struct path_host *path_host(struct path *p, const struct inet_addr *addr)
{
    struct path_host *h = path_host_find(p, addr);

    if (h)
        return h;
    h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->addr = *addr;
    h->next = p->hosts;
    p->hosts = h;
    return h;
}

int path_target_count(const struct path *p)
{
    const struct site *site = p->key.site;
    int n = 0;

    for (int i = 0; i < site->target_count; i++)
        n += site->targets[i].addr.family == p->key.source.family;
    return n;
}

const struct site_target *path_pick_target(struct path *p, int64_t mono_ms, struct rand *r)
{
    const struct site *site = p->key.site;
    const struct site_target *good = NULL, *last = NULL, *any = NULL;
    const char *host = NULL; /* the equal one that was looked at last */
    uint64_t equals = 0;

    for (int i = 0; i < site->target_count; i++) {
        const struct site_target *t = &site->targets[i];
        const struct path_host *h = path_host_find(p, &t->addr);

        if (good && t->preference != good->preference)
            break;
        if (t->addr.family != p->key.source.family || t->host == host)
            continue;
        if (!any)
            any = t;
        if (h && h->failed_this_round)
            continue;
        if (h && h->last_until_ms > mono_ms) {
            last = last ? last : t;
            continue;
        }
        host = t->host;
        equals++;
        if (rand_below(r, equals) == 0)
            good = t;
    }
    return good ? good : last ? last : any;
}

bool path_is_exhausted(const struct path *p)
{
    const struct site *site = p->key.site;

    for (int i = 0; i < site->target_count; i++) {
        const struct path_host *h = path_host_find(p, &site->targets[i].addr);

        if (site->targets[i].addr.family == p->key.source.family && !(h && h->failed_this_round))
            return false;
    }
    return true;
}

void path_end_round(struct path *p)
{
    for (struct path_host *h = p->hosts; h; h = h->next)
        h->failed_this_round = false;
}

static int count_others(const struct path *p, const struct conn *except, enum conn_state state)
{
    int n = -(except->state == state);

    for (const struct lane *l = p->lanes; l; l = l->next)
        n += l->count[state];
    return n;
}

bool path_others_open(const struct path *p, const struct conn *except)
{
    return count_others(p, except, CONN_OPENING) > 0;
}

bool path_others_work(const struct path *p, const struct conn *except)
{
    return count_others(p, except, CONN_IDLE) + count_others(p, except, CONN_BUSY) > 0;
}
