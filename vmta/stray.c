/* stray.c: see stray.h. */
#include "stray.h"

#include "attend.h"
#include "clock.h"

static bool is_listed(const struct mta *m, const struct envelope *env)
{
    return env->next_stray || m->strays == env || m->last_stray == env;
}

/* Once a second, if only this wakes the relay. */
static void try_later(struct mta *m, struct queue *q)
{
    m->strays_at_ms = m->now->mono_ms + SECOND_MS;
    queue_set_wake(&m->queues, q, m->now->wall_ms + SECOND_MS);
}

void stray_add(struct mta *m, struct envelope *env, int first)
{
    env->rcpts[first].stray = true;
    try_later(m, queues_by_id(&m->queues, env->rcpts[first].queue.id));
    if (is_listed(m, env))
        return;
    envelope_ref(env);
    if (m->last_stray)
        m->last_stray->next_stray = env;
    else
        m->strays = env;
    m->last_stray = env;
}

/* True when none of its recipients waits for memory any more. */
static bool is_placed(struct mta *m, struct envelope *env)
{
    bool placed = true;

    for (int i = 0; i < env->rcpt_count; i++) {
        struct queue *q = env->rcpts[i].stray ? queues_by_id(&m->queues, env->rcpts[i].queue.id) : NULL;

        if (!q)
            continue;
        if (attend_take_in(m, q, env, false) < 0) {
            try_later(m, q);
            placed = false;
            continue;
        }
        env->rcpts[i].stray = false;
        sched_update(&m->sched, q);
        attend_soon(m, q);
    }
    return placed;
}

static struct envelope *take_first(struct mta *m)
{
    struct envelope *env = m->strays;

    m->strays = env->next_stray;
    if (!m->strays)
        m->last_stray = NULL;
    env->next_stray = NULL;
    return env;
}

void stray_turn(struct mta *m)
{
    if (!m->strays || m->now->mono_ms < m->strays_at_ms)
        return;
    while (m->strays && is_placed(m, m->strays))
        envelope_unref(take_first(m));
}

void stray_free(struct mta *m)
{
    while (m->strays)
        envelope_unref(take_first(m));
}
