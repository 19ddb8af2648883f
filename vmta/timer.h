/* timer.h: deadlines of one loop, in a heap; pure, so that the simulator moves time itself.
 * Loop thread. A timer lives inside the object that it wakes; its owner stops it before that object goes. */
#ifndef FL_TIMER_H
#define FL_TIMER_H

#include "clock.h"
#include "heap.h"

struct timer {
    struct heap_node node;
    void (*fire)(void *arg);
    void *arg;
};

struct timers {
    struct heap heap;
    uint64_t sequence;
};

void timers_init(struct timers *ts);
void timers_free(struct timers *ts);
/* fire and arg are kept for all later timer_set. */
void timer_init(struct timer *t, void (*fire)(void *arg), void *arg);
/* Fires once at mono_ms, or earlier than before when it was set already; NEVER_MS stops it. 0 or FL_ENOMEM. */
int timer_set(struct timers *ts, struct timer *t, int64_t mono_ms);
void timer_stop(struct timers *ts, struct timer *t);
/* When timers_run is next needed; NEVER_MS when no timer is set. */
int64_t timers_next_ms(const struct timers *ts);
/* Fires what is due, in order of time and then of setting. Timers set meanwhile for now or earlier fire in the next run. */
void timers_run(struct timers *ts, int64_t mono_ms);

#endif
