/* themes.c: see themes.h. */
#include "themes.h"

#include <stdio.h>

#include "happen.h"
#include "oracle.h"
#include "relay_view.h"
#include "scenery.h"
#include "shares.h"

enum {
    MESSAGES_OF_NEIGHBOURS = 60, PAUSE_OF_NEIGHBOURS_MS = 2000,
    AT_ONCE_MS = 20 * 1000,   /* what nothing speaks of is gone within that */
    CROWD = 40,               /* messages of each */
    CROWD_MS = 50 * 1000, CROWD_CONNECTIONS = 3,
    ALONE_MS = 20 * 1000,     /* that one of them has the site for itself before the others come back */
};

#define VMTA \
    "vmtas:\n  shared: {source_addresses: [192.0.2.9, 192.0.2.10], hostname: shared.sim.test}\n"
#define SERVER \
    "server: {hostname: relay.sim.test, data_dir: /nowhere, user: '', postmaster: postmaster@acme.example}\n"
#define TENANT(name, share, blocks) \
    "  " name ":\n" \
    "    sender_domains: [" name ".example]\n" \
    "    vmtas: [shared]\n" \
    "    route: shared\n" \
    "    delivery_pool: {share: " share "}\n" \
    "    retry: [1m, 2m, 5m]\n" \
    "    expire_after: 40m\n" \
    "    domains:\n" \
    "      d0.test: {smart_host: {host: '[mx.d0.test]:25', user: " name ", password: secret, allow_plaintext_login: true}}\n" \
    blocks

static const char *const texts[THEMES] = {
    [THEME_NEIGHBOURS] =
        SERVER
        "defaults: {tls: opportunistic, max_connections: 4, max_messages_per_connection: 10, idle_timeout: 5s, ip_families: [ipv4]}\n"
        VMTA "tenants:\n" TENANT("acme", "1", "      d1.test: {tls: verify}\n") TENANT("globex", "3", "") TENANT("initech", "1", ""),
    [THEME_CROWD] =
        SERVER "defaults: {tls: none, max_connections: 3, ip_families: [ipv4]}\n"
        "domains: {d2.test: {max_message_rate: 90/m}, d5.test: {max_connections: 1}}\n"
        VMTA "tenants:\n" TENANT("acme", "1", "") TENANT("globex", "3", "") TENANT("initech", "2", ""),
};

static struct conf *confs[THEMES];

void themes_load(void)
{
    for (int i = 0; i < THEMES; i++)
        confs[i] = world_conf(texts[i]);
}

void themes_unload(void)
{
    for (int i = 0; i < THEMES; i++)
        conf_unref(confs[i]);
}

struct conf *theme_conf(int theme)
{
    return confs[theme];
}

static void send_one(struct world *w, size_t who, const char *domain)
{
    struct submission s = { .tenant = scene_senders[who].tenant, .sender_domain = scene_senders[who].domain, .domains = { domain },
                            .count = 1, .length = (int)world_below(w, 2000) };

    oracle_submit(w->oracle, &s);
}

/* ---------------------------------------------------------------- neighbours */
/* What only the victim, or nobody, may feel. */
static void trouble_for(struct world *w, size_t victim)
{
    remote_of_site(w, 0)->mood.refused_login = scene_senders[victim].tenant;
    remote_of_site(w, 2)->mood.refused_sender = scene_senders[victim].domain;
    remote_of_site(w, 3)->mood.most_connections = 3 + (int)world_below(w, 2); /* of the four that come at once */
    remote_of_site(w, 4)->mood.refused_rcpts_of = scene_senders[victim].domain;
    for (struct remote *r = w->remotes; r; r = r->next) {
        r->latency_ms = 1 + (int64_t)world_below(w, 50);
        r->mood.auth = r->site == 0;
        if (r->site == 1)
            r->mood.tls = r->mood.unverified = true; /* acme demands more of it */
    }
}

static void on_acted(void *arg, int rc, const struct action_answer *answer, const char *text)
{
}

void theme_neighbours(struct world *w)
{
    size_t victim = world_below(w, SCENE_SENDERS);
    struct action hold = { .kind = ACTION_HOLD, .tenant = slice_of(scene_senders[victim].tenant), .state = VIEW_ANY,
                           .who = SLICE("ops") };

    trouble_for(w, victim);
    if (world_dice(w, 200))
        relay_act(w->relay, &hold, on_acted, w);
    for (int i = 0; i < MESSAGES_OF_NEIGHBOURS; i++) {
        size_t who = world_below(w, SCENE_SENDERS);
        const char *domain = scene_domains[world_below(w, SCENE_DOMAINS)].name;

        send_one(w, who, domain);
        world_run(w, (int64_t)world_below(w, PAUSE_OF_NEIGHBOURS_MS));
        oracle_judge_waits(w->oracle, scene_senders[victim].tenant, "acme", "d1.test", AT_ONCE_MS);
    }
    world_run(w, AT_ONCE_MS);
    oracle_judge_waits(w->oracle, scene_senders[victim].tenant, "acme", "d1.test", AT_ONCE_MS);
}

/* ---------------------------------------------------------------- a crowd */
/* All were here, and one went on alone: what the others did not use meanwhile is not theirs now. */
static void comes_back_late(struct world *w, const char *domain)
{
    size_t alone = world_below(w, SCENE_SENDERS);

    for (size_t who = 0; who < SCENE_SENDERS; who++)
        send_one(w, who, domain);
    world_run(w, PAUSE_OF_NEIGHBOURS_MS);
    for (int i = 0; i < CROWD; i++)
        send_one(w, alone, domain);
    world_run(w, ALONE_MS);
}

void theme_crowd(struct world *w)
{
    const char *domain = world_dice(w, 500) ? "d2.test" : "d5.test";
    int64_t latency_ms = 1 + (int64_t)world_below(w, 200);

    for (struct remote *r = w->remotes; r; r = r->next)
        r->latency_ms = latency_ms;
    w->shares = shares_new(w);
    if (world_dice(w, 500))
        comes_back_late(w, domain);
    for (int i = 0; i < CROWD; i++)
        for (size_t who = 0; who < SCENE_SENDERS; who++)
            send_one(w, who, domain);
    world_run(w, CROWD_MS);
    shares_audit(w->shares, 1, CROWD_CONNECTIONS);
    shares_free(w->shares);
    w->shares = NULL;
}
