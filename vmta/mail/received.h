/* received.h: our own trace field (RFC 5321 4.4, protocol names of RFC 3848 and 6531 4.3).
 * Pure; any thread. Ingest puts it before the message. What the network chose is cleaned, so that no value can begin a line of
 * its own, end a comment, or grow past a line. */
#ifndef FL_RECEIVED_H
#define FL_RECEIVED_H

#include <stdbool.h>

#include "buf.h"
#include "inet.h"
#include "slice.h"

struct received {
    struct slice helo;        /* what the client called itself; replaced by its address when it is no name */
    struct slice client_name; /* verified name of the client's address; empty: none */
    struct inet_addr client;  /* family 0: not over the network */
    bool hide_client;         /* nothing of the three above is shown */
    struct slice hostname;    /* ours */
    bool esmtp, tls, auth, smtputf8;
    struct slice tls_version, tls_cipher; /* shown when tls */
    struct slice id;                      /* the message's */
    struct slice recipient; /* the only recipient, as typed; empty when there are several, or it is not to be shown */
    int64_t wall_ms;
};

/* "SMTP", "ESMTP", "ESMTPSA", "UTF8SMTPS", … */
const char *received_protocol(const struct received *r);
/* Adds the field, with its CRLF, in wire form, lines below 78 octets where a value permits and never above 998. Errors of buf.
 */
int received_write(const struct received *r, struct buf *out);

#endif
