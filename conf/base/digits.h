/* digits.h: decimal numbers, for lines that are written for every message: there printf would cost more than the rest of the line.
 * Pure; any thread. */
#ifndef FL_DIGITS_H
#define FL_DIGITS_H

#include <stdint.h>

enum { DIGITS_MAX = 20 }; /* of a 64-bit number */

/* Writes v without leading zeros, at most DIGITS_MAX characters and no NUL. Returns what follows the last. */
char *digits_put(char *at, uint64_t v);
/* Writes the last `width` digits of v, zeros in front. Returns what follows the last. */
char *digits_put_padded(char *at, unsigned v, int width);

#endif
