/* bounce.h: the DSN that a settling transaction owes the sender, as an envelope ready for store_settle. Loop thread; no I/O but that
 * it may be given the original's content. Obeys NOTIFY, RET, ENVID, ORCPT (RFC 3461), never answers a null reverse-path nor a DSN,
 * and goes by the tenant's own route. */
#ifndef FL_BOUNCE_H
#define FL_BOUNCE_H

#include "clock.h"
#include "conf.h"
#include "dsn.h"
#include "envelope.h"
#include "ingest.h"

struct bounce_rcpt {
    const struct envelope_rcpt *rcpt;
    enum dsn_action action;
    struct slice status;      /* enhanced code; empty: of the reply's class */
    struct last_reply reply;  /* the remote's words, or our own reason (code 0) */
    int64_t last_attempt_ms;  /* wall; 0: none */
};

/* Whether NOTIFY and the settings (dsn.bounce) want a DSN for this. */
bool bounce_is_wanted(const struct conf *c, const struct envelope *env, const struct bounce_rcpt *r);
/* Whether the original's whole content is needed (RET=FULL on a failure), and not only its header (whose first bytes suffice). */
bool bounce_needs_content(const struct envelope *env);

/* Makes the DSN for those of the recipients for which one is wanted. *ret NULL and 0: none is wanted. original: content from its
 * beginning (whole when bounce_needs_content, else at least the header), or empty. The envelope has its body in memory and its
 * queue named; *ret_fresh as for store_accept. FL_ENOMEM. */
int bounce_make(struct ingest *in, const struct envelope *env, const struct bounce_rcpt *rcpts, int count, struct slice original,
                struct envelope **ret, bool *ret_fresh);
/* After the settle was committed: counts it and hands it on to its queue. */
void bounce_committed(struct ingest *in, struct envelope *dsn, bool fresh);

#endif
