/* loop_uv.c: see loop_uv.h. */
#include "loop_uv.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "now_uv.h"

struct posted {
    STAILQ_ENTRY(posted) link;
    void (*fn)(void *arg);
    void *arg;
};

STAILQ_HEAD(posted_list, posted);

struct loop {
    uv_loop_t uv;
    struct now now;
    struct timers timers;
    uv_timer_t wake_timer;  /* the earliest of timers */
    int64_t wake_at;        /* what it is set to; NEVER_MS: stopped */
    uv_prepare_t prepare;
    uv_async_t wake;
    uv_idle_t again;        /* runs while the turn has more to do than its rounds */
    uv_mutex_t lock;        /* of posted */
    struct posted_list posted;
    bool (*turn)(void *arg);
    void *turn_arg;
    struct timer lag_timer;
    int64_t lag_due_us;
    void (*lag)(void *arg, int64_t us);
    void *lag_arg;
};

/* ---------------------------------------------------------------- timers */
static void on_wake_timer(uv_timer_t *handle)
{
    struct loop *l = handle->data;

    now_refresh(&l->uv);
    l->wake_at = NEVER_MS;
    timers_run(&l->timers, l->now.mono_ms);
}

static void arm(struct loop *l)
{
    int64_t next = timers_next_ms(&l->timers);

    if (next == l->wake_at)
        return;
    l->wake_at = next;
    if (next == NEVER_MS)
        uv_timer_stop(&l->wake_timer);
    else
        uv_timer_start(&l->wake_timer, on_wake_timer, next > l->now.mono_ms ? (uint64_t)(next - l->now.mono_ms) : 0, 0);
}

static void set_lag_timer(struct loop *l)
{
    l->lag_due_us = (l->now.mono_ms + SECOND_MS) * 1000;
    timer_set(&l->timers, &l->lag_timer, l->now.mono_ms + SECOND_MS);
}

static void on_lag(void *arg)
{
    struct loop *l = arg;
    int64_t us = (int64_t)(uv_hrtime() / 1000) - l->lag_due_us;

    if (l->lag)
        l->lag(l->lag_arg, us > 0 ? us : 0);
    set_lag_timer(l);
}

/* ---------------------------------------------------------------- a turn */
static void on_again(uv_idle_t *handle)
{
    uv_idle_stop(handle); /* it was there only to keep the loop from sleeping */
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *l = handle->data;
    bool more = l->turn != NULL;

    now_refresh(&l->uv);
    for (int i = 0; i < LOOP_ROUNDS && more; i++)
        more = l->turn(l->turn_arg);
    if (more)
        uv_idle_start(&l->again, on_again);
    arm(l);
}

/* ---------------------------------------------------------------- from other threads */
static void on_wake(uv_async_t *handle)
{
    struct loop *l = handle->data;
    struct posted_list posted = STAILQ_HEAD_INITIALIZER(posted);
    struct posted *p;

    now_refresh(&l->uv);
    uv_mutex_lock(&l->lock);
    STAILQ_CONCAT(&posted, &l->posted);
    uv_mutex_unlock(&l->lock);
    while ((p = STAILQ_FIRST(&posted))) {
        STAILQ_REMOVE_HEAD(&posted, link);
        p->fn(p->arg);
        free(p);
    }
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct posted *p = malloc(sizeof *p);

    if (!p)
        return FL_ENOMEM;
    *p = (struct posted){ .fn = fn, .arg = arg };
    uv_mutex_lock(&l->lock);
    STAILQ_INSERT_TAIL(&l->posted, p, link);
    uv_mutex_unlock(&l->lock);
    uv_async_send(&l->wake);
    return 0;
}

void loop_wake(struct loop *l)
{
    uv_async_send(&l->wake);
}

/* ---------------------------------------------------------------- life */
int loop_new(struct loop **ret, struct fl_err *err)
{
    struct loop *l = calloc(1, sizeof *l);

    if (!l)
        return fl_fail(err, FL_ENOMEM, "loop: out of memory");
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return fl_fail(err, FL_EIO, "loop: libuv does not start");
    }
    if (uv_async_init(&l->uv, &l->wake, on_wake) != 0 || uv_mutex_init(&l->lock) != 0) {
        uv_loop_close(&l->uv);
        free(l);
        return fl_fail(err, FL_EIO, "loop: out of file descriptors");
    }
    now_attach(&l->uv, &l->now);
    timers_init(&l->timers);
    STAILQ_INIT(&l->posted);
    uv_timer_init(&l->uv, &l->wake_timer);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->again);
    l->wake.data = l->wake_timer.data = l->prepare.data = l->again.data = l;
    l->wake_at = NEVER_MS;
    uv_prepare_start(&l->prepare, on_prepare);
    timer_init(&l->lag_timer, on_lag, l);
    set_lag_timer(l);
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    struct posted *p;

    if (!l)
        return;
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->wake_timer, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->again, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    while ((p = STAILQ_FIRST(&l->posted))) {
        STAILQ_REMOVE_HEAD(&l->posted, link);
        free(p);
    }
    uv_mutex_destroy(&l->lock);
    timers_free(&l->timers);
    free(l);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

struct timers *loop_timers(struct loop *l)
{
    return &l->timers;
}

const struct now *loop_now(const struct loop *l)
{
    return &l->now;
}

void loop_on_turn(struct loop *l, bool (*turn)(void *arg), void *arg)
{
    l->turn = turn;
    l->turn_arg = arg;
}

void loop_on_lag(struct loop *l, void (*lag)(void *arg, int64_t us), void *arg)
{
    l->lag = lag;
    l->lag_arg = arg;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}
