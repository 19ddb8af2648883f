/* auth_guard.c: see auth_guard.h. */
#include "auth_guard.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

enum { IPV6_CLIENT_OCTETS = 8 }; /* a /64 */

struct bucket {
    struct inet_addr client; /* the key: no padding, host bits of IPv6 zero */
    int64_t at_ms;           /* when level was right */
    int64_t level;           /* thousandths of a failure */
    UT_hash_handle hh;
    TAILQ_ENTRY(bucket) by_age;
};

struct auth_guard {
    struct bucket *buckets;
    TAILQ_HEAD(, bucket) oldest; /* the one that failed longest ago first */
    int count;
};

struct auth_guard *auth_guard_new(void)
{
    struct auth_guard *g = calloc(1, sizeof *g);

    if (g)
        TAILQ_INIT(&g->oldest);
    return g;
}

static void forget(struct auth_guard *g, struct bucket *b)
{
    TAILQ_REMOVE(&g->oldest, b, by_age);
    HASH_DEL(g->buckets, b);
    g->count--;
    free(b);
}

void auth_guard_free(struct auth_guard *g)
{
    if (!g)
        return;
    while (!TAILQ_EMPTY(&g->oldest))
        forget(g, TAILQ_FIRST(&g->oldest));
    free(g);
}

static struct inet_addr client_of(const struct inet_addr *a)
{
    struct inet_addr c = *a;

    if (c.family == 6)
        memset(c.b + IPV6_CLIENT_OCTETS, 0, sizeof c.b - IPV6_CLIENT_OCTETS);
    return c;
}

static struct bucket *find(struct auth_guard *g, const struct inet_addr *client)
{
    struct inet_addr key = client_of(client);
    struct bucket *b;

    HASH_FIND(hh, g->buckets, &key, sizeof key, b);
    return b;
}

/* Lets time empty it: count failures in each per_ms. */
static void leak(struct bucket *b, struct rate limit, int64_t now_ms)
{
    int64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    double gone = (double)passed * 1000.0 * (double)limit.count / (double)limit.per_ms;

    b->level = gone >= (double)b->level ? 0 : b->level - (int64_t)gone;
    b->at_ms = now_ms;
}

static struct bucket *make(struct auth_guard *g, const struct inet_addr *client, int64_t now_ms)
{
    struct bucket *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    if (g->count >= AUTH_GUARD_MAX)
        forget(g, TAILQ_FIRST(&g->oldest));
    b->client = client_of(client);
    b->at_ms = now_ms;
    HASH_ADD(hh, g->buckets, client, sizeof b->client, b);
    if (!b->hh.tbl) {
        free(b);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&g->oldest, b, by_age);
    g->count++;
    return b;
}

void auth_guard_failed(struct auth_guard *g, const struct inet_addr *client, struct rate limit, int64_t now_ms)
{
    struct bucket *b;

    if (rate_is_unlimited(limit))
        return;
    b = find(g, client);
    if (!b)
        b = make(g, client, now_ms);
    if (!b)
        return;
    leak(b, limit, now_ms);
    b->level += 1000;
    TAILQ_REMOVE(&g->oldest, b, by_age);
    TAILQ_INSERT_TAIL(&g->oldest, b, by_age);
}

bool auth_guard_is_shut(struct auth_guard *g, const struct inet_addr *client, struct rate limit, int64_t now_ms)
{
    struct bucket *b = rate_is_unlimited(limit) ? NULL : find(g, client);

    if (!b)
        return false;
    leak(b, limit, now_ms);
    if (b->level == 0) {
        forget(g, b);
        return false;
    }
    return b->level >= limit.count * 1000;
}
