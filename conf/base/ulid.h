/* ulid.h: message ids: 48 bits of milliseconds and 80 random bits, so that they sort by age (the ULID specification).
 * Pure; a generator belongs to one thread. Within one millisecond, and when the clock steps back, ids still rise. */
#ifndef FL_ULID_H
#define FL_ULID_H

#include <stdbool.h>
#include <stdint.h>

#include "rand.h"
#include "slice.h"

enum { ULID_BYTES = 16, ULID_TEXT = 27 }; /* text: 26 characters (Crockford's base 32, upper case) and a NUL */

struct ulid {
    uint8_t b[ULID_BYTES];
};

struct ulid_source {
    struct ulid last;
    struct rand *rand; /* borrowed */
};

struct ulid ulid_next(struct ulid_source *src, int64_t wall_ms);
void ulid_text(const struct ulid *id, char ret[ULID_TEXT]);
/* Either case; false unless 26 characters that fit 128 bits. */
bool ulid_parse(struct slice text, struct ulid *ret);
int ulid_cmp(const struct ulid *a, const struct ulid *b);
/* The time inside it. */
int64_t ulid_ms(const struct ulid *id);

#endif
