/* mx.c: preference, chance among equals, families, and ourselves left out. */
#include "mx.h"

#include <string.h>

enum mx_result mx_judge(const struct dns_mx *mx, int count)
{
    bool has_root = false, has_host = false;

    for (int i = 0; i < count; i++) {
        if (mx[i].host[0])
            has_host = true;
        else
            has_root = true;
    }
    if (has_host)
        return MX_OK;
    return has_root ? MX_NULL : MX_NONE;
}

static bool is_listed(const struct mx_host *hosts, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(hosts[i].name, name))
            return true;
    return false;
}

/* Insertion keeps what came first first among equals; what comes in is shuffled. At most DNS_MX_MAX records. */
static void insert_by_preference(struct mx_host *hosts, int count, const struct dns_mx *mx)
{
    int at = count;

    while (at > 0 && hosts[at - 1].preference > mx->preference) {
        hosts[at] = hosts[at - 1];
        at--;
    }
    hosts[at] = (struct mx_host){ .preference = mx->preference, .name = mx->host };
}

int mx_sort(const struct dns_mx *mx, int count, struct rand *r, struct mx_host *ret)
{
    int order[MX_HOSTS_MAX], n = 0;

    if (count > MX_HOSTS_MAX)
        count = MX_HOSTS_MAX;
    for (int i = 0; i < count; i++) {
        int j = (int)rand_below(r, (uint64_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < count; i++) {
        const struct dns_mx *m = &mx[order[i]];

        if (!m->host[0])
            continue;
        insert_by_preference(ret, n, m);
        n++;
    }
    /* A name that is listed twice keeps its better place. */
    int kept = 0;

    for (int i = 0; i < n; i++)
        if (!is_listed(ret, kept, ret[i].name))
            ret[kept++] = ret[i];
    return kept;
}

static bool is_own_addr(const struct mx_guard *g, const struct inet_addr *a)
{
    char text[INET_TEXT];

    if (inet_is_unspecified(a) || conf_is_own_listener(g->conf, a, g->port))
        return true;
    if (inet_is_loopback(a))
        return !g->allow_loopback;
    inet_addr_text(a, text);
    return conf_is_own_name(g->conf, slice_of(text));
}

bool mx_is_ourselves(const struct mx_guard *guard, const struct mx_host *host)
{
    if (guard->smart_host)
        return false;
    if (!host->name_is_address && conf_is_own_name(guard->conf, slice_of(host->name)))
        return true;
    for (int i = 0; i < host->addr_count; i++)
        if (is_own_addr(guard, &host->addrs[i]))
            return true;
    return false;
}

/* How many hosts, of a list in order, are more preferred than we are (RFC 5321 5.1: the rest is thrown away). */
static int more_preferred(const struct mx_host *hosts, int count, const struct mx_guard *guard)
{
    int usable = count;

    for (int i = 0; i < count; i++) {
        if (!mx_is_ourselves(guard, &hosts[i]))
            continue;
        usable = i;
        while (usable > 0 && hosts[usable - 1].preference >= hosts[i].preference)
            usable--;
        break;
    }
    return usable;
}

/* The host's addresses of one family, in random order, behind what *n says. */
static void add_family(const struct mx_host *hosts, int host, uint8_t family, struct rand *r, struct mx_target *ret, int max,
                       int *n)
{
    int first = *n;

    for (int i = 0; i < hosts[host].addr_count && *n < max; i++) {
        if (hosts[host].addrs[i].family != family)
            continue;
        int j = first + (int)rand_below(r, (uint64_t)(*n - first) + 1);

        ret[*n] = ret[j];
        ret[j] = (struct mx_target){ .addr = hosts[host].addrs[i], .host = host };
        (*n)++;
    }
}

enum mx_result mx_targets(const struct mx_host *hosts, int count, const uint8_t families[2], const struct mx_guard *guard,
                          struct rand *r, struct mx_target *ret, int max, int *ret_count)
{
    int usable = more_preferred(hosts, count, guard);
    int n = 0;

    if (count > 0 && usable == 0)
        return MX_LOOP;
    for (int i = 0; i < usable; i++)
        for (int f = 0; f < 2; f++)
            if (families[f] && !(f == 1 && families[1] == families[0]))
                add_family(hosts, i, families[f], r, ret, max, &n);
    if (n == 0)
        return MX_NONE;
    *ret_count = n;
    return MX_OK;
}

void mx_bad_last(struct mx_target *targets, int count, bool (*is_bad)(void *arg, const struct inet_addr *addr), void *arg)
{
    struct mx_target bad[MX_TARGETS_MAX];
    int good = 0, bad_n = 0;

    for (int i = 0; i < count; i++) {
        if (bad_n < MX_TARGETS_MAX && is_bad(arg, &targets[i].addr))
            bad[bad_n++] = targets[i];
        else
            targets[good++] = targets[i];
    }
    memcpy(targets + good, bad, (size_t)bad_n * sizeof *bad);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_text(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u; /* an end that no name contains */
}

uint64_t mx_site_key(const struct mx_host *hosts, int count)
{
    const char *names[MX_HOSTS_MAX];
    uint64_t h = 14695981039346656037u;
    int n = 0;

    if (count > MX_HOSTS_MAX)
        count = MX_HOSTS_MAX;
    for (int i = 0; i < count; i++) {
        int at = n;

        while (at > 0 && strcmp(names[at - 1], hosts[i].name) > 0)
            at--;
        if (at > 0 && !strcmp(names[at - 1], hosts[i].name))
            continue;
        memmove(names + at + 1, names + at, (size_t)(n - at) * sizeof *names);
        names[at] = hosts[i].name;
        n++;
    }
    for (int i = 0; i < n; i++)
        h = hash_text(h, names[i]);
    return h;
}
