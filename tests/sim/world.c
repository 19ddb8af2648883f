/* world.c: see world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"
#include "oracle.h"
#include "remote.h"
#include "resolver_sim.h"
#include "shares.h"
#include "stream_sim.h"
#include "traffic.h"

enum {
    ROUNDS_A_MOMENT = 100,  /* turns of the relay at one moment, after which time passes anyway */
    SEGMENT_BYTES_SIM = 64 << 10,
    THIN_US_SIM = 600 * 1000000,
    RESERVE_SIM = 64 << 10,
    STORE_STEPS = 1000,
    STUCK_TURN_MS = 1000,   /* a store that cannot open tries no sooner than that: its attempts cost a world most */
    FRESH_AT_START = 10000,
    TURNS_A_MINUTE = 3000,  /* far above what a busy minute takes */
};

static const int64_t WALL_BEGAN_MS = 1764000000000, MONO_BEGAN_MS = 1000000;

uint64_t world_below(struct world *w, uint64_t n)
{
    return rand_below(&w->rand, n);
}

bool world_dice(struct world *w, int permille)
{
    return world_below(w, 1000) < (uint64_t)permille;
}

void *world_keep(struct world *w, size_t n)
{
    void *p = arena_alloc(w->kept, n);

    if (!p)
        abort();
    return memset(p, 0, n);
}

/* ---------------------------------------------------------------- what is told */
static void tell(struct world *w, const char *format, va_list ap)
{
    size_t before = buf_len(&w->timeline);
    char line[1000];
    int n = snprintf(line, sizeof line, "[%7.3f] ", (double)world_ms(w) / 1000);

    vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    if (buf_printf(&w->timeline, "%s\n", line) < 0)
        abort();
    if (w->traced)
        printf("%.*s", SLICE_ARG(slice_skip(buf_slice(&w->timeline), before)));
}

void world_tell(struct world *w, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    tell(w, format, ap);
    va_end(ap);
}

void world_expect(struct world *w, const char *lines)
{
    struct slice told = buf_slice(&w->timeline);

    if (!slice_eq(told, slice_of(lines))) {
        fprintf(stderr, "expected:\n%s\ntold:\n%.*s\n", lines, SLICE_ARG(told));
        fail();
    }
    buf_clear(&w->timeline);
}

void world_broken(struct world *w, const char *format, ...)
{
    va_list ap;

    if (!w->traced)
        fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&w->timeline)));
    va_start(ap, format);
    fprintf(stderr, "[%7.3f] seed %llu: broken: ", (double)world_ms(w) / 1000, (unsigned long long)w->seed);
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    fail();
    abort();
}

static void on_log(void *arg, enum log_level level, struct slice line)
{
    struct world *w = arg;

    if (w->traced)
        printf("            log: %.*s\n", SLICE_ARG(line));
}

/* ---------------------------------------------------------------- time, as the relay and its store see it */
static int64_t wall_ms(void *arg)
{
    return ((struct world *)arg)->now.wall_ms;
}

static int64_t mono_us(void *arg)
{
    return ((struct world *)arg)->now.mono_ms * 1000;
}

static void on_wake(void *arg)
{
}

/* ---------------------------------------------------------------- the store, a step at a time */
static bool has_ops(const struct mailbox *m)
{
    return !STAILQ_EMPTY(&m->ops);
}

static bool store_has_work(const struct world *w)
{
    return has_ops(&w->store->to_writer) || has_ops(&w->store->to_reader) || has_ops(&w->store->to_spools);
}

static void set_disk_turn(struct world *w, int64_t in_ms)
{
    if (!heap_has(&w->disk_turn.node))
        (void)timer_set(&w->events, &w->disk_turn, w->now.mono_ms + in_ms);
}

static void on_disk_turn(void *arg)
{
    struct world *w = arg;
    int wait;

    if (!w->store)
        return;
    spools_step(w->store->spools);
    for (int i = 0; i < STORE_STEPS && writer_step(w->store->writer) && !sim_disk_is_dead(w->disk); i++)
        ;
    if (sim_disk_is_dead(w->disk))
        return;
    if (has_ops(&w->store->to_reader))
        reader_step(w->store->reader);
    wait = writer_wait_ms(w->store->writer);
    if (writer_is_stuck(w->store->writer))
        set_disk_turn(w, wait < STUCK_TURN_MS ? STUCK_TURN_MS : wait);
}

/* ---------------------------------------------------------------- life */
struct conf *world_conf(const char *yaml)
{
    char name[] = "/tmp/fairlead-sim-XXXXXX";
    int fd = mkstemp(name);
    struct conf_findings findings = { 0 };
    struct conf *conf = NULL;
    struct buf text;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    if (conf_load(name, &conf, &findings) < 0) {
        buf_init(&text, 0);
        for (int i = 0; i < findings.count; i++)
            conf_finding_text(&findings.items[i], &text);
        print_error("%.*s", SLICE_ARG(buf_slice(&text)));
        buf_free(&text);
        unlink(name);
        fail();
    }
    unlink(name);
    conf_findings_free(&findings);
    return conf;
}

static void on_event(void *arg, const struct event *e)
{
    oracle_event(((struct world *)arg)->oracle, e);
}

static bool open_store(struct world *w)
{
    struct store_parts parts = {
        .disk = sim_disk_port(w->disk),
        .path = "fairlead.db",
        .vfs = sim_vfs_name(w->vfs),
        .segment_bytes = SEGMENT_BYTES_SIM,
        .thin_us = THIN_US_SIM,
        .checkpoint_frames = 1 + (int)world_below(w, 60),
        .reserve_bytes = RESERVE_SIM,
        .seed = rand_next(&w->rand),
        .mono_us = mono_us,
        .mono_arg = w,
    };
    struct store_options options = {
        .group_max_messages = 1 + (int64_t)world_below(w, 20),
        .group_max_bytes = 8 << 20,
        .budget = &w->budget,
        .log = &w->log,
        .wall_ms = wall_ms,
        .wall_arg = w,
        .wake = on_wake,
        .wake_arg = w,
        .max_fresh_at_start = world_dice(w, 700) ? FRESH_AT_START : (int64_t)world_below(w, 10),
    };
    struct fl_err err = { 0 };

    if (store_open_on(&options, &parts, &w->store, &err) == 0)
        return true;
    w->store = NULL;
    if (!sim_disk_is_dead(w->disk))
        world_broken(w, "the store does not open: %s", err.text);
    return false;
}

bool world_start(struct world *w, struct conf *conf)
{
    struct relay_ports ports = {
        .streams = w->streams, .timers = &w->timers, .resolver = w->resolver, .budget = &w->budget,
        .now = &w->now, .log = &w->log, .seed = rand_next(&w->rand), .arg = w, .event = on_event,
    };
    struct fl_err err = { 0 };

    conf_ref(conf);
    conf_unref(w->conf);
    w->conf = conf;
    traffic_conf(w->traffic, conf);
    if (!open_store(w))
        return false;
    if (sim_disk_is_dead(w->disk))
        return false;
    oracle_recovered(w->oracle);
    ports.store = w->store;
    timers_init(&w->timers);
    if (relay_new(&ports, conf, &w->relay, &err) < 0)
        world_broken(w, "the relay does not start: %s", err.text);
    w->lives++;
    return true;
}

void world_power_off(struct world *w)
{
    world_tell(w, "the power goes");
    sim_disk_cut_after(w->disk, 0);
    timer_stop(&w->events, &w->disk_turn);
    if (w->relay) {
        oracle_crashed(w->oracle);
        streams_sim_crash(w->streams);
        relay_free(w->relay);
        timers_free(&w->timers);
    }
    w->relay = NULL;
    store_close(w->store);
    w->store = NULL;
    sim_disk_power_on(w->disk);
    sim_disk_mend(w->disk);
    sim_disk_capacity(w->disk, WORLD_DISK_BYTES);
    sim_vfs_power_on(w->vfs);
}

void world_restart(struct world *w)
{
    struct conf *conf = conf_ref(w->conf);

    world_power_off(w);
    while (!world_start(w, conf))
        world_power_off(w);
    conf_unref(conf);
}

void world_reload(struct world *w, struct conf *conf)
{
    conf_ref(conf);
    conf_unref(w->conf);
    w->conf = conf;
    traffic_conf(w->traffic, conf);
    relay_set_conf(w->relay, conf);
    oracle_reloaded(w->oracle);
}

void world_step_clock(struct world *w, int64_t by_ms)
{
    w->now.wall_ms += by_ms;
    oracle_clock_stepped(w->oracle);
}

/* ---------------------------------------------------------------- time passes */
static void one_round(struct world *w)
{
    timers_run(&w->timers, w->now.mono_ms);
    relay_turn(w->relay);
    if (store_has_work(w))
        set_disk_turn(w, (int64_t)world_below(w, (uint64_t)w->disk_slowest_ms + 1));
    else if (!writer_is_stuck(w->store->writer) && !has_ops(&w->store->answers))
        oracle_all_durable(w->oracle);
    if (w->shares)
        shares_look(w->shares);
    w->turns++;
}

static bool is_due(const struct world *w)
{
    return timers_next_ms(&w->timers) <= w->now.mono_ms || timers_next_ms(&w->events) <= w->now.mono_ms ||
           has_ops(&w->store->answers);
}

/* A relay with little to do turns seldom. */
static void watch_turns(struct world *w)
{
    if (w->now.mono_ms - w->watched_ms < MINUTE_MS)
        return;
    if (w->turns - w->watched_turns > TURNS_A_MINUTE * ((w->now.mono_ms - w->watched_ms) / MINUTE_MS))
        world_broken(w, "%d turns in %lld s: something polls", w->turns - w->watched_turns,
                     (long long)(w->now.mono_ms - w->watched_ms) / 1000);
    w->watched_ms = w->now.mono_ms;
    w->watched_turns = w->turns;
}

void world_turn(struct world *w, int64_t until_ms)
{
    int64_t next;

    watch_turns(w);

    for (int i = 0; i < ROUNDS_A_MOMENT; i++) {
        timers_run(&w->events, w->now.mono_ms);
        if (!w->relay || sim_disk_is_dead(w->disk))
            world_restart(w);
        one_round(w);
        if (!is_due(w))
            break;
    }
    next = timers_next_ms(&w->timers);
    if (timers_next_ms(&w->events) < next)
        next = timers_next_ms(&w->events);
    if (next <= w->now.mono_ms)
        next = w->now.mono_ms + 1;
    if (next > until_ms)
        next = until_ms;
    w->now.wall_ms += next - w->now.mono_ms;
    w->now.mono_ms = next;
}

void world_run(struct world *w, int64_t ms)
{
    int64_t until = w->now.mono_ms + ms;

    while (w->now.mono_ms < until)
        world_turn(w, until);
}

/* ---------------------------------------------------------------- a world */
struct world *world_new(uint64_t seed, bool traced)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->seed = seed;
    w->traced = traced;
    rand_seed(&w->rand, seed);
    w->now = (struct now){ .mono_ms = MONO_BEGAN_MS, .wall_ms = WALL_BEGAN_MS };
    w->began_ms = w->watched_ms = w->now.mono_ms;
    w->log = (struct log){ .level = LOG_LEVEL_INFO, .sink = on_log, .wall_ms = wall_ms, .arg = w };
    timers_init(&w->events);
    timer_init(&w->disk_turn, on_disk_turn, w);
    buf_init(&w->timeline, 0);
    w->kept = arena_new(0);
    w->disk = sim_disk_new(rand_next(&w->rand));
    sim_disk_capacity(w->disk, WORLD_DISK_BYTES);
    w->vfs = sim_vfs_new(w->disk);
    w->streams = streams_sim_new(w);
    w->resolver = resolver_sim_new(w);
    w->oracle = oracle_new(w);
    w->traffic = traffic_new(w);
    return w;
}

void world_free(struct world *w)
{
    if (w->relay)
        world_power_off(w);
    while (timers_next_ms(&w->events) != NEVER_MS) { /* the last packets */
        w->now.mono_ms = timers_next_ms(&w->events);
        timers_run(&w->events, w->now.mono_ms);
    }
    remotes_free(w);
    oracle_free(w->oracle);
    traffic_free(w->traffic);
    resolver_sim_free(w->resolver);
    streams_sim_free(w->streams);
    sim_vfs_free(w->vfs);
    sim_disk_free(w->disk);
    conf_unref(w->conf);
    timers_free(&w->events);
    buf_free(&w->timeline);
    arena_free(w->kept);
    free(w);
}
