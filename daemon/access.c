/* access.c: see access.h. */
#include "access.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

/* A network, or a client as a network of one. Lives as long as it counts something. */
struct counted {
    struct inet_net net;
    int64_t count;
    UT_hash_handle hh;
};

struct access {
    int64_t count;
    struct counted *networks, *clients;
};

struct access *access_new(void)
{
    return calloc(1, sizeof(struct access));
}

static void free_all(struct counted **table)
{
    struct counted *c, *next;

    HASH_ITER(hh, *table, c, next) {
        HASH_DEL(*table, c);
        free(c);
    }
}

void access_free(struct access *a)
{
    if (!a)
        return;
    free_all(&a->networks);
    free_all(&a->clients);
    free(a);
}

static struct inet_net network_of_one(const struct inet_addr *client)
{
    return (struct inet_net){ .addr = *client, .prefix = client->family == 6 ? 128 : 32 };
}

static int64_t count_of(struct counted *table, const struct inet_net *net)
{
    struct counted *c;

    HASH_FIND(hh, table, net, sizeof *net, c);
    return c ? c->count : 0;
}

static bool count_up(struct counted **table, const struct inet_net *net)
{
    struct counted *c;

    HASH_FIND(hh, *table, net, sizeof *net, c);
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            return false;
        c->net = *net;
        HASH_ADD(hh, *table, net, sizeof c->net, c);
        if (!c->hh.tbl) {
            free(c);
            return false;
        }
    }
    c->count++;
    return true;
}

static void count_down(struct counted **table, const struct inet_net *net)
{
    struct counted *c;

    HASH_FIND(hh, *table, net, sizeof *net, c);
    assert(c);
    if (--c->count > 0)
        return;
    HASH_DEL(*table, c);
    free(c);
}

static enum access_verdict judge(const struct access *a, const struct conf *conf, const struct conf_source *source,
                                 const struct access_ticket *t)
{
    struct inet_net client = network_of_one(&t->client);

    if (a->count >= conf->server.total_max_connections * 3 / 4)
        return ACCESS_FULL;
    if (count_of(a->networks, &t->network) >= source->max_connections)
        return ACCESS_NETWORK_FULL;
    if (count_of(a->clients, &client) >= source->max_connections_per_ip)
        return ACCESS_CLIENT_FULL;
    return ACCESS_YES;
}

enum access_verdict access_enter(struct access *a, const struct conf *conf, const struct inet_addr *client,
                                 struct access_ticket *ret)
{
    const struct conf_source *source = conf_source(conf, client);
    const struct access_ticket t = { .client = *client, .network = source->network };
    struct inet_net one = network_of_one(client);
    enum access_verdict v = judge(a, conf, source, &t);

    if (v != ACCESS_YES)
        return v;
    if (!count_up(&a->networks, &t.network))
        return ACCESS_NO_MEMORY;
    if (!count_up(&a->clients, &one)) {
        count_down(&a->networks, &t.network);
        return ACCESS_NO_MEMORY;
    }
    a->count++;
    *ret = t;
    return ACCESS_YES;
}

void access_leave(struct access *a, const struct access_ticket *t)
{
    struct inet_net one = network_of_one(&t->client);

    a->count--;
    count_down(&a->networks, &t->network);
    count_down(&a->clients, &one);
}

const char *access_verdict_text(enum access_verdict v)
{
    static const char *const texts[] = {
        [ACCESS_YES] = "may connect",
        [ACCESS_FULL] = "server.total_max_connections is reached",
        [ACCESS_NETWORK_FULL] = "max_connections of its network is reached",
        [ACCESS_CLIENT_FULL] = "max_connections_per_ip is reached",
        [ACCESS_NO_MEMORY] = "out of memory",
    };

    return texts[v];
}

int64_t access_count(const struct access *a)
{
    return a->count;
}
