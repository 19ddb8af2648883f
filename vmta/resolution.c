/* resolution.c: see resolution.h. One look-up: MX of the domain, then the addresses of its hosts, side by side; each answer is copied, and the
 * last one that comes in makes the list. */
#include "resolution.h"

#include <assert.h>
#include <stdlib.h>

enum {
    HOSTS_ASKED = 16,                 /* hosts of a list whose addresses are looked up */
    TTL_SHORTEST_MS = 30 * SECOND_MS, /* a TTL of zero does not make a look-up a message */
    TTL_LONGEST_MS = HOUR_MS,
};

struct asked_host {
    struct resolution *resolution;
    struct resolver_query *query;
    char name[DNS_NAME_SIZE];
    uint16_t preference;
    enum dns_result result;
    struct inet_addr addrs[DNS_ADDR_MAX];
    int addr_count;
};

struct resolution {
    struct sites *sites;
    struct queue *queue;
    struct resolver_query *query;     /* of the MX */
    int64_t ttl_ms;
    bool is_fallback;                 /* no MX: the domain's own addresses */
    bool for_the_guard;               /* second round, with both families: is it a host of ours that we cannot reach? */
    int waiting;                      /* hosts whose answer is out */
    int host_count;
    struct asked_host host[HOSTS_ASKED];
};

static const struct smart_host *smart_host_of(const struct queue *q)
{
    return q->policy.value[SET_SMART_HOST]->smart_host;
}

/* The families that both the policy and the VMTA's source addresses have. */
static void families_of(const struct queue *q, uint8_t ret[2])
{
    const uint8_t *order = q->policy.value[SET_IP_FAMILIES]->families.order;
    int n = 0;

    ret[0] = ret[1] = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < q->vmta->source_count && order[i]; k++)
            if (q->vmta->sources[k].family == order[i]) {
                ret[n++] = order[i];
                break;
            }
}

static void resolution_free(struct resolution *r)
{
    r->queue->resolution = NULL;
    if (r->query)
        resolver_cancel(r->query);
    for (int i = 0; i < r->host_count; i++)
        if (r->host[i].query)
            resolver_cancel(r->host[i].query);
    free(r);
}

/* ---------------------------------------------------------------- the end of a look-up */
static void fail(struct resolution *r, enum outcome_dns kind, const char *text)
{
    struct queue *q = r->queue;
    struct sites *s = r->sites;
    int64_t wall = s->now->wall_ms;
    struct outcome o;
    struct reply reply;

    if (kind == OUTCOME_DNS_NXDOMAIN || kind == OUTCOME_DNS_NO_HOST) {
        o = outcome_of_dns(kind, q->first_nxdomain_ms ? wall - q->first_nxdomain_ms : -1, &reply);
        if (!q->first_nxdomain_ms)
            q->first_nxdomain_ms = wall;
    } else {
        o = outcome_of_dns(kind, -1, &reply);
    }
    if (text && *text)
        reply_set(&reply, 0, reply.enhanced, slice_of(text));
    q->resolve = o.verdict == OUTCOME_BOUNCED ? RESOLVE_BOUNCE : RESOLVE_NEEDED;
    resolution_free(r);
    s->resolved(s->arg, q, &o, &reply);
}

static int64_t bounded_ttl(int64_t ttl_ms)
{
    return ttl_ms < TTL_SHORTEST_MS ? TTL_SHORTEST_MS : ttl_ms > TTL_LONGEST_MS ? TTL_LONGEST_MS : ttl_ms;
}

/* Gives the queue the site of these hosts, with a fresh list. */
static int arrive(struct sites *s, struct queue *q, const struct mx_host *hosts, int host_count, const struct mx_target *targets,
                  int count, int64_t ttl_ms)
{
    const struct smart_host *smart = smart_host_of(q);
    struct site_key key = {
        .hosts = mx_site_key(hosts, host_count),
        .port = smart ? smart->port : (uint16_t)policy_number(&q->policy, SET_PORT),
        .smart_host = smart != NULL,
        .allow_loopback = policy_flag(&q->policy, SET_ALLOW_LOOPBACK),
    };
    struct site *site;

    families_of(q, key.families);
    site = site_get(s, &key);
    if (!site)
        return FL_ENOMEM;
    if (site_fill(site, hosts, host_count, targets, count) < 0) {
        site_unref(s, site);
        return FL_ENOMEM;
    }
    site->expires_ms = s->now->mono_ms + bounded_ttl(ttl_ms);
    if (q->site)
        site_unref(s, q->site);
    q->site = site;
    q->resolve = RESOLVE_DONE;
    q->first_nxdomain_ms = 0;
    return 0;
}

static enum outcome_dns why_no_host(const struct resolution *r)
{
    bool all_nxdomain = r->host_count > 0;

    for (int i = 0; i < r->host_count; i++) {
        if (r->host[i].result == DNS_FAILED || r->host[i].result == DNS_TIMEOUT)
            return OUTCOME_DNS_FAILED;
        all_nxdomain = all_nxdomain && r->host[i].result == DNS_NXDOMAIN;
    }
    return all_nxdomain && r->is_fallback ? OUTCOME_DNS_NXDOMAIN : OUTCOME_DNS_NO_HOST;
}

static void ask_addresses(struct resolution *r);

/* A host without an address that we can use may still be ourselves, by an address of the family that the VMTA lacks: a loop, and
 * not a fault that passes. Asks for both families, once. False: nothing more is to be learnt. */
static bool ask_for_the_guard(struct resolution *r, const uint8_t families[2], const struct mx_guard *guard)
{
    if (r->for_the_guard || guard->smart_host || (families[0] && families[1]) || why_no_host(r) != OUTCOME_DNS_NO_HOST)
        return false;
    r->for_the_guard = true;
    ask_addresses(r);
    return true;
}

static void finish(struct resolution *r)
{
    struct sites *s = r->sites;
    struct queue *q = r->queue;
    const struct smart_host *smart = smart_host_of(q);
    struct mx_host hosts[HOSTS_ASKED];
    struct mx_target targets[MX_TARGETS_MAX];
    struct mx_guard guard = {
        .conf = q->conf,
        .port = smart ? smart->port : (uint16_t)policy_number(&q->policy, SET_PORT),
        .allow_loopback = policy_flag(&q->policy, SET_ALLOW_LOOPBACK),
        .smart_host = smart != NULL,
    };
    int64_t ttl = r->ttl_ms;
    uint8_t families[2];
    enum mx_result result;
    int count;

    for (int i = 0; i < r->host_count; i++)
        hosts[i] = (struct mx_host){ r->host[i].preference, r->host[i].name, false, r->host[i].addrs, r->host[i].addr_count };
    families_of(q, families);
    result = mx_targets(hosts, r->host_count, families, &guard, s->rand, targets, MX_TARGETS_MAX, &count);
    if (result == MX_LOOP) {
        fail(r, OUTCOME_DNS_LOOP, NULL);
    } else if (result != MX_OK) {
        if (!ask_for_the_guard(r, families, &guard))
            fail(r, why_no_host(r), NULL);
    } else if (arrive(s, q, hosts, r->host_count, targets, count, ttl) < 0) {
        fail(r, OUTCOME_DNS_FAILED, "out of memory");
    } else {
        resolution_free(r);
        s->resolved(s->arg, q, NULL, NULL);
    }
}

/* ---------------------------------------------------------------- addresses */
static void on_addresses(void *arg, const struct dns_addr_answer *a)
{
    struct asked_host *h = arg;
    struct resolution *r = h->resolution;

    h->query = NULL;
    h->result = a->result;
    h->addr_count = a->result == DNS_OK ? (a->count < DNS_ADDR_MAX ? a->count : DNS_ADDR_MAX) : 0;
    if (h->addr_count)
        memcpy(h->addrs, a->addrs, (size_t)h->addr_count * sizeof *h->addrs);
    if (a->ttl_ms < r->ttl_ms)
        r->ttl_ms = a->ttl_ms;
    if (--r->waiting == 0)
        finish(r);
}

static void ask_addresses(struct resolution *r)
{
    uint8_t families[2] = { 4, 6 };

    if (!r->for_the_guard)
        families_of(r->queue, families);
    r->waiting = r->host_count;
    for (int i = 0; i < r->host_count; i++) {
        struct asked_host *h = &r->host[i];

        h->resolution = r;
        h->query = resolver_addr(r->sites->resolver, slice_of(h->name), families, on_addresses, h);
        if (!h->query) {
            h->result = DNS_FAILED;
            r->waiting--;
        }
    }
    if (r->waiting == 0)
        fail(r, OUTCOME_DNS_FAILED, "the look-up could not be begun");
}

static void add_host(struct resolution *r, const char *name, uint16_t preference)
{
    struct asked_host *h = &r->host[r->host_count++];
    size_t n = strlen(name);

    assert(n < sizeof h->name);
    memcpy(h->name, name, n + 1);
    h->preference = preference;
}

static void ask_own_addresses(struct resolution *r, struct slice domain)
{
    char name[DNS_NAME_SIZE];

    if (domain.n >= sizeof name) {
        fail(r, OUTCOME_DNS_NO_HOST, NULL);
        return;
    }
    memcpy(name, domain.p, domain.n);
    name[domain.n] = '\0';
    r->is_fallback = true;
    add_host(r, name, 0);
    ask_addresses(r);
}

/* ---------------------------------------------------------------- MX */
static struct slice domain_of(const struct queue *q)
{
    const struct smart_host *smart = smart_host_of(q);

    return smart ? slice_of(smart->host) : q->key.domain;
}

static void on_mx_records(struct resolution *r, const struct dns_mx_answer *a)
{
    struct mx_host hosts[MX_HOSTS_MAX];
    enum mx_result result = mx_judge(a->mx, a->count);
    int n;

    if (result == MX_NULL) {
        fail(r, OUTCOME_DNS_NULL_MX, NULL);
        return;
    }
    n = result == MX_OK ? mx_sort(a->mx, a->count, r->sites->rand, hosts) : 0;
    for (int i = 0; i < n && i < HOSTS_ASKED; i++)
        add_host(r, hosts[i].name, hosts[i].preference);
    if (r->host_count == 0)
        fail(r, OUTCOME_DNS_NO_HOST, NULL);
    else
        ask_addresses(r);
}

static void on_mx(void *arg, const struct dns_mx_answer *a)
{
    struct resolution *r = arg;

    r->query = NULL;
    r->ttl_ms = a->ttl_ms;
    switch (a->result) {
    case DNS_OK:
        on_mx_records(r, a);
        break;
    case DNS_NODATA:
        if (policy_flag(&r->queue->policy, SET_NO_MX_FALLBACK))
            ask_own_addresses(r, domain_of(r->queue));
        else
            fail(r, OUTCOME_DNS_NO_HOST, NULL);
        break;
    case DNS_NXDOMAIN:
        /* dns.hosts answers for addresses of names that the DNS does not have */
        if (conf_host(r->queue->conf, domain_of(r->queue)))
            ask_own_addresses(r, domain_of(r->queue));
        else
            fail(r, OUTCOME_DNS_NXDOMAIN, a->text);
        break;
    default:
        fail(r, OUTCOME_DNS_FAILED, a->text);
    }
}

static int resolve_literal(struct sites *s, struct queue *q, const struct smart_host *smart)
{
    struct mx_host host = { 0, smart->host, true, &smart->addr, 1 };
    struct mx_target target = { smart->addr, 0 };
    int rc = arrive(s, q, &host, 1, &target, 1, TTL_LONGEST_MS);

    if (rc == 0)
        s->resolved(s->arg, q, NULL, NULL);
    return rc;
}

int sites_resolve(struct sites *s, struct queue *q)
{
    const struct smart_host *smart = smart_host_of(q);
    struct resolution *r;

    assert(!q->resolution);
    if (smart && smart->addr.family)
        return resolve_literal(s, q, smart);
    r = calloc(1, sizeof *r);
    if (!r)
        return FL_ENOMEM;
    r->sites = s;
    r->queue = q;
    r->ttl_ms = TTL_LONGEST_MS;
    q->resolution = r;
    q->resolve = RESOLVE_ASKING;
    if (smart && smart->is_literal) {
        ask_own_addresses(r, slice_of(smart->host));
        return 0;
    }
    r->query = resolver_mx(s->resolver, domain_of(q), on_mx, r);
    if (!r->query) {
        q->resolve = RESOLVE_NEEDED;
        resolution_free(r);
        return FL_ENOMEM;
    }
    return 0;
}

void sites_forget(struct sites *s, struct queue *q)
{
    if (q->resolution)
        resolution_free(q->resolution);
    if (q->site)
        site_unref(s, q->site);
    q->site = NULL;
    q->resolve = RESOLVE_NEEDED;
}
