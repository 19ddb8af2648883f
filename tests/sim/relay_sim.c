/* relay_sim.c: the whole relay in played worlds: three customers, moody hosts, a DNS that fails, power cuts at any step,
 * disks that are full or broken, clocks that step, operators who hold, move and drop, configurations that come and go. Then all
 * faults stop, and everything must end. A failing seed prints its timeline; `relay_sim SEED` plays it alone and tells all,
 * `relay_sim FIRST LAST` (or `relay_sim --seeds N`) plays others, `--jobs N` in so many processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle.h"
#include "relay_parts.h"
#include "relay_view.h"
#include "remote.h"
#include "resolver_sim.h"
#include "traffic.h"

enum {
    FIRST_SEED = 1, LAST_SEED = 200, JOBS_MOST = 64, HASHED_SEEDS = 4, TEXT = 5000, ACTIONS = 150, DOMAINS = 6, SITES = 5, MESSAGES_MOST = 60,
    LONG_CLOCK_STEP_DAYS = 365,
    KEPT_BYTES = 64 << 20,
    CALM_MS = 3 * HOUR_MS, /* then nothing may be left: the longest retry is ten minutes, the longest time-out ten more */
};

#define COMMON \
    "server:\n" \
    "  {hostname: relay.sim.test, data_dir: /nowhere, user: '', postmaster: postmaster@acme.example, total_max_connections: 40,\n" \
    "   memory: {ready_recipients: 40}}\n" \
    "defaults:\n" \
    "  {tls: opportunistic, max_connections: 3, max_messages_per_connection: 5, idle_timeout: 5s, ip_families: [ipv4]}\n" \
    "domains:\n" \
    "  d1.test: {max_recipients_per_message: 2}\n" \
    "  d0.test: {max_connections: 2}\n" \
    "  d2.test: {max_message_rate: 60/m}\n" \
    "  d5.test: {max_connections: 1}\n"
#define VMTAS \
    "vmtas:\n" \
    "  a1: {source_addresses: [192.0.2.1], hostname: a1.acme.example}\n" \
    "  shared: {source_addresses: [192.0.2.9, 192.0.2.10], hostname: shared.sim.test, total_max_connections: 5,\n" \
    "           total_max_message_rate: 240/m}\n" \
    "  g1: {source_addresses: [192.0.2.5], hostname: g1.globex.example}\n"
#define TENANTS \
    "  globex:\n" \
    "    sender_domains: [globex.example]\n" \
    "    steering_headers: true\n" \
    "    vmtas: [g1, shared]\n" \
    "    route: shared\n" \
    "    routes: [{when: {sender: '*@globex.example'}, to: shared}]\n" \
    "    retry: {first: 1m, factor: 2, max: 10m, jitter: 10%}\n" \
    "    expire_after: 3h\n" \
    "    delivery_pool: {share: 3, max_connections: 4, max_message_rate: 120/m}\n" \
    "    max_queued: {recipients: 40}\n" \
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
    COMMON VMTAS "  a2: {source_addresses: [192.0.2.2], hostname: a2.acme.example}\n"
    "pools:\n  both: {members: {a1: 1, a2: 1}}\n"
    "tenants:\n" ACME("a1, a2, shared", "both") "    pools: [both]\n" TENANTS,
    COMMON VMTAS "tenants:\n" ACME("a1, shared", "a1") TENANTS, /* a2 is gone */
};

enum { CONFIGURATIONS = sizeof configurations / sizeof *configurations };

static struct conf *confs[CONFIGURATIONS];

static const struct {
    const char *name;
    int site;
} domains[DOMAINS] = {
    { "d0.test", 0 }, { "d1.test", 1 }, { "d2.test", 2 }, { "d3.test", 3 }, { "d4.test", 3 }, { "d5.test", 4 },
};

static const struct {
    const char *tenant, *domain;
} senders[] = { { "acme", "acme.example" }, { "globex", "globex.example" }, { "initech", "initech.example" } };

/* ---------------------------------------------------------------- hosts */
static void add_hosts(struct world *w)
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
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++)
        dns_mx(w, senders[i].domain, 10, "mx.senders.test");
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
}

static void new_mood(struct world *w, struct remote *r)
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
        m.refused_sender = senders[world_below(w, 3)].domain;
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

static void calm_hosts(struct world *w)
{
    for (struct remote *r = w->remotes; r; r = r->next)
        r->mood = (struct mood){ .tls = r->mood.tls, .unverified = r->mood.unverified, .no_pipelining = r->mood.no_pipelining,
                                 .no_chunking = r->mood.no_chunking };
}

/* ---------------------------------------------------------------- what happens */
static void submit(struct world *w)
{
    size_t who = world_below(w, 3);
    struct submission s = {
        .tenant = senders[who].tenant, .sender_domain = senders[who].domain, .count = 1 + (int)world_below(w, 4),
        .job = world_dice(w, 200) ? "j1" : NULL,
        .length = world_dice(w, 100) ? (int)world_below(w, 100000) : (int)world_below(w, 2000),
    };

    for (int i = 0; i < s.count; i++)
        s.domains[i] = domains[world_below(w, DOMAINS)].name;
    oracle_submit(w->oracle, &s);
}

static void any_host(struct world *w)
{
    struct remote *r = w->remotes;

    for (uint64_t n = world_below(w, 7); n > 0 && r->next; n--)
        r = r->next;
    new_mood(w, r);
}

static void any_name(struct world *w)
{
    static const enum dns_result results[] = { DNS_OK, DNS_FAILED, DNS_TIMEOUT };
    const char *name = domains[world_below(w, DOMAINS)].name;
    enum dns_result r = results[world_below(w, 3)];

    world_tell(w, "dns: %s now ends %d", name, (int)r);
    dns_moody(w, name, r);
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
};

static void on_acted(void *arg, int rc, const struct action_answer *answer, const char *text)
{
    struct order *r = arg;

    world_tell(r->world, "action: %d, %lld matched", rc, rc == 0 ? (long long)answer->matched : 0);
    if (rc == 0 && r->kind == ACTION_HOLD)
        oracle_held(r->world->oracle, r->tenant, r->domain, r->job);
}

/* One of them at a time is answered at once, or lives as long as the world. */
static void order(struct world *w, const struct action *a, const char *tenant, const char *domain, const char *job)
{
    struct order *r = world_keep(w, sizeof *r);

    *r = (struct order){ w, a->kind, tenant, domain, job };
    if (a->kind == ACTION_RELEASE)
        oracle_released(w->oracle, tenant, domain, job);
    relay_act(w->relay, a, on_acted, r);
}

static void act(struct world *w, enum action_kind kind)
{
    static const char *const names[] = { "hold", "release", "retry", "move", "drop" };
    size_t who = world_below(w, 3);
    struct action a = { .kind = kind, .tenant = slice_of(senders[who].tenant), .state = VIEW_ANY, .who = SLICE("ops") };
    const char *domain = NULL, *job = NULL;

    if (world_dice(w, 500))
        domain = domains[world_below(w, DOMAINS)].name;
    else if (world_dice(w, 400))
        job = "j1";
    a.domain = slice_of(domain ? domain : "");
    a.job = slice_of(job ? job : "");
    if (kind == ACTION_MOVE)
        a.to = who == 0 ? SLICE("a1") : SLICE("shared");
    if (kind == ACTION_DROP)
        oracle_may_drop(w->oracle);
    if (kind != ACTION_HOLD && kind != ACTION_DROP)
        oracle_reloaded(w->oracle); /* what waits may be due now */
    world_tell(w, "%s tenant %s domain %.*s job %.*s", names[kind], senders[who].tenant, SLICE_ARG(a.domain), SLICE_ARG(a.job));
    order(w, &a, senders[who].tenant, domain, job);
}

static void happen(struct world *w)
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
        world_reload(w, confs[world_below(w, CONFIGURATIONS)]);
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
}

static int64_t pause_of(struct world *w)
{
    static const int64_t pauses[] = { 0, 50, SECOND_MS, 10 * SECOND_MS, MINUTE_MS, 4 * MINUTE_MS };

    return (int64_t)world_below(w, (uint64_t)pauses[world_below(w, 6)] + 1);
}

/* ---------------------------------------------------------------- the end */
static void release_all(struct world *w)
{
    for (int i = 0; i < 3; i++) {
        struct action a = { .kind = ACTION_RELEASE, .tenant = slice_of(senders[i].tenant), .state = VIEW_ANY,
                            .who = SLICE("ops") };
        struct action job = a;

        job.job = SLICE("j1");
        order(w, &a, senders[i].tenant, NULL, NULL);
        order(w, &job, senders[i].tenant, NULL, "j1");
        for (int d = 0; d < DOMAINS; d++) {
            a.domain = slice_of(domains[d].name);
            order(w, &a, senders[i].tenant, domains[d].name, NULL);
        }
    }
}

static long long from_now(int64_t at, int64_t now)
{
    return at == NEVER_MS ? -1 : at == 0 ? 0 : (long long)(at - now);
}

static bool show_queue(void *arg, const struct view_queue *v)
{
    struct world *w = arg;
    const struct queue *q = queues_find(&w->relay->mta.queues, v->name);
    const struct turn *t = q->turns;

    if (v->recipients == 0)
        return true;
    world_tell(w, "left: %.*s, %lld recipients, %s: %.*s", SLICE_ARG(v->name), (long long)v->recipients, 
               view_state_name(v->state), SLICE_ARG(v->why));
    world_tell(w, "   %lld ready, %lld busy, %lld pending, due in %lld, attempt in %lld, looked at in %lld, expiry in %lld ms",
               (long long)q->ready_rcpts, (long long)q->busy_rcpts, (long long)q->pending,
               from_now(q->next_due_ms, w->now.wall_ms), from_now(q->next_attempt_ms, w->now.wall_ms),
               heap_has(&q->wake) ? from_now(q->wake.key, w->now.wall_ms) : -1,
               from_now(q->next_expiry_ms, w->now.wall_ms));
    world_tell(w, "   resolve %d, %d turns, loading %d, rewind %d, probing %d", (int)q->resolve, q->turn_count, q->loading,
               q->rewind, q->probing);
    for (int i = 0; i < q->turn_count; i++)
        world_tell(w, "   path: open %d, window %lld, most %lld, waits %lld ms, rate %lld ms; turn in line %d, share waits %d",
                   t[i].path->open, (long long)t[i].path->window, (long long)t[i].path->max_connections,
                   from_now(t[i].path->clock.until_ms, w->now.mono_ms), from_now(t[i].path->rate_until_ms, w->now.mono_ms),
                   t[i].in_ring, t[i].share->waiter.at != NULL);
    return true;
}

/* All faults stop: everything ends, within a bounded time. */
static void calm_end(struct world *w)
{
    struct view_filter all = { .state = VIEW_ANY };
    struct view_totals totals;

    world_tell(w, "all is calm");
    sim_disk_mend(w->disk);
    sim_disk_capacity(w->disk, WORLD_DISK_BYTES);
    sim_disk_cut_after(w->disk, -1);
    calm_hosts(w);
    dns_calm(w);
    world_reload(w, confs[0]);
    world_run(w, MINUTE_MS);
    release_all(w);
    world_run(w, CALM_MS);
    relay_view_totals(w->relay, &totals);
    if (totals.recipients > 0 || oracle_live(w->oracle) > 0) {
        relay_view_queues(w->relay, &all, SLICE_NONE, 1000, show_queue, w);
        world_broken(w, "%lld recipients are left (%d by the books) after %d hours of calm", (long long)totals.recipients,
                     oracle_live(w->oracle), (int)(CALM_MS / HOUR_MS));
    }
    oracle_audit(w->oracle);
    oracle_all_ended(w->oracle);
    traffic_audit(w->traffic);
}

/* All that was told, as one number. */
static uint64_t hash_of(struct slice told)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < told.n; i++)
        h = (h ^ (uint8_t)told.p[i]) * 1099511628211u;
    return h;
}

struct sums {
    long long worlds, accepted, delivered, bounced, expired, dropped, lives, turns;
} sums;

/* Returns the hash of its timeline. */
static uint64_t play(uint64_t seed, bool traced)
{
    struct world *w = world_new(seed, traced);
    uint64_t hash;

    add_hosts(w);
    w->disk_slowest_ms = (int64_t)world_below(w, 40);
    while (!world_start(w, confs[0]))
        world_power_off(w);
    for (int i = 0; i < ACTIONS; i++) {
        happen(w);
        world_run(w, pause_of(w));
    }
    calm_end(w);
    sums.worlds++;
    sums.delivered += oracle_ended(w->oracle, EVENT_DELIVERED);
    sums.bounced += oracle_ended(w->oracle, EVENT_BOUNCED);
    sums.expired += oracle_ended(w->oracle, EVENT_EXPIRED);
    sums.dropped += oracle_ended(w->oracle, EVENT_DROPPED);
    sums.lives += w->lives;
    sums.turns += w->turns;
    hash = hash_of(buf_slice(&w->timeline)) + (uint64_t)w->turns;
    world_free(w);
    return hash;
}

struct range {
    uint64_t first, last;
    int jobs;
};

static void play_range(const struct range *r, uint64_t from)
{
    for (uint64_t seed = from; seed <= r->last; seed += (uint64_t)r->jobs)
        play(seed, r->first == r->last);
    print_message("%lld worlds, %lld lives, %lld turns: %lld recipients delivered, %lld bounced, %lld expired, %lld dropped\n",
                  sums.worlds, sums.lives, sums.turns, sums.delivered, sums.bounced, sums.expired, sums.dropped);
}

/* Each process plays its part of the seeds; a world is the same in whatever process it is played. */
static void everything_ends_once_whatever_happens(void **state)
{
    const struct range *r = *state;
    int status;

    for (int i = 1; i < r->jobs; i++)
        if (fork() == 0) {
            play_range(r, r->first + (uint64_t)i); /* one that fails tells of it, and ends otherwise */
            _exit(0);
        }
    play_range(r, r->first);
    for (int i = 1; i < r->jobs; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
}

/* The same in another process, whose memory lies elsewhere: no order follows from addresses. */
static uint64_t hash_elsewhere(uint64_t seed)
{
    char command[TEXT], self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    unsigned long long hash = 0;
    FILE *f;

    assert_true(n > 0);
    self[n] = '\0';
    snprintf(command, sizeof command, "%s --hash %llu", self, (unsigned long long)seed);
    f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu", &hash), 1);
    assert_int_equal(pclose(f), 0);
    return hash;
}

static void a_seed_plays_the_same_life_again_in_any_process(void **state)
{
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + HASHED_SEEDS; seed++) {
        uint64_t hash = play(seed, false);

        assert_int_equal(play(seed, false), hash);
        assert_int_equal(hash_elsewhere(seed), hash);
    }
}

static int load(void **state)
{
    for (int i = 0; i < CONFIGURATIONS; i++)
        confs[i] = world_conf(configurations[i]);
    return 0;
}

static int unload(void **state)
{
    for (int i = 0; i < CONFIGURATIONS; i++)
        conf_unref(confs[i]);
    return 0;
}

static int tell_hash(uint64_t seed)
{
    load(NULL);
    printf("%llu\n", (unsigned long long)play(seed, false));
    unload(NULL);
    return 0;
}

/* relay_sim [SEED [LAST]] [--seeds N] [--jobs N], or relay_sim --hash SEED */
int main(int argc, char **argv)
{
    struct range range = { FIRST_SEED, LAST_SEED, 1 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_plays_the_same_life_again_in_any_process),
        cmocka_unit_test_prestate(everything_ends_once_whatever_happens, &range),
    };
    const struct CMUnitTest one_seed[] = {
        cmocka_unit_test_prestate(everything_ends_once_whatever_happens, &range),
    };
    int numbers = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES); /* memory goes from world to world, not back to the system each time */
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    for (int i = 1; i < argc; i++) {
        bool has_next = i + 1 < argc;

        if (has_next && strcmp(argv[i], "--hash") == 0)
            return tell_hash(strtoull(argv[++i], NULL, 10));
        if (has_next && strcmp(argv[i], "--seeds") == 0)
            range.last = strtoull(argv[++i], NULL, 10);
        else if (has_next && strcmp(argv[i], "--jobs") == 0)
            range.jobs = atoi(argv[++i]);
        else if (numbers++ == 0)
            range.first = range.last = strtoull(argv[i], NULL, 10);
        else
            range.last = strtoull(argv[i], NULL, 10);
    }
    range.jobs = range.jobs < 1 ? 1 : range.jobs > JOBS_MOST ? JOBS_MOST : range.jobs;
    if (range.first == range.last)
        return cmocka_run_group_tests(one_seed, load, unload);
    return cmocka_run_group_tests(tests, load, unload);
}
