/* now_uv.h: the loop's `struct now`, read once per wake-up. libuv reads the monotonic clock when it wakes; the first callback
 * of ours that runs then takes it over and reads the wall clock beside it. So every callback that libuv calls begins with
 * now_refresh(). Loop thread. */
#ifndef FL_NOW_UV_H
#define FL_NOW_UV_H

#include <uv.h>

#include "clock.h"

/* now is borrowed: it stands in uv->data from here on, and is set at once. */
void now_attach(uv_loop_t *uv, struct now *now);
/* Brings it up to date. Nothing for a loop without one. */
void now_refresh(uv_loop_t *uv);

#endif
