/* store_sim.c: the whole store on a simulated disk, thousands of short lives: random operations, power cuts at any step, disks
 * that fail or are full. After each life the store is opened anew and held against what it had promised. A failing seed is
 * printed: `store_sim SEED` plays it alone and tells what happens; `store_sim FIRST LAST` plays others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_world.h"

void trace(struct world *w, const char *format, ...)
{
    va_list ap;

    if (!w->traced)
        return;
    printf("[%4lld %5d] ", (long long)(w->wall_ms - 1764000000000), w->disk ? sim_disk_operations(w->disk) : 0);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
}

static void on_log(void *arg, enum log_level level, struct slice line)
{
    trace(arg, "log: %.*s", SLICE_ARG(line));
}

uint64_t below(struct world *w, uint64_t n)
{
    return rand_below(&w->rand, n);
}

static int64_t wall(void *arg)
{
    return ((struct world *)arg)->wall_ms;
}

static int64_t mono(void *arg)
{
    return ((struct world *)arg)->mono_us;
}

static void wake(void *arg)
{
}

/* ---------------------------------------------------------------- messages */

void make_text(const struct message *m, char *ret)
{
    struct rand r;

    rand_seed(&r, m->seed);
    for (uint64_t i = 0; i < m->length; i++)
        ret[i] = (char)('a' + rand_below(&r, 26));
}

static struct envelope *make_message(struct world *w, int call)
{
    struct message *m = &w->messages[w->message_count];
    struct envelope *e = envelope_new(RCPTS);
    static const char *const domains[QUEUES + 1] = { "", "one.test", "two.test", "three.test" };
    char text[TEXT_MAX];

    *m = (struct message){ .call = call, .seed = rand_next(&w->rand), .length = below(w, TEXT_MAX), .job = below(w, 3) == 0 };
    m->count = 1 + (int)below(w, RCPTS);
    assert_non_null(e);
    for (int i = 0; i < 6; i++)
        e->id.b[i] = (uint8_t)((uint64_t)w->wall_ms >> (40 - 8 * i));
    e->id.b[14] = (uint8_t)(w->message_count >> 8);
    e->id.b[15] = (uint8_t)w->message_count;
    e->tenant = SLICE("acme");
    e->job = m->job ? SLICE("j") : SLICE_NONE;
    e->received_ms = w->wall_ms;
    e->expires_ms = w->wall_ms + DAY_MS;
    e->size = (int64_t)m->length;
    e->body = body_new(&w->budget);
    make_text(m, text);
    assert_int_equal(body_add(e->body, slice_make(text, m->length / 2)), 0);
    assert_int_equal(body_add(e->body, slice_make(text + m->length / 2, m->length - m->length / 2)), 0);
    for (int i = 0; i < m->count; i++) {
        uint64_t q = 1 + below(w, QUEUES);
        struct envelope_rcpt r = {
            .address = SLICE("someone@there.test"),
            .queue = { .id = q, .tenant = e->tenant, .vmta = SLICE("v1"), .domain = slice_of(domains[q]) },
            .due_ms = (int64_t)below(w, 1000),
        };

        assert_non_null(envelope_add_rcpt(e, &r));
        m->rcpts[i] = (struct rcpt){ .queue = q, .env = envelope_ref(e) };
    }
    w->message_count++;
    return e;
}

struct message *message_of(struct world *w, const struct envelope *e)
{
    int index = e->id.b[14] << 8 | e->id.b[15];

    promise(w, index < w->message_count, "a message that nobody made");
    return &w->messages[index];
}

static struct call *call_new(struct world *w, int message, int dsn)
{
    struct call *c = &w->calls[w->call_count++];

    *c = (struct call){ .world = w, .message = message, .dsn = dsn, .open = true };
    w->open_calls++;
    return c;
}

static void call_end(struct call *c)
{
    promise(c->world, c->open, "a call is answered twice");
    c->open = false;
    c->world->open_calls--;
}

/* ---------------------------------------------------------------- what is posted, and its answers */

static void on_accepted(void *arg, int rc)
{
    struct call *c = arg;

    call_end(c);
    promise(c->world, rc == 0 || rc == FL_EFULL || rc == FL_EIO, "an accept ends with another error");
    trace(c->world, "message %d: accept ended %d", c->message, rc);
    c->world->messages[c->message].state = rc == 0 ? STORED : REFUSED;
}

static void post_accept(struct world *w)
{
    struct envelope *e = make_message(w, -1);
    bool fresh = below(w, 2);

    trace(w, "message %d: accept %s", w->message_count - 1, fresh ? "fresh" : "parked");
    store_accept(w->store, e, fresh, on_accepted, call_new(w, w->message_count - 1, -1));
    envelope_unref(e);
}

static void on_settled(void *arg, const struct settle_result *r)
{
    struct call *c = arg;
    struct world *w = c->world;
    struct message *m = &w->messages[c->message];
    bool all_gone = true;

    call_end(c);
    trace(w, "message %d: settle ended%s", c->message, r->message_gone ? ", it is gone" : "");
    for (int i = 0; i < m->count; i++) {
        if (m->rcpts[i].fate == SETTLING && m->rcpts[i].call == c - w->calls)
            m->rcpts[i].fate = m->rcpts[i].kind == SETTLE_PARK ? LIVE : GONE;
        all_gone &= m->rcpts[i].fate == GONE;
    }
    if (all_gone)
        promise(w, r->message_gone, "the last recipient ended, and the message is not said to be gone");
    if (c->dsn >= 0)
        w->messages[c->dsn].state = STORED;
}

/* Settles some recipients of one message: those that one envelope knows and that nobody settles now. */
static void post_settle(struct world *w)
{
    struct message *m = &w->messages[below(w, (uint64_t)w->message_count)];
    struct settle_rcpt rcpts[RCPTS];
    struct envelope *env = NULL, *dsn = NULL;
    struct queue_key to = {
        .id = 1 + below(w, QUEUES), .tenant = SLICE("acme"), .vmta = SLICE("v1"), .domain = SLICE("moved.test")
    };
    bool whole = below(w, 2);
    int count = 0;

    for (int i = 0; i < m->count && m->state == STORED; i++) {
        struct rcpt *r = &m->rcpts[i];

        if (r->fate != LIVE || (env && r->env != env) || (!whole && below(w, 2)))
            continue;
        env = r->env;
        r->fate = SETTLING;
        r->call = w->call_count;
        r->kind = (enum settle_kind)below(w, whole ? SETTLE_PARK : SETTLE_PARK + 1);
        rcpts[count] = (struct settle_rcpt){ .number = (uint32_t)i, .kind = r->kind, .due_ms = (int64_t)below(w, 1000) };
        if (r->kind == SETTLE_PARK && below(w, 4) == 0) {
            rcpts[count].queue = &to;
            r->queue = to.id;
        }
        trace(w, "message %d.%d: settle %d", (int)(m - w->messages), i, (int)r->kind);
        count++;
    }
    if (count == 0)
        return;
    if (below(w, 6) == 0)
        dsn = make_message(w, w->call_count);
    store_settle(w->store, env, rcpts, count, dsn, below(w, 2), on_settled,
                 call_new(w, (int)(m - w->messages), dsn ? w->message_count - 1 : -1));
    envelope_unref(dsn);
}

static void on_spooled(void *arg, int rc)
{
    struct call *c = arg;
    struct world *w = c->world;
    struct message *m = &w->messages[c->message];

    call_end(c);
    m->state = REFUSED;
    if (rc == 0) {
        m->state = POSTED;
        store_accept(w->store, m->rcpts[0].env, true, on_accepted, call_new(w, c->message, -1));
    }
}

/* A message whose second half comes through a file of its own. */
static void post_large(struct world *w)
{
    struct envelope *e = make_message(w, -1);
    struct message *m = &w->messages[w->message_count - 1];
    struct store_spool *sp;
    char text[TEXT_MAX];
    size_t half = m->length / 2, done = half;

    m->large = true;
    m->state = REFUSED; /* until it is handed in */
    make_text(m, text);
    body_unref(e->body);
    e->body = body_new(&w->budget);
    assert_int_equal(body_add(e->body, slice_make(text, half)), 0);
    assert_int_equal(store_spool_open(w->store, &sp), 0);
    while (done < m->length) {
        size_t n = 1 + below(w, 2000);

        n = n < m->length - done ? n : m->length - done;
        assert_int_equal(store_spool_add(sp, slice_make(text + done, n)), 0);
        done += n;
    }
    if (below(w, 4) == 0)
        store_spool_abort(sp);
    else
        store_spool_finish(sp, e->body, on_spooled, call_new(w, w->message_count - 1, -1));
    envelope_unref(e);
}

void ignore(void *arg, int rc)
{
}

static void post_other(struct world *w)
{
    uint64_t q = 1 + below(w, QUEUES);
    struct queue_key key = { .id = q, .tenant = SLICE("acme"), .vmta = SLICE("v1"), .domain = SLICE("clock.test") };
    struct stored_hold h = { .id = { { 9 } }, .tenant = SLICE("acme"), .who = SLICE("x") };

    if (below(w, 3) == 0)
        store_queue_forget(w->store, q);
    else if (below(w, 2))
        store_queue_clock(w->store, &key, 1, 2, NULL);
    else
        store_hold_put(w->store, &h, ignore, NULL);
}

/* ---------------------------------------------------------------- time */

void pump(struct world *w)
{
    store_flush(w->store);
    spools_step(w->store->spools);
    writer_step(w->store->writer);
    reader_step(w->store->reader);
    store_dispatch(w->store);
    w->mono_us += 1000 + (writer_is_stuck(w->store->writer) ? 300000 : 0);
    w->wall_ms++;
}

static void trouble(struct world *w)
{
    uint64_t kind = below(w, 8);

    trace(w, "trouble %d", (int)kind);
    w->calm = w->calm && kind > 2;
    switch (kind) {
    case 0:
        sim_disk_fail_after(w->disk, (int)below(w, 30), below(w, 2) ? FL_EIO : FL_EFULL, below(w, 2));
        break;
    case 1:
        sim_disk_capacity(w->disk, below(w, 2) ? 300000 : 150000 + below(w, 200000));
        break;
    case 2:
        sim_disk_cut_after(w->disk, (int)below(w, 60));
        break;
    default:
        sim_disk_mend(w->disk);
        sim_disk_capacity(w->disk, 1 << 30);
        break;
    }
}

static void act(struct world *w)
{
    uint64_t dice = below(w, 100);

    if (w->message_count + 2 >= MESSAGES || w->call_count + 4 >= CALLS)
        dice = 99;
    if (dice < 25)
        post_accept(w);
    else if (dice < 28)
        post_large(w);
    else if (dice < 55 && w->message_count)
        post_settle(w);
    else if (dice < 60)
        post_other(w);
    else if (dice < 64)
        trouble(w);
    else
        pump(w);
}

/* ---------------------------------------------------------------- lives */

static bool open_store(struct world *w)
{
    struct store_parts parts = {
        .disk = sim_disk_port(w->disk),
        .path = "fairlead.db",
        .vfs = sim_vfs_name(w->vfs),
        .segment_bytes = SEGMENT_SIM,
        .checkpoint_frames = 1 + (int)below(w, 60),
        .reserve_bytes = RESERVE_SIM,
        .thin_us = 1000 + (int64_t)below(w, 30000),
        .seed = rand_next(&w->rand),
        .mono_us = mono,
        .mono_arg = w,
    };
    struct fl_err err = { 0 };

    w->options.max_fresh_at_start = below(w, 2) ? 1000 : (int64_t)below(w, 10);
    if (store_open_on(&w->options, &parts, &w->store, &err) == 0)
        return true;
    if (!sim_disk_is_dead(w->disk))
        print_error("seed %llu: %s\n", (unsigned long long)w->seed, err.text);
    promise(w, sim_disk_is_dead(w->disk), "the store does not open");
    w->store = NULL;
    return false;
}

static void power_cycle(struct world *w)
{
    trace(w, "the power goes");
    sim_disk_cut_after(w->disk, 0);
    store_close(w->store);
    w->store = NULL;
    w->open_calls = 0;
    sim_disk_power_on(w->disk);
    sim_vfs_power_on(w->vfs);
}

/* Opens it, through power cuts while it recovers. */
static void open_at_last(struct world *w)
{
    while (below(w, 3) == 0) {
        sim_disk_cut_after(w->disk, (int)below(w, 40));
        if (open_store(w) && !sim_disk_is_dead(w->disk)) {
            sim_disk_cut_after(w->disk, -1);
            return;
        }
        power_cycle(w);
    }
    promise(w, open_store(w), "the store does not open");
}

/* In a life without failures large files go when they are not needed any more, and not at the next start. */
static void judge_large_files(struct world *w)
{
    int files[2], needed = 0;

    for (int i = 0; i < w->message_count; i++) {
        const struct message *m = &w->messages[i];
        bool live = false;

        for (int k = 0; k < m->count; k++)
            live |= m->rcpts[k].fate != GONE;
        needed += m->large && m->state == STORED && live;
    }
    count_files(w, files);
    promise(w, files[1] == needed, "large files are left though nothing failed");
}

/* Once nothing fails any more, everything is answered. */
static void calm_end(struct world *w)
{
    sim_disk_mend(w->disk);
    sim_disk_capacity(w->disk, 1 << 30);
    sim_disk_cut_after(w->disk, -1);
    for (int i = 0; w->open_calls && i < PATIENCE; i++)
        pump(w);
    promise(w, w->open_calls == 0, "a call was never answered");
    pump(w);
    if (w->calm)
        judge_large_files(w);
    store_close(w->store);
    w->store = NULL;
    sim_vfs_power_on(w->vfs);
}

/* In the middle of a batch, that is: between any two operations of the disk. */
static void work_until_the_power_goes(struct world *w)
{
    sim_disk_cut_after(w->disk, 1 + (int)below(w, LAST_OPERATIONS));
    for (int i = 0; i < LAST_OPERATIONS && !sim_disk_is_dead(w->disk) && w->call_count + 1 < CALLS &&
                    w->message_count > 0 && w->message_count + 1 < MESSAGES; i++) {
        post_settle(w);
        pump(w);
    }
}

static void live(struct world *w)
{
    w->calm = true;
    for (int i = 0; i < ACTIONS && !sim_disk_is_dead(w->disk); i++)
        act(w);
    if (!sim_disk_is_dead(w->disk) && below(w, 3) == 0) {
        calm_end(w);
    } else {
        work_until_the_power_goes(w);
        sim_disk_capacity(w->disk, 1 << 30);
        power_cycle(w);
    }
    open_at_last(w);
    look(w);
}

static struct world *world_new(uint64_t seed, bool traced)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->seed = seed;
    w->traced = traced;
    w->log = (struct log){ .level = LOG_LEVEL_INFO, .sink = on_log, .wall_ms = wall, .arg = w };
    rand_seed(&w->rand, seed);
    w->disk = sim_disk_new(rand_next(&w->rand));
    w->vfs = sim_vfs_new(w->disk);
    w->wall_ms = 1764000000000;
    w->options = (struct store_options){
        .group_max_messages = 1 + (int64_t)below(w, 20),
        .group_max_bytes = 1 + (int64_t)below(w, 30000),
        .min_free_space = (int64_t)below(w, 2) * 100000,
        .budget = &w->budget,
        .log = &w->log,
        .wall_ms = wall,
        .wall_arg = w,
        .wake = wake,
        .wake_arg = w,
    };
    sim_disk_capacity(w->disk, 1 << 30);
    return w;
}

static void world_free(struct world *w)
{
    promise(w, sim_vfs_checkpoints(w->vfs) > 0, "no checkpoint in a whole life");
    store_close(w->store);
    for (int i = 0; i < w->message_count; i++)
        for (int k = 0; k < w->messages[i].count; k++)
            envelope_unref(w->messages[i].rcpts[k].env);
    promise(w, w->budget.used == 0, "bodies are held in memory, and nobody has them");
    sim_vfs_free(w->vfs);
    sim_disk_free(w->disk);
    free(w);
}

/* Returns the bytes that holes were punched over. */
static uint64_t play(uint64_t seed, bool traced)
{
    struct world *w = world_new(seed, traced);
    uint64_t punched;

    open_at_last(w);
    for (int i = 0; i < LIVES; i++)
        live(w);
    damage_a_body(w);
    punched = sim_disk_punched(w->disk);
    world_free(w);
    return punched;
}

/* The same short life each time, in which the n-th operation of the disk fails. False when it needed fewer. */
static bool play_fault(uint64_t n, int code, bool for_good)
{
    struct world *w = world_new(7, false);
    int began;
    bool struck;

    promise(w, open_store(w), "the store does not open");
    store_forget_recovered(w->store);
    began = sim_disk_operations(w->disk);
    sim_disk_fail_after(w->disk, (int)n, code, for_good);
    for (int i = 0; i < FAULT_ROUNDS; i++) {
        post_accept(w);
        post_large(w);
        pump(w);
        post_settle(w);
        post_settle(w);
        post_other(w);
        pump(w);
    }
    struck = sim_disk_operations(w->disk) - began > (int)n;
    calm_end(w);
    promise(w, open_store(w), "the store does not open");
    look(w);
    world_free(w);
    return struck;
}

static void every_single_operation_may_fail(void **state)
{
    static const struct { int code; bool for_good; } faults[] = {
        { FL_EIO, false }, { FL_EIO, true }, { FL_EFULL, false }, { FL_EFULL, true },
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (uint64_t n = 0; play_fault(n, faults[i].code, faults[i].for_good); n++)
            ;
}

struct range {
    uint64_t first, last;
};

static void promises_outlive_power_cuts_and_failing_disks(void **state)
{
    const struct range *r = *state;
    uint64_t punched = 0;

    for (uint64_t seed = r->first; seed <= r->last; seed++) {
        planted_plays(seed);
        punched += play(seed, r->first == r->last);
    }
    assert_true(punched > 0 || r->last - r->first < SEEDS / 2); /* old segments were thinned out, too */
}

int main(int argc, char **argv)
{
    struct range range = { 1, SEEDS };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(promises_outlive_power_cuts_and_failing_disks, &range),
        cmocka_unit_test(every_single_operation_may_fail),
    };

    planted_take(&argc, &argv);
    if (argc > 1)
        range.first = range.last = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        range.last = strtoull(argv[2], NULL, 10);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
