/* attempt.h: what an attempt to deliver brought: the result of a transaction, recipient by recipient, and the end of a
 * connection. Plain data; pure. Made by smtp_client, handed on by connection, judged by outcome. */
#ifndef FL_ATTEMPT_H
#define FL_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "envelope.h"
#include "reply.h"

/* One recipient's end of a transaction. */
struct rcpt_result {
    enum reply_stage stage;    /* STAGE_RCPT or STAGE_DOT …; where its reply came from */
    bool judged;               /* false: the connection went, or 421, before it was judged */
    bool surplus;              /* the remote takes no more recipients in one transaction (RFC 5321 4.5.3.1.10), but took and
                                  judged others in this one: ready again at once, no attempt counted; judged is false */
    struct reply reply;        /* the remote's, or made here (code 0, a text, perhaps an enhanced code) where there was none */
};

/* How a transaction ended. */
struct transaction_result {
    enum reply_stage stage;    /* how far it came: MAIL, RCPT, DATA, DOT */
    bool mail_refused;         /* reply says why; no recipient was judged */
    bool cannot;               /* the remote lacks what the message needs (SMTPUTF8, 8BITMIME, BINARYMIME, SIZE): reply has
                                  code 0 and our 5.6.x / 5.3.4; every recipient carries it too, judged */
    struct reply reply;        /* of MAIL, or of DATA/BDAT or the dot where one spoke for all */
    struct rcpt_result *rcpts; /* as many as were sent, in their order */
    int rcpt_count;
    bool remote_has_dsn;       /* it takes NOTIFY over: no "relayed" DSN from us */
    int64_t began_ms, ended_ms;/* mono */
};

enum connection_end {
    CONNECTION_QUIT,           /* as asked */
    CONNECTION_FAILED,         /* before it was ready: stage and reply say where */
    CONNECTION_LOST,           /* once ready: 421, reset, time-out, nonsense; on_result for what was under way came before */
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

/* A reply of our own: code 0, an enhanced code or "", and a text. */
static inline void attempt_reply(struct reply *r, const char *enhanced, const char *text)
{
    reply_set(r, 0, enhanced, slice_of(text));
}

#endif
