/* units.h: quantities as people write them in the configuration: 10m, 25MiB, 200/h, 10%.
 * Pure; any thread. One parser and one printer each, so that what `explain` shows can be pasted back. */
#ifndef FL_UNITS_H
#define FL_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/* A rate: count events in each per_ms. count 0: unlimited. */
struct rate {
    int64_t count;
    int64_t per_ms;
};

static inline bool rate_is_unlimited(struct rate r)
{
    return r.count == 0;
}

enum { UNITS_TEXT = 48 };

/* "500ms" "30s" "10m" "1h" "4d", also several parts from large to small ("1h 30m") and decimals ("1.5s"). A bare number has no
 * unit and is refused, but for "0". False when malformed or above INT64_MAX / 2. */
bool units_span(struct slice text, int64_t *ret_ms);
/* "500B" "8KiB" "25MiB" "50GiB". False when malformed. */
bool units_size(struct slice text, int64_t *ret_bytes);
/* "100/s" "600/m" "1/20m" "5000/d"; "unlimited" gives count 0. "0/s" is malformed: it means none to some and no limit to
 * others. */
bool units_rate(struct slice text, struct rate *ret);
/* "10%" in thousandths: 100. At most 100%. */
bool units_percent(struct slice text, int *ret_permille);

/* The shortest text that the parser reads back as the same value ("90s" stays "90s", 120000 becomes "2m"; NEVER_MS "never"). */
void units_span_text(int64_t ms, char ret[UNITS_TEXT]);
void units_size_text(int64_t bytes, char ret[UNITS_TEXT]);
void units_rate_text(struct rate rate, char ret[UNITS_TEXT]);

#endif
