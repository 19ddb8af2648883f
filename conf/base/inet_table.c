/* inet_table.c: networks → value (inet.h). One hash over (family, prefix, address), looked up once for each prefix length in
 * use: a handful of probes, however many networks a tenant list names. */
#include "inet.h"

#include <stdlib.h>

#include <uthash.h>

#include "err.h"

struct key {
    struct inet_addr addr;
    uint8_t prefix;
};

struct entry {
    struct key key; /* no padding inside: both members are bytes */
    void *value;
    UT_hash_handle hh;
};

enum { PREFIXES = 129 };

struct inet_table {
    struct entry *entries;
    unsigned lengths[2][PREFIXES]; /* how many networks of each prefix length: IPv4, IPv6 */
};

static unsigned *lengths_of(struct inet_table *t, uint8_t family)
{
    return t->lengths[family == 6];
}

struct inet_table *inet_table_new(void)
{
    return calloc(1, sizeof(struct inet_table));
}

void inet_table_free(struct inet_table *t)
{
    struct entry *e, *next;

    if (!t)
        return;
    HASH_ITER(hh, t->entries, e, next)
    {
        HASH_DEL(t->entries, e);
        free(e);
    }
    free(t);
}

int inet_table_add(struct inet_table *t, const struct inet_net *net, void *value)
{
    struct entry *e = calloc(1, sizeof *e), *same;

    if (!e)
        return FL_ENOMEM;
    e->key = (struct key){ net->addr, net->prefix };
    e->value = value;
    HASH_FIND(hh, t->entries, &e->key, sizeof e->key, same);
    if (same) {
        free(e);
        return FL_EEXIST;
    }
    HASH_ADD(hh, t->entries, key, sizeof e->key, e);
    if (!e->hh.tbl) { /* uthash without memory leaves it out */
        free(e);
        return FL_ENOMEM;
    }
    lengths_of(t, net->addr.family)[net->prefix]++;
    return 0;
}

void inet_table_visit(const struct inet_table *t, const struct inet_addr *a, bool (*visit)(void *arg, void *value), void *arg)
{
    if (a->family != 4 && a->family != 6)
        return;
    for (int prefix = a->family == 4 ? 32 : 128; prefix >= 0; prefix--) {
        struct key key;
        struct entry *e;

        if (t->lengths[a->family == 6][prefix] == 0)
            continue;
        key = (struct key){ inet_masked(a, prefix), (uint8_t)prefix };
        HASH_FIND(hh, t->entries, &key, sizeof key, e);
        if (e && !visit(arg, e->value))
            return;
    }
}

static bool keep_first(void *arg, void *value)
{
    *(void **)arg = value;
    return false;
}

void *inet_table_find(const struct inet_table *t, const struct inet_addr *a)
{
    void *value = NULL;

    inet_table_visit(t, a, keep_first, &value);
    return value;
}
