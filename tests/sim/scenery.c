/* scenery.c: see scenery.h. */
#include "scenery.h"

#include <stdlib.h>

#include "resolver_sim.h"

#define COMMON \
    "server:\n" \
    "  {hostname: relay.sim.test, data_dir: /nowhere, user: '', postmaster: postmaster@acme.example, total_max_connections: 40,\n" \
    "   memory: {ready_recipients: 40}}\n" \
    "defaults:\n" \
    "  {tls: opportunistic, max_connections: 3, max_messages_per_connection: 5, idle_timeout: 5s, ip_families: [ipv4]}\n"
#define LIMITS \
    "  d1.test: {max_recipients_per_message: 2}\n" \
    "  d0.test: {max_connections: 2}\n" \
    "  d2.test: {max_message_rate: 60/m}\n" \
    "  d5.test: {max_connections: 1}\n"
#define OTHER_LIMITS \
    "  d0.test: {max_connections: 1}\n" \
    "  d2.test: {max_message_rate: 120/m}\n" \
    "  d3.test: {max_connections: 2, max_messages_per_connection: 2}\n"
#define VMTAS \
    "vmtas:\n" \
    "  a1: {source_addresses: [192.0.2.1], hostname: a1.acme.example}\n" \
    "  shared: {source_addresses: [192.0.2.9, 192.0.2.10], hostname: shared.sim.test, total_max_connections: 5,\n" \
    "           total_max_message_rate: 240/m}\n" \
    "  g1: {source_addresses: [192.0.2.5], hostname: g1.globex.example}\n"
#define GLOBEX(share) \
    "  globex:\n" \
    "    sender_domains: [globex.example]\n" \
    "    steering_headers: true\n" \
    "    vmtas: [g1, shared]\n" \
    "    route: shared\n" \
    "    routes: [{when: {sender: '*@globex.example'}, to: shared}]\n" \
    "    retry: {first: 1m, factor: 2, max: 10m, jitter: 10%}\n" \
    "    expire_after: 3h\n" \
    "    delivery_pool: {share: " share ", max_connections: 4, max_message_rate: 120/m}\n" \
    "    max_queued: {recipients: 40}\n"
#define INITECH \
    "  initech:\n" \
    "    sender_domains: [initech.example]\n" \
    "    vmtas: [shared]\n" \
    "    route: shared\n" \
    "    retry: 5m\n" \
    "    expire_after: 2d\n" \
    "    max_accept_rate: 30/m\n"
#define ACME(vmtas, to) \
    "  acme:\n" \
    "    sender_domains: [acme.example]\n" \
    "    vmtas: [" vmtas "]\n" \
    "    route: " to "\n" \
    "    retry: [1m, 2m, 5m]\n" \
    "    expire_after: 40m\n" \
    "    steering_headers: true\n"

static const char *const configurations[] = {
    COMMON "domains:\n" LIMITS VMTAS "  a2: {source_addresses: [192.0.2.2], hostname: a2.acme.example}\n"
    "pools:\n  both: {members: {a1: 1, a2: 1}}\n"
    "tenants:\n" ACME("a1, a2, shared", "both") "    pools: [both]\n" GLOBEX("3") INITECH,
    COMMON "domains:\n" LIMITS VMTAS "tenants:\n" ACME("a1, shared", "a1") GLOBEX("3") INITECH, /* a2 is gone */
    COMMON "domains:\n" OTHER_LIMITS VMTAS "tenants:\n" ACME("a1, shared", "a1") GLOBEX("1"), /* initech is gone */
};

_Static_assert(sizeof configurations / sizeof *configurations == SCENERY_CONFS, "one each");

static struct conf *confs[SCENERY_CONFS];

const struct scene_domain scene_domains[SCENE_DOMAINS] = {
    { "d0.test", 0 }, { "d1.test", 1 }, { "d2.test", 2 }, { "d3.test", 3 }, { "d4.test", 3 }, { "d5.test", 4 },
};

const struct scene_sender scene_senders[SCENE_SENDERS] = {
    { "acme", "acme.example" }, { "globex", "globex.example" }, { "initech", "initech.example" },
};

void scenery_load(void)
{
    for (int i = 0; i < SCENERY_CONFS; i++)
        confs[i] = world_conf(configurations[i]);
}

void scenery_unload(void)
{
    for (int i = 0; i < SCENERY_CONFS; i++)
        conf_unref(confs[i]);
}

struct conf *scenery_conf(int i)
{
    return confs[i];
}

/* ---------------------------------------------------------------- hosts */
void scenery_hosts(struct world *w)
{
    static const char *const hosts[][3] = { /* name, address, site */
        { "mx.d0.test", "198.51.100.1", "0" }, { "mx.d1.test", "198.51.100.2", "1" }, { "mx2.d1.test", "198.51.100.3", "1" },
        { "mx.d2.test", "198.51.100.4", "2" }, { "mx.d3.test", "198.51.100.5", "3" }, { "mx.d5.test", "198.51.100.6", "4" },
        { "mx.senders.test", "198.51.100.7", "5" },
    };

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        remote_add(w, hosts[i][0], hosts[i][1], atoi(hosts[i][2]))->latency_ms = 1 + (int64_t)world_below(w, 200);
    dns_mx(w, "d0.test", 10, "mx.d0.test");
    dns_mx(w, "d1.test", 10, "mx.d1.test");
    dns_mx(w, "d1.test", 20, "mx2.d1.test");
    dns_mx(w, "d2.test", 10, "mx.d2.test");
    dns_mx(w, "d3.test", 10, "mx.d3.test");
    dns_mx(w, "d4.test", 10, "mx.d3.test");
    dns_mx(w, "d5.test", 10, "mx.d5.test");
    for (size_t i = 0; i < SCENE_SENDERS; i++)
        dns_mx(w, scene_senders[i].domain, 10, "mx.senders.test");
}

static int some(struct world *w, int most)
{
    return world_dice(w, 500) ? 0 : (int)world_below(w, (uint64_t)most + 1);
}

static void any_mood(struct world *w, struct mood *m)
{
    m->refuses = some(w, 400);
    m->silent = some(w, 200);
    for (int i = 0; i < REMOTE_STAGES; i++) {
        m->no4[i] = some(w, 150);
        m->no5[i] = i == AT_RCPT || i == AT_DOT || i == AT_DATA || i == AT_MAIL ? some(w, 80) : some(w, 20);
        m->closes[i] = some(w, 100);
        m->drops[i] = some(w, 100);
    }
    m->nonsense = some(w, 40);
    m->unasked = some(w, 30);
    m->floods = some(w, 10);
    m->cuts = some(w, 500);
    m->cuts_silently = some(w, 1000);
    m->tls_fails = some(w, 500);
    m->reply_ms = some(w, 3000);
    m->dot_ms = some(w, 1000) ? 0 : (int64_t)world_below(w, 12 * MINUTE_MS);
    m->most_connections = some(w, 3);
}

static void nature(struct world *w, struct mood *m)
{
    m->tls = world_dice(w, 500);
    m->unverified = world_dice(w, 500);
    m->only_helo = world_dice(w, 100);
    m->no_pipelining = world_dice(w, 300);
    m->no_chunking = world_dice(w, 500);
    m->false_chunking = world_dice(w, 50);
    m->eager = world_dice(w, 300);
}

void scenery_new_mood(struct world *w, struct remote *r)
{
    struct mood m = { 0 };

    switch (world_below(w, 8)) {
    case 0:
        m.greylist_ms = 1 + (int64_t)world_below(w, 5 * MINUTE_MS);
        break;
    case 1:
        m.closes[world_below(w, REMOTE_STAGES)] = 700;
        break;
    case 2:
        m.refuses = 1000;
        break;
    case 3:
        m.reply_ms = 1 + (int64_t)world_below(w, 30 * SECOND_MS);
        break;
    case 4:
        m.refused_sender = scene_senders[world_below(w, 3)].domain;
        break;
    case 5:
        break;
    default:
        any_mood(w, &m);
        break;
    }
    nature(w, &m);
    r->mood = m;
    world_tell(w, "%s has another mood", r->name);
}

void scenery_calm(struct world *w)
{
    for (struct remote *r = w->remotes; r; r = r->next)
        r->mood = (struct mood){ .tls = r->mood.tls, .auth = r->mood.auth, .no_pipelining = r->mood.no_pipelining,
                                 .no_chunking = r->mood.no_chunking };
}
