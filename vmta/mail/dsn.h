/* dsn.h: the text of a delivery status notification: header and multipart/report (RFC 3461, 3462, 3464; with SMTPUTF8 RFC
 * 6533) in wire form, ready for the store.
 * Pure; any thread. vmta/outcome.c decides that one is due and to whom; this file only writes. One DSN speaks of all
 * recipients that one settling transaction settles. */
#ifndef FL_DSN_H
#define FL_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

enum dsn_action {
    DSN_FAILED,    /* refused for good, or expired (status 4.4.7 or 5.4.7) */
    DSN_DELAYED,   /* still tried */
    DSN_DELIVERED, /* final */
    DSN_RELAYED,   /* handed to a host that does not know DSN */
    DSN_EXPANDED,
    DSN_ACTIONS,
};

struct dsn_recipient {
    struct slice address; /* envelope's recipient; may be UTF-8 */
    struct slice orcpt;   /* "type;address", decoded, as in esmtp_rcpt; empty: none */
    enum dsn_action action;
    struct slice status;     /* "5.1.1"; one whose class does not fit action is replaced by 5.0.0, 4.0.0 or 2.0.0 */
    struct slice remote_mta; /* name of the host that spoke; empty: nobody did (diagnostic is then our own reason) */
    int code;                /* its reply; 0: none */
    struct slice enhanced;   /* of its reply; empty: none */
    struct slice diagnostic; /* its words (cleaned by reply.h), or our own reason */
    int64_t last_attempt_ms; /* wall clock; 0: none */
    int64_t retry_until_ms;  /* DSN_DELAYED: when we give up; 0: not said */
};

struct dsn_request {
    struct slice hostname; /* ours: Reporting-MTA, From, Message-ID */
    struct slice id;       /* of the DSN as a message: [A-Za-z0-9]; Message-ID and boundaries come from it */
    struct slice sender;   /* the reverse-path it goes to; not empty */
    struct slice envid;    /* decoded; empty: none */
    int64_t arrival_ms;    /* of the message it speaks of */
    int64_t now_ms;
    const struct dsn_recipient *recipients;
    size_t recipients_n;   /* at least 1 */
    struct slice original; /* the message in wire form, or its beginning up to the end of its header at least; empty: unknown */
    bool full;             /* return all of original (RET=FULL); otherwise its header */
    bool original_smtputf8; /* it came with SMTPUTF8 */
};

/* What the DSN needs of the next host. */
struct dsn_needs {
    bool eight_bit, smtputf8;
};

enum { DSN_RECIPIENTS_MAX = 1000 }; /* recipients reported in one; more are counted in a last sentence of the human part */

/* Adds the whole content. Errors of buf. */
int dsn_write(const struct dsn_request *r, struct buf *out, struct dsn_needs *ret);

#endif
