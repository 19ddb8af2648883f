/* retry.h: when to try again, and when it is too late. Pure; any thread. Times are wall clock, as the store keeps them, so
 * every answer allows for a clock that stepped (a step back must not stall a retry, a step forward must not expire what was
 * never tried since). */
#ifndef FL_RETRY_H
#define FL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "rand.h"

/* How long to wait after the n-th attempt failed, n from 1 (less counts as 1). A list's last interval repeats; the
 * exponential form is first × factor^(n-1), at most max, shifted by up to ± jitter. r is used for jitter only and may be
 * NULL (no jitter then). At least RETRY_SHORTEST_MS. */
int64_t retry_interval(const struct retry_schedule *s, int n, struct rand *r);
/* When to try next: now + interval, but never after expires_ms (what is due then is tried a last time or expired there). A
 * message that is past its expiry is due now. */
int64_t retry_next(const struct retry_schedule *s, int attempts, int64_t now_ms, int64_t expires_ms, struct rand *r);
/* The longest span that the schedule ever waits, jitter included. */
int64_t retry_longest(const struct retry_schedule *s);
/* A due time read from the store: pulled in to now + longest when it lies further off than the schedule can have meant. */
int64_t retry_pulled_in(const struct retry_schedule *s, int64_t due_ms, int64_t now_ms);
/* Is it too late? stepped_ms: when a step of the clock was last noticed (wall, after the step; 0: never); last_attempt_ms:
 * when its last attempt ended (wall; 0: none). After a step forward nothing expires before one more attempt. */
bool retry_is_expired(int64_t now_ms, int64_t expires_ms, int64_t stepped_ms, int64_t last_attempt_ms);

/* Notices steps of the wall clock against the monotonic one. Zeroed: nothing seen yet. */
struct retry_clock {
    bool seen;
    int64_t offset_ms;  /* wall - mono, as last seen */
    int64_t stepped_ms; /* wall time after the last step; 0: none */
};

enum {
    RETRY_SHORTEST_MS = 1000,      /* whatever jitter makes of it */
    RETRY_STEP_MS = 60 * 1000,     /* a smaller change of the offset is slewing, not a step */
};

struct now;
/* Once per wake-up. True when the clock stepped since the last call: due times want pulling in. */
bool retry_clock_step(struct retry_clock *c, const struct now *now);

#endif
