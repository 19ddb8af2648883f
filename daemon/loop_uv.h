/* loop_uv.h: one thread's loop: libuv's, with the clock read once per wake-up, the timers of timer.h, a hook that ends each
 * turn, and a door for other threads. The thread that runs it owns it; daemon.c makes one. */
#ifndef FL_LOOP_UV_H
#define FL_LOOP_UV_H

#include <stdbool.h>
#include <uv.h>

#include "clock.h"
#include "err.h"
#include "timer.h"

struct loop;

/* FL_ENOMEM, FL_EIO. */
int loop_new(struct loop **ret, struct fl_err *err);
/* After all that uses it was closed: closes its own handles, runs out what is closing, frees. Takes NULL. */
void loop_free(struct loop *l);

uv_loop_t *loop_uv(struct loop *l);
struct timers *loop_timers(struct loop *l);
/* Kept up; borrowed for the life of the loop. */
const struct now *loop_now(const struct loop *l);

/* turn runs at the end of each iteration, before the loop sleeps. While it returns true it is run again, at most LOOP_ROUNDS
 * times; then once more after a look at the sockets, without sleep. */
enum { LOOP_ROUNDS = 8 };
void loop_on_turn(struct loop *l, bool (*turn)(void *arg), void *arg);
/* lag runs about once a second and says how late it is: what an iteration keeps waiting. */
void loop_on_lag(struct loop *l, void (*lag)(void *arg, int64_t us), void *arg);

/* Runs fn(arg) on the loop's thread in its next turn. Any thread. FL_ENOMEM: it will not run. */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Wakes it, for a turn. Any thread, also from a signal handler. */
void loop_wake(struct loop *l);

/* Until loop_stop. */
void loop_run(struct loop *l);
/* loop_run returns after this iteration. Its own thread. */
void loop_stop(struct loop *l);

#endif
