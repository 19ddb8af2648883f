/* digest.h: SHA-256 of bytes that are there whole. Pure; any thread. One wrapper, so that callers need not know the library. */
#ifndef FL_DIGEST_H
#define FL_DIGEST_H

#include "slice.h"

enum { DIGEST_HEX = 65 }; /* NUL included */

/* In lower-case hex. All zeros when the library fails (out of memory). */
void digest_sha256_hex(struct slice bytes, char ret[DIGEST_HEX]);

#endif
