/* base64.h: RFC 4648 4, strictly: padding is required, nothing else than the alphabet is taken, unused bits are zero, so that
 * one value has one text.
 * Pure; any thread. SASL on both sides (RFC 4954), SCRAM verifiers. */
#ifndef FL_BASE64_H
#define FL_BASE64_H

#include <stdbool.h>

#include "buf.h"

/* Octets of the text of n octets. */
static inline size_t base64_size(size_t n) { return (n + 2) / 3 * 4; }

/* Adds the text of bytes. Errors of buf. */
int base64_encode(struct slice bytes, struct buf *out);
/* Adds what text stands for. 0; FL_EINVAL when malformed; errors of buf. Nothing is added on failure. */
int base64_decode(struct slice text, struct buf *out);

#endif
