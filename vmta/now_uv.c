/* now_uv.c: see now_uv.h. */
#include "now_uv.h"

#include <time.h>

static void read_clocks(uv_loop_t *uv, struct now *now)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    now->mono_ms = (int64_t)uv_now(uv);
    now->wall_ms = (int64_t)wall.tv_sec * SECOND_MS + wall.tv_nsec / 1000000;
}

void now_attach(uv_loop_t *uv, struct now *now)
{
    uv->data = now;
    read_clocks(uv, now);
}

void now_refresh(uv_loop_t *uv)
{
    struct now *now = uv->data;

    if (now && now->mono_ms != (int64_t)uv_now(uv))
        read_clocks(uv, now);
}
