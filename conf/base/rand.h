/* rand.h: seeded random numbers for choices (which MX among equals, jitter), never for secrets.
 * Pure; one thread at a time. The same seed gives the same run. */
#ifndef FL_RAND_H
#define FL_RAND_H

#include <stdint.h>

struct rand {
    uint64_t s[4];
};

void rand_seed(struct rand *r, uint64_t seed);
uint64_t rand_next(struct rand *r);
/* 0 … n-1, evenly; 0 when n is 0. */
uint64_t rand_below(struct rand *r, uint64_t n);

#endif
