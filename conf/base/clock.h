/* clock.h: what time is, and how it is written. Reads no clock: time is a parameter everywhere.
 * Pure; any thread. */
#ifndef FL_CLOCK_H
#define FL_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read once per wake-up of a loop, then handed down. */
struct now {
    int64_t mono_ms; /* for intervals and deadlines inside the process; never steps */
    int64_t wall_ms; /* since 1970, UTC: what is stored, logged and shown; may step */
};

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };
#define NEVER_MS INT64_MAX

enum { CLOCK_RFC3339 = 25, CLOCK_RFC5322 = 32, CLOCK_SPAN = 32 }; /* sizes of the buffers, NUL included */

/* "2026-11-24T22:37:27.123Z" */
void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339]);
/* "Tue, 24 Nov 2026 22:37:27 +0000" (RFC 5322 3.3) */
void clock_rfc5322(int64_t wall_ms, char ret[CLOCK_RFC5322]);
/* A span for people, its two largest units: "3m 10s", "2d 4h", "250ms", "0s". */
void clock_span(int64_t ms, char ret[CLOCK_SPAN]);

#endif
