/* resolver_sim.c: see resolver_sim.h. */
#include "resolver_sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

enum { NAMES = 64, RECORDS = 8, SLOWEST_MS = 60, TTL_MS = 10 * 60 * 1000, NEGATIVE_TTL_MS = 60 * 1000 };

struct name {
    const char *name;
    enum dns_result mood;
    const char *instead;
    struct dns_mx mx[RECORDS];
    int mx_count;
    struct inet_addr addr[RECORDS];
    int addr_count;
};

struct resolver_query {
    struct resolver *resolver;
    struct timer timer;
    char name[DNS_NAME_SIZE];
    uint8_t families[2];
    void (*mx_done)(void *arg, const struct dns_mx_answer *a);
    void (*addr_done)(void *arg, const struct dns_addr_answer *a);
    void *arg;
};

struct resolver {
    struct world *world;
    struct name names[NAMES];
    int count;
};

struct resolver *resolver_sim_new(struct world *w)
{
    struct resolver *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    r->world = w;
    return r;
}

void resolver_sim_free(struct resolver *r)
{
    free(r);
}

static struct name *find(struct resolver *r, const char *name)
{
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->names[i].name, name) == 0)
            return &r->names[i];
    return NULL;
}

static struct name *get(struct resolver *r, const char *name)
{
    struct name *n = find(r, name);

    if (n)
        return n;
    if (r->count == NAMES)
        abort();
    n = &r->names[r->count++];
    n->name = name;
    n->mood = DNS_OK;
    return n;
}

void dns_mx(struct world *w, const char *domain, int preference, const char *host)
{
    struct name *n = get(w->resolver, domain);
    struct dns_mx *mx = &n->mx[n->mx_count++];

    mx->preference = (uint16_t)preference;
    snprintf(mx->host, sizeof mx->host, "%s", host);
}

void dns_address(struct world *w, const char *host, const char *address)
{
    struct name *n = get(w->resolver, host);

    if (!inet_addr_parse(slice_of(address), &n->addr[n->addr_count++]))
        abort();
}

void dns_moody(struct world *w, const char *name, enum dns_result result)
{
    get(w->resolver, name)->mood = result;
}

void dns_mx_instead(struct world *w, const char *domain, const char *host)
{
    get(w->resolver, domain)->instead = host;
}

void dns_calm(struct world *w)
{
    for (int i = 0; i < w->resolver->count; i++) {
        w->resolver->names[i].mood = DNS_OK;
        w->resolver->names[i].instead = NULL;
    }
}

static const char *text_of(enum dns_result r)
{
    static const char *const texts[] = {
        [DNS_OK] = "", [DNS_NODATA] = "no such record", [DNS_NXDOMAIN] = "no such domain",
        [DNS_FAILED] = "SERVFAIL from the name server", [DNS_TIMEOUT] = "the name server does not answer",
    };

    return texts[r];
}

static enum dns_result result_of(const struct name *n, int count)
{
    if (!n)
        return DNS_NXDOMAIN;
    if (n->mood != DNS_OK)
        return n->mood;
    return count > 0 ? DNS_OK : DNS_NODATA;
}

static void answer_mx(struct resolver_query *q)
{
    const struct name *n = find(q->resolver, q->name);
    enum dns_result result = result_of(n, n ? n->mx_count : 0);
    struct dns_mx other;
    struct dns_mx_answer a = { .result = result, .text = text_of(result),
                                 .ttl_ms = result == DNS_OK ? TTL_MS : NEGATIVE_TTL_MS };

    if (result == DNS_OK) {
        a.mx = n->mx;
        a.count = n->mx_count;
    }
    if (result == DNS_OK && n->instead) {
        other.preference = 0;
        snprintf(other.host, sizeof other.host, "%s", n->instead);
        a.mx = &other;
        a.count = 1;
    }
    oracle_dns(q->resolver->world->oracle, q->name, result, result == DNS_OK ? n->instead : NULL);
    q->mx_done(q->arg, &a);
}

static void answer_addresses(struct resolver_query *q)
{
    const struct name *n = find(q->resolver, q->name);
    enum dns_result result = result_of(n, n ? n->addr_count : 0);
    struct dns_addr_answer a = { .result = result, .text = text_of(result),
                                 .ttl_ms = result == DNS_OK ? TTL_MS : NEGATIVE_TTL_MS };
    struct inet_addr addrs[RECORDS];

    for (int f = 0; f < 2 && result == DNS_OK; f++)
        for (int i = 0; i < n->addr_count; i++)
            if (q->families[f] && n->addr[i].family == q->families[f])
                addrs[a.count++] = n->addr[i];
    if (result == DNS_OK && a.count == 0)
        a.result = DNS_NODATA;
    a.addrs = addrs;
    q->addr_done(q->arg, &a);
}

static void on_time(void *arg)
{
    struct resolver_query *q = arg;

    if (q->mx_done)
        answer_mx(q);
    else
        answer_addresses(q);
    free(q);
}

static struct resolver_query *query(struct resolver *r, struct slice name, void *arg)
{
    struct resolver_query *q = calloc(1, sizeof *q);

    if (!q)
        abort();
    q->resolver = r;
    q->arg = arg;
    snprintf(q->name, sizeof q->name, "%.*s", SLICE_ARG(name));
    timer_init(&q->timer, on_time, q);
    (void)timer_set(&r->world->events, &q->timer,
                    r->world->now.mono_ms + (r->world->plain ? 0 : (int64_t)world_below(r->world, SLOWEST_MS)));
    return q;
}

struct resolver_query *resolver_mx(struct resolver *r, struct slice domain,
                                   void (*done)(void *arg, const struct dns_mx_answer *a), void *arg)
{
    struct resolver_query *q = query(r, domain, arg);

    q->mx_done = done;
    return q;
}

struct resolver_query *resolver_addr(struct resolver *r, struct slice host, const uint8_t families[2],
                                     void (*done)(void *arg, const struct dns_addr_answer *a), void *arg)
{
    struct resolver_query *q = query(r, host, arg);

    q->addr_done = done;
    memcpy(q->families, families, sizeof q->families);
    return q;
}

void resolver_cancel(struct resolver_query *q)
{
    timer_stop(&q->resolver->world->events, &q->timer);
    free(q);
}
