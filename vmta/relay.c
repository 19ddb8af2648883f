/* relay.c: see relay.h: makes the parts, and gives each its turn. */
#include "relay.h"

#include <stdlib.h>

#include "attend.h"
#include "delivery.h"
#include "fault.h"
#include "hold.h"
#include "intake.h"
#include "stray.h"
#include "job.h"
#include "relay_figures.h"
#include "relay_parts.h"
#include "settle.h"
#include "task.h"

enum {
    IN_SHARE_OF_CONNECTIONS = 4,      /* outgoing connections leave a quarter of server.total_max_connections to clients */
    WAKE_AT_MOST_MS = 30 * 1000,      /* steps of the wall clock are noticed after so long at the latest */
    JOBS_LOOKED_AT_MS = 60 * 1000,
};

static void on_wake(void *arg)
{
    (void)arg; /* the loop is awake: the turn at its end does the work */
}

static void on_jobs(void *arg);

static int make_parts(struct relay *r)
{
    struct mta *m = &r->mta;
    struct ingest_ports ports;

    m->jobs = jobs_new();
    m->holds = holds_new();
    m->figures = calloc(1, sizeof *m->figures);
    m->delivery = delivery_new(m);
    r->tasks = tasks_new(m);
    if (!m->jobs || !m->holds || !m->figures || !m->delivery || !r->tasks)
        return FL_ENOMEM;
    intake_ports(m, &ports);
    m->ingest = ingest_new(&ports, m->queues.conf);
    return m->ingest ? 0 : FL_ENOMEM;
}

static void bound(struct relay *r, const struct conf *c)
{
    struct mta *m = &r->mta;

    m->queues.memory_limit = c->server.memory_ready_recipients;
    ceiling_set_max(&m->sched.total, c->server.total_max_connections - c->server.total_max_connections / IN_SHARE_OF_CONNECTIONS);
}

int relay_new(const struct relay_ports *ports, struct conf *conf, struct relay **ret, struct fl_err *err)
{
    struct relay *r = calloc(1, sizeof *r);
    struct mta *m = r ? &r->mta : NULL;
    int rc;

    if (!r)
        return fl_fail(err, FL_ENOMEM, "relay: out of memory");
    r->generation = 1;
    m->store = ports->store;
    m->timers = ports->timers;
    m->budget = ports->budget;
    m->now = ports->now;
    m->log = ports->log;
    m->arg = ports->arg;
    m->event = ports->event;
    rand_seed(&m->rand, ports->seed);
    m->ids.rand = &m->rand;
    (void)retry_clock_step(&m->clock, m->now);
    m->clock.stepped_ms = m->now->wall_ms; /* a start is one: what grew too old meanwhile is tried once more */
    m->connections = (struct connection_context){ ports->streams, ports->timers, ports->store, ports->now };
    m->sites = (struct sites){ .resolver = ports->resolver, .rand = &m->rand, .now = m->now, .resolved = attend_resolved, .arg = m };
    queues_init(&m->queues, &m->tenancy, store_recovered(m->store)->next_queue_id);
    queues_set_conf(&m->queues, conf);
    sched_init(&m->sched, &m->queues, &m->sites, m->timers, m->now, INT64_MAX);
    timer_init(&r->wake, on_wake, r);
    timer_init(&r->jobs, on_jobs, r);
    bound(r, conf);
    rc = tenancy_set_conf(&m->tenancy, conf, m->now->mono_ms);
    if (rc == 0)
        rc = make_parts(r);
    if (rc < 0)
        fl_fail(err, rc, "relay: out of memory");
    else
        rc = intake_recovered(m, store_recovered(m->store), err);
    if (rc < 0) {
        relay_free(r);
        return rc;
    }
    store_forget_recovered(m->store);
    (void)timer_set(m->timers, &r->jobs, m->now->mono_ms + JOBS_LOOKED_AT_MS);
    *ret = r;
    return 0;
}

static void forget_places(struct mta *m)
{
    for (struct queue *q = m->queues.by_name; q; q = queues_next(q))
        attend_forget_place(m, q);
}

void relay_free(struct relay *r)
{
    struct mta *m;

    if (!r)
        return;
    m = &r->mta;
    timer_stop(m->timers, &r->wake);
    timer_stop(m->timers, &r->jobs);
    delivery_free(m->delivery);
    forget_places(m);
    tasks_free(r->tasks);
    ingest_free(m->ingest);
    stray_free(m);
    queues_free(&m->queues);
    sched_free(&m->sched);
    sites_free(&m->sites);
    holds_free(m->holds);
    jobs_free(m->jobs);
    tenancy_free(&m->tenancy);
    free(m->figures);
    free(r);
}

struct ingest *relay_ingest(struct relay *r)
{
    return r->mta.ingest;
}

struct conf *relay_conf(struct relay *r)
{
    return r->mta.queues.conf;
}

uint64_t relay_generation(const struct relay *r)
{
    return r->generation;
}

static void on_put_aside(void *arg, int rc, const struct action_answer *answer, const char *text)
{
    struct relay *r = arg;

    if (rc < 0 && rc != FL_ENOENT)
        log_message(r->mta.log, LOG_LEVEL_ERROR, "quarantine", "%s", text);
}

void relay_quarantine(struct relay *r, const struct ulid *ids, int count)
{
    struct mta *m = &r->mta;

    for (int i = 0; i < count; i++) {
        struct action hold = { .kind = ACTION_HOLD, .message = &ids[i], .state = VIEW_ANY, .who = SLICE("quarantine") };
        struct log_line line;
        char text[ULID_TEXT];

        if (!quarantine_add(&m->quarantine, &ids[i]))
            return;
        ulid_text(&ids[i], text);
        log_begin(&line, m->log, LOG_LEVEL_ERROR, "quarantine");
        log_text(&line, "message", text);
        log_text(&line, "text", "in hand at several crashes in a row: held until it is released");
        log_end(&line);
        tasks_begin(r->tasks, &hold, on_put_aside, r);
    }
}

const struct in_hand *relay_in_hand(const struct relay *r)
{
    return &r->mta.in_hand;
}

void relay_drain(struct relay *r, bool on)
{
    r->mta.draining = on;
}

bool relay_is_draining(const struct relay *r)
{
    return r->mta.draining;
}

/* ---------------------------------------------------------------- reload */
void relay_set_conf(struct relay *r, struct conf *conf)
{
    struct mta *m = &r->mta;

    queues_set_conf(&m->queues, conf);
    if (tenancy_set_conf(&m->tenancy, conf, m->now->mono_ms) < 0)
        log_message(m->log, LOG_LEVEL_ERROR, "reload", "out of memory: some limits are still the old ones");
    ingest_set_conf(m->ingest, conf);
    bound(r, conf);
    r->generation++;
    /* queues follow a few a turn, unless they are used before: attend brings each up to date */
    for (struct queue *q = m->queues.by_name; q; q = queues_next(q))
        attend_soon(m, q);
}

/* ---------------------------------------------------------------- turns */
static void forget_job(void *arg, const struct job *j)
{
    struct relay *r = arg;

    store_job_forget(r->mta.store, j->tenant, j->job);
}

static void on_jobs(void *arg)
{
    struct relay *r = arg;
    struct mta *m = &r->mta;

    jobs_forget_old(m->jobs, m->now->wall_ms, forget_job, r);
    (void)timer_set(m->timers, &r->jobs, m->now->mono_ms + JOBS_LOOKED_AT_MS);
}

/* The clock stepped: due times that lie too far off are pulled in, and every queue is looked at. */
static void on_clock_step(struct mta *m)
{
    log_message(m->log, LOG_LEVEL_WARNING, "clock_stepped", "the wall clock stepped: all queues are looked at again");
    for (struct queue *q = m->queues.by_name; q; q = queues_next(q)) {
        if (q->next_attempt_ms && !q->held_by_conf)
            q->next_attempt_ms = retry_pulled_in(q->policy.value[SET_RETRY]->retry, q->next_attempt_ms, m->now->wall_ms);
        if (q->next_due_ms != NEVER_MS)
            q->next_due_ms = m->now->wall_ms;
        q->rewind = true;
        attend_soon(m, q);
    }
}

/* Wakes the loop for the next queue whose time comes. */
static void set_wake(struct relay *r)
{
    struct mta *m = &r->mta;
    struct heap_node *first = heap_first(&m->queues.wake);
    int64_t wait = first ? first->key - m->now->wall_ms : WAKE_AT_MOST_MS;

    if (!TAILQ_EMPTY(&m->queues.shed))
        wait = 0;
    wait = wait < 0 ? 0 : wait > WAKE_AT_MOST_MS ? WAKE_AT_MOST_MS : wait;
    (void)timer_set(m->timers, &r->wake, m->now->mono_ms + wait);
}

static void end_turn(struct relay *r)
{
    struct mta *m = &r->mta;

    if (!m->shutting_down || !r->ended || delivery_connections(m->delivery) > 0 || settles_pending(m) > 0)
        return;
    r->ended(r->ended_arg);
    r->ended = NULL;
}

void relay_turn(struct relay *r)
{
    struct mta *m = &r->mta;

    if (retry_clock_step(&m->clock, m->now) && !FAULT(step_unnoticed))
        on_clock_step(m);
    store_dispatch(m->store);
    sched_stop(&m->sched, m->shutting_down || store_health(m->store) == STORE_FAILED);
    tasks_turn(r->tasks);
    stray_turn(m);
    attend_turn(m);
    delivery_pump(m->delivery);
    store_flush(m->store);
    set_wake(r);
    end_turn(r);
}

void relay_shutdown(struct relay *r, void (*done)(void *arg), void *arg)
{
    r->mta.shutting_down = true;
    r->ended = done;
    r->ended_arg = arg;
    sched_stop(&r->mta.sched, true);
    delivery_end_all(r->mta.delivery);
}
