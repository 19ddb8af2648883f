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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "happen.h"
#include "oracle.h"
#include "planted.h"
#include "relay_parts.h"
#include "relay_view.h"
#include "resolver_sim.h"
#include "scenery.h"
#include "themes.h"
#include "traffic.h"

enum {
    FIRST_SEED = 1, LAST_SEED = 200, JOBS_MOST = 64, HASHED_SEEDS = 4, TEXT = 5000, ACTIONS = 150, THEME_EVERY = 10,
    KEPT_BYTES = 64 << 20,
    CALM_MS = 3 * HOUR_MS, /* then nothing may be left: the longest retry is ten minutes, the longest time-out ten more */
};

/* ---------------------------------------------------------------- the end */
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
static void calm_end(struct world *w, struct conf *conf)
{
    struct view_filter all = { .state = VIEW_ANY };
    struct view_totals totals;

    world_tell(w, "all is calm");
    sim_disk_mend(w->disk);
    sim_disk_capacity(w->disk, WORLD_DISK_BYTES);
    sim_disk_cut_after(w->disk, -1);
    scenery_calm(w);
    dns_calm(w);
    world_reload(w, conf);
    world_run(w, MINUTE_MS);
    happen_release_all(w);
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

static void begin(struct world *w, struct conf *conf)
{
    while (!world_start(w, conf))
        world_power_off(w);
}

/* Returns the hash of its timeline. */
static uint64_t play(uint64_t seed, bool traced)
{
    struct world *w = world_new(seed, traced);
    uint64_t hash;

    scenery_hosts(w);
    if (seed % THEME_EVERY == THEME_NEIGHBOURS) {
        begin(w, theme_conf(THEME_NEIGHBOURS));
        theme_neighbours(w);
        calm_end(w, theme_conf(THEME_NEIGHBOURS));
    } else if (seed % THEME_EVERY == THEME_CROWD) {
        begin(w, theme_conf(THEME_CROWD));
        theme_crowd(w);
        calm_end(w, theme_conf(THEME_CROWD));
    } else {
        w->disk_slowest_ms = (int64_t)world_below(w, 40);
        begin(w, scenery_conf(0));
        for (int i = 0; i < ACTIONS; i++) {
            happen(w);
            world_run(w, happen_pause(w));
        }
        calm_end(w, scenery_conf(0));
    }
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
    for (uint64_t seed = from; seed <= r->last; seed += (uint64_t)r->jobs) {
        planted_plays(seed);
        play(seed, r->first == r->last);
    }
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
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* none outlives a parent that has failed */
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
    scenery_load();
    themes_load();
    return 0;
}

static int unload(void **state)
{
    scenery_unload();
    themes_unload();
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
    const struct CMUnitTest alone[] = {
        cmocka_unit_test_prestate(everything_ends_once_whatever_happens, &range),
    };
    int numbers = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    planted_take(&argc, &argv);
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
    if (range.first == range.last || planted())
        return cmocka_run_group_tests(alone, load, unload);
    return cmocka_run_group_tests(tests, load, unload);
}
