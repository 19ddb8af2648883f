/* systemd_uv.c: see systemd_uv.h. */
#include "systemd_uv.h"

#include <stdint.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

struct systemd {
    struct timers *timers;
    const struct now *now;
    struct timer beat;
    int64_t every_ms; /* 0: no watchdog */
};

static void on_beat(void *arg)
{
    struct systemd *s = arg;

    sd_notify(0, "WATCHDOG=1");
    timer_set(s->timers, &s->beat, s->now->mono_ms + s->every_ms);
}

struct systemd *systemd_new(struct timers *timers, const struct now *now)
{
    struct systemd *s = calloc(1, sizeof *s);
    uint64_t us = 0;

    if (!s)
        return NULL;
    s->timers = timers;
    s->now = now;
    timer_init(&s->beat, on_beat, s);
    if (sd_watchdog_enabled(0, &us) > 0) {
        s->every_ms = (int64_t)(us / 1000 / 2); /* twice in its time, as sd_watchdog_enabled(3) advises */
        timer_set(timers, &s->beat, now->mono_ms + s->every_ms);
    }
    return s;
}

void systemd_free(struct systemd *s)
{
    if (!s)
        return;
    timer_stop(s->timers, &s->beat);
    free(s);
}

void systemd_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

/* Type=notify-reload wants the time at which the reload began. */
void systemd_reloading(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void systemd_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}
