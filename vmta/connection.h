/* connection.h: one outgoing connection: the driver between a stream and smtp_client. Loop thread; delivery.c owns it.
 * Life: connection_open → on_ready (greeted, EHLO, TLS and login as the profile wants) → connection_send, on_result, and again … →
 * connection_quit or a failure → on_ended, once, after which the handle is gone. No callback runs inside a call of the owner. */
#ifndef FL_CONNECTION_H
#define FL_CONNECTION_H

#include "clock.h"
#include "conf.h"
#include "envelope.h"
#include "inet.h"
#include "reply.h"
#include "stream.h"
#include "timer.h"

/* What an outgoing connection must be like. All pointers live as long as the connection (the owner holds the conf). */
struct profile {
    enum tls_mode tls;
    enum tls_version tls_min_version;
    const char *tls_ca;        /* NULL: the system's */
    bool tls_fallback;         /* opportunistic only */
    bool implicit_tls;
    const char *ehlo;          /* our EHLO name */
    const char *user, *password; /* login, or NULL */
    bool allow_plaintext_login;
    int64_t connect_timeout_ms;
    int64_t reply_timeout_ms;  /* 0: those of RFC 5321 4.5.3.2 */
};

struct connection_target {
    struct inet_addr source;
    struct inet_endpoint remote;
    const char *mx;            /* host name for people, SNI and verification; the text of the address for a literal */
    bool mx_is_address;
    bool is_probe;             /* one envelope at a time until the first one succeeded */
    bool skip_tls;             /* opportunistic and remembered: this host's handshake fails */
    const struct profile *profile;
};

/* One recipient's end of a transaction. */
struct rcpt_result {
    enum reply_stage stage;    /* STAGE_RCPT or STAGE_DOT …; where its reply came from */
    bool judged;               /* false: the connection went, or 421, before it was judged */
    struct reply reply;        /* the remote's, or made here (code 0 and a text) where there was none */
};

/* How a transaction ended. Borrowed inside on_result. */
struct transaction_result {
    enum reply_stage stage;    /* how far it came: MAIL, RCPT, DATA, DOT */
    bool mail_refused;         /* reply says why; no recipient was judged */
    bool cannot;               /* the remote lacks what the message needs (SMTPUTF8, 8BITMIME, BINARYMIME, SIZE): reply holds our 5.6.x / 5.3.4 */
    struct reply reply;        /* of MAIL, or of DATA/BDAT or the dot where one spoke for all */
    struct rcpt_result *rcpts; /* as many as were sent, in their order */
    int rcpt_count;
    bool remote_has_dsn;       /* it takes NOTIFY over: no "relayed" DSN from us */
    int64_t began_ms, ended_ms;/* mono */
};

enum connection_end {
    CONNECTION_QUIT,           /* as asked */
    CONNECTION_FAILED,         /* before it was ready: stage and reply say where */
    CONNECTION_LOST,           /* after it was ready: 421, reset, time-out, nonsense. on_result for what was under way came before */
    CONNECTION_NO_RESOURCES,   /* our own lack: says nothing of the remote */
};

struct connection_failure {
    enum connection_end end;
    enum reply_stage stage;
    bool tls_handshake;        /* an alert or protocol error in the handshake (not a reset or time-out) */
    bool was_busy;             /* a transaction was under way */
    bool is_421;
    struct reply reply;        /* code 0: none; the text is ours then */
};

struct connection_events {
    void (*on_ready)(void *arg);
    /* The content is about to go out (354 came, or BDAT begins) and the remote offers PIPELINING: the owner may connection_send one
     * more envelope now, whose MAIL … DATA then leave in the same write as the dot. Not on the first transaction of a connection that
     * was opened as a probe (connection_target.is_probe). */
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
 * Only when connection_can_send: idle and ready, or inside on_may_send (RFC 2920 3.1): the next envelope rides with the dot. When the
 * previous transaction ends by 421 or loss, the one that rode along ends unjudged (on_result for each, in order). */
void connection_send(struct connection *c, struct envelope *env, const int *rcpt_index, int count);
bool connection_can_send(const struct connection *c);
bool connection_is_idle(const struct connection *c);
int connection_transactions(const struct connection *c); /* begun on it so far */

/* QUIT, waits for its reply at most 5 s; at once when a transaction is under way or it was never ready (then as abort, but on_ended). */
void connection_quit(struct connection *c);
/* Gone now, no callback. */
void connection_abort(struct connection *c);

/* For `queue show`: the last 20 lines of the protocol of this session, newline separated, credentials left out; borrowed. */
struct slice connection_protocol(const struct connection *c);
const struct stream_tls_info *connection_tls(const struct connection *c); /* NULL: in clear; texts live as long as the connection */
/* Largest SIZE the remote announced; 0: none. */
int64_t connection_remote_size(const struct connection *c);

#endif
