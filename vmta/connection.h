/* connection.h: one outgoing connection: the driver between a stream and smtp_client. Loop thread; delivery.c owns it. Life:
 * connection_open → on_ready (greeted, EHLO, TLS and login as the profile wants) → connection_send, on_result, and again … →
 * connection_quit or a failure → on_ended, once, after which the handle is gone. No callback runs inside a call of the
 * owner. */
#ifndef FL_CONNECTION_H
#define FL_CONNECTION_H

#include "attempt.h"
#include "clock.h"
#include "envelope.h"
#include "inet.h"
#include "profile.h"
#include "stream.h"
#include "timer.h"

struct connection_target {
    struct inet_addr source;
    struct inet_endpoint remote;
    const char *mx;            /* host name for people, SNI and verification; the text of the address for a literal */
    bool mx_is_address;
    bool is_probe;             /* one envelope at a time until the first one succeeded */
    bool skip_tls;             /* opportunistic and remembered: this host's handshake fails */
    const struct profile *profile;
};

/* What is handed over is borrowed inside the callback. */
struct connection_events {
    void (*on_ready)(void *arg);
    /* The content is about to go out (354 came, or BDAT begins) and the remote offers PIPELINING: the owner may
     * connection_send one more envelope now, whose MAIL … DATA then leave in the same write as the dot. Not on the first
     * transaction of a connection that was opened as a probe (connection_target.is_probe). */
    void (*on_may_send)(void *arg);
    void (*on_result)(void *arg, const struct transaction_result *r);
    void (*on_ended)(void *arg, const struct connection_failure *f);
};

/* What a relay hands to all its connections. */
struct connection_context {
    struct streams *streams;
    struct timers *timers;
    struct store *store;       /* bodies that are on disk */
    const struct now *now;     /* of this turn */
};

struct connection;

int connection_open(struct connection_context *cx, const struct connection_target *t, const struct connection_events *events,
                    void *arg, struct connection **ret);

/* One envelope to some of its recipients. rcpt_index: indices into env->rcpts; copied. Takes a reference of env until on_result.
 * Only when connection_can_send: idle and ready, or inside on_may_send (RFC 2920 3.1): the next envelope rides with the dot. When
 * the previous transaction ends by 421 or loss, the one that rode along ends unjudged (on_result for each, in order). Without
 * memory nothing begins: the connection ends by CONNECTION_NO_RESOURCES, without an on_result for this envelope. */
void connection_send(struct connection *c, struct envelope *env, const int *rcpt_index, int count);
bool connection_can_send(const struct connection *c);
bool connection_is_idle(const struct connection *c);
int connection_transactions(const struct connection *c); /* begun on it so far */

/* QUIT, waits for its reply at most 5 s; at once when a transaction is under way or it was never ready (then as abort, but
 * on_ended). */
void connection_quit(struct connection *c);
/* Gone now, no callback. */
void connection_abort(struct connection *c);

/* For `queue show`: the last 20 lines of the protocol of this session, newline separated, credentials left out; borrowed. */
struct slice connection_protocol(const struct connection *c);
/* NULL: in clear. Texts live as long as the connection. */
const struct stream_tls_info *connection_tls(const struct connection *c);
/* Largest SIZE the remote announced; 0: none. */
int64_t connection_remote_size(const struct connection *c);

#endif
