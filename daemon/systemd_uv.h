/* systemd_uv.h: what systemd is told: ready, reloading, stopping; and the watchdog's beat. Nothing happens without systemd.
 * Loop thread. */
#ifndef FL_SYSTEMD_UV_H
#define FL_SYSTEMD_UV_H

#include "clock.h"
#include "timer.h"

struct systemd;

/* Begins to beat, where the unit has WatchdogSec=. Both are borrowed. NULL without memory. */
struct systemd *systemd_new(struct timers *timers, const struct now *now);
void systemd_free(struct systemd *s); /* takes NULL */
void systemd_ready(const char *status);
void systemd_reloading(void);
void systemd_stopping(void);

#endif
