/* happen.c: see happen.h. */
#include "happen.h"

#include <stdlib.h>

#include "oracle.h"
#include "relay_view.h"
#include "resolver_sim.h"
#include "scenery.h"

enum { LONG_CLOCK_STEP_DAYS = 365 };

static void submit(struct world *w)
{
    size_t who = world_below(w, 3);
    struct submission s = {
        .tenant = scene_senders[who].tenant, .sender_domain = scene_senders[who].domain, .count = 1 + (int)world_below(w, 4),
        .job = world_dice(w, 200) ? "j1" : NULL,
        .length = world_dice(w, 100) ? (int)world_below(w, 100000) : (int)world_below(w, 2000),
    };

    for (int i = 0; i < s.count; i++)
        s.domains[i] = scene_domains[world_below(w, SCENE_DOMAINS)].name;
    oracle_submit(w->oracle, &s);
}

static void any_host(struct world *w)
{
    struct remote *r = w->remotes;

    for (uint64_t n = world_below(w, 7); n > 0 && r->next; n--)
        r = r->next;
    scenery_new_mood(w, r);
}

static void any_name(struct world *w)
{
    static const enum dns_result results[] = { DNS_OK, DNS_OK, DNS_FAILED, DNS_TIMEOUT, DNS_NXDOMAIN };
    static const char *const hosts[] = { NULL, NULL, "", "relay.sim.test", "mx.d3.test" };
    const char *name = scene_domains[world_below(w, SCENE_DOMAINS)].name, *host = hosts[world_below(w, 5)];
    enum dns_result r = results[world_below(w, 5)];

    world_tell(w, "dns: %s now ends %d%s%s", name, (int)r, host ? ", its exchanger is " : "", host ? host : "");
    dns_moody(w, name, r);
    dns_mx_instead(w, name, host);
}

static void trouble(struct world *w)
{
    switch (world_below(w, 6)) {
    case 0:
        sim_disk_cut_after(w->disk, (int)world_below(w, 80));
        break;
    case 1:
        world_restart(w);
        break;
    case 2:
        sim_disk_fail_after(w->disk, (int)world_below(w, 30), world_dice(w, 500) ? FL_EIO : FL_EFULL, world_dice(w, 500));
        world_tell(w, "the disk will fail");
        break;
    case 3:
        sim_disk_capacity(w->disk, 200000 + world_below(w, 500000));
        world_tell(w, "the disk is nearly full");
        break;
    default:
        sim_disk_mend(w->disk);
        sim_disk_capacity(w->disk, WORLD_DISK_BYTES);
        break;
    }
}

static void step_clock(struct world *w)
{
    static const int64_t steps[] = { MINUTE_MS, HOUR_MS, DAY_MS, (int64_t)LONG_CLOCK_STEP_DAYS * DAY_MS };
    int64_t by = steps[world_below(w, 4)];

    if (world_dice(w, 500))
        by = -by;
    world_tell(w, "the clock steps by %lld s", (long long)(by / 1000));
    world_step_clock(w, by);
}

/* An order under way. */
struct order {
    struct world *world;
    enum action_kind kind;
    const char *tenant, *domain, *job; /* NULL: any */
    int64_t asked_ms;
    bool denied;                       /* a move to where the tenant may not go */
};

static void on_acted(void *arg, int rc, const struct action_answer *answer, const char *text)
{
    struct order *r = arg;

    world_tell(r->world, "action: %d, %lld matched", rc, rc == 0 ? (long long)answer->matched : 0);
    if (rc == 0 && r->denied)
        world_broken(r->world, "mail of %s is moved to a VMTA that it may not use", r->tenant);
    if (rc == 0 && r->kind == ACTION_HOLD)
        oracle_held(r->world->oracle, r->tenant, r->domain, r->job, r->asked_ms);
}

static bool may_use(const struct world *w, const char *tenant, struct slice vmta)
{
    const struct conf_tenant *t = conf_tenant(w->conf, slice_of(tenant));
    const struct conf_vmta *v = conf_vmta(w->conf, vmta);

    return t && v && tenant_may_use_vmta(t, v);
}

/* One of them at a time is answered at once, or lives as long as the world. */
static void order(struct world *w, const struct action *a, const char *tenant, const char *domain, const char *job)
{
    struct order *r = world_keep(w, sizeof *r);

    *r = (struct order){ w, a->kind, tenant, domain, job, w->now.mono_ms,
                         a->kind == ACTION_MOVE && !may_use(w, tenant, a->to) };
    if (a->kind == ACTION_RELEASE)
        oracle_released(w->oracle, tenant, domain, job);
    relay_act(w->relay, a, on_acted, r);
}

static void act(struct world *w, enum action_kind kind)
{
    static const char *const names[] = { "hold", "release", "retry", "move", "drop" };
    size_t who = world_below(w, 3);
    struct action a = { .kind = kind, .tenant = slice_of(scene_senders[who].tenant), .state = VIEW_ANY, .who = SLICE("ops") };
    const char *domain = NULL, *job = NULL;

    if (world_dice(w, 500))
        domain = scene_domains[world_below(w, SCENE_DOMAINS)].name;
    else if (world_dice(w, 400))
        job = "j1";
    a.domain = slice_of(domain ? domain : "");
    a.job = slice_of(job ? job : "");
    if (kind == ACTION_MOVE)
        a.to = world_dice(w, 200) ? SLICE("g1") : who == 0 ? SLICE("a1") : SLICE("shared");
    a.dsn = kind == ACTION_DROP && world_dice(w, 500);
    if (kind == ACTION_DROP)
        oracle_may_drop(w->oracle);
    if (kind != ACTION_HOLD && kind != ACTION_DROP)
        oracle_reloaded(w->oracle); /* what waits may be due now */
    world_tell(w, "%s tenant %s domain %.*s job %.*s", names[kind], scene_senders[who].tenant, SLICE_ARG(a.domain), SLICE_ARG(a.job));
    order(w, &a, scene_senders[who].tenant, domain, job);
}

static void reload(struct world *w)
{
    int which = (int)world_below(w, SCENERY_CONFS);

    world_tell(w, "configuration %d is in force", which);
    world_reload(w, scenery_conf(which));
}

void happen(struct world *w)
{
    uint64_t dice = world_below(w, 1000);

    if (dice < 380)
        submit(w);
    else if (dice < 560)
        any_host(w);
    else if (dice < 620)
        any_name(w);
    else if (dice < 700)
        trouble(w);
    else if (dice < 715)
        step_clock(w);
    else if (dice < 740)
        reload(w);
    else if (dice < 765)
        act(w, ACTION_HOLD);
    else if (dice < 800)
        act(w, ACTION_RELEASE);
    else if (dice < 815)
        act(w, ACTION_RETRY);
    else if (dice < 830)
        act(w, ACTION_MOVE);
    else if (dice < 835)
        act(w, ACTION_DROP);
    else if (dice < 840)
        relay_drain(w->relay, world_dice(w, 500));
}

int64_t happen_pause(struct world *w)
{
    static const int64_t pauses[] = { 0, 50, SECOND_MS, 10 * SECOND_MS, MINUTE_MS, 4 * MINUTE_MS };

    return (int64_t)world_below(w, (uint64_t)pauses[world_below(w, 6)] + 1);
}

void happen_release_all(struct world *w)
{
    relay_drain(w->relay, false);
    for (int i = 0; i < 3; i++) {
        struct action a = { .kind = ACTION_RELEASE, .tenant = slice_of(scene_senders[i].tenant), .state = VIEW_ANY,
                            .who = SLICE("ops") };
        struct action job = a;

        job.job = SLICE("j1");
        order(w, &a, scene_senders[i].tenant, NULL, NULL);
        order(w, &job, scene_senders[i].tenant, NULL, "j1");
        for (int d = 0; d < SCENE_DOMAINS; d++) {
            a.domain = slice_of(scene_domains[d].name);
            order(w, &a, scene_senders[i].tenant, scene_domains[d].name, NULL);
        }
    }
}
