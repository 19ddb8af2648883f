/* qp.h: quoted-printable (RFC 2045 6.7): text that must pass a host without 8BITMIME.
 * Pure; any thread. Used by dsn.c. */
#ifndef FL_QP_H
#define FL_QP_H

#include "buf.h"
#include "slice.h"

/* Encodes text whose lines end in CRLF. No line of the result begins with a dot or is longer than 76 octets. Errors of buf. */
int qp_encode(struct slice text, struct buf *out);

#endif
