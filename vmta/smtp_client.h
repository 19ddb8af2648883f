/* smtp_client.h: the client's side of one SMTP conversation (RFC 5321), from the banner to QUIT. Pure; used by one thread at
 * a time. A driver (vmta/connection.c) loops:
 *   event or input -> smtp_client_next() until SMTP_CLIENT_WAIT -> flush the stream -> more input.
 * Replies are matched to commands strictly in order. A reply that begins before its command was handed out is no reply: the
 * connection ends. At most two transactions are under way: one that waits for the reply to its dot, and one whose commands
 * ride behind it. */
#ifndef FL_SMTP_CLIENT_H
#define FL_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "envelope.h"
#include "content_scan.h"
#include "profile.h"
#include "slice.h"

struct smtp_client;

enum smtp_client_action_type {
    SMTP_CLIENT_WAIT,      /* nothing to do before the next input or deadline */
    SMTP_CLIENT_SEND,      /* write .bytes (valid until the next call) */
    SMTP_CLIENT_START_TLS, /* shake hands now; all that was received is dropped: answer by smtp_client_tls */
    SMTP_CLIENT_READY,     /* once: greeted, under the TLS and with the login that the profile wants */
    SMTP_CLIENT_SCAN,      /* does the content of .env need 8BITMIME or SMTPUTF8, and how long is it (.measures)? answer by
                              smtp_client_scanned */
    SMTP_CLIENT_BODY,      /* write the content of .env as it is kept, or .unstuffed, then smtp_client_body_sent */
    SMTP_CLIENT_ROOM,      /* the dot is written: the next envelope may ride with it */
    SMTP_CLIENT_RESULT,    /* a transaction ended: .result, valid until the next call; its envelope may be let go then */
    SMTP_CLIENT_CLOSE,     /* write what was handed out, then close: .failure, valid until the client is freed */
};

struct smtp_client_action {
    struct slice bytes;
    struct envelope *env;
    bool measures, unstuffed;
    const struct transaction_result *result;
    const struct connection_failure *failure;
};

/* profile is borrowed. skip_tls: under opportunistic STARTTLS is not tried. NULL without memory. */
struct smtp_client *smtp_client_new(const struct profile *profile, bool skip_tls);
/* Takes NULL. Transactions that were not reported are forgotten; their envelopes are the owner's. */
void smtp_client_free(struct smtp_client *c);

/* The stream is connected (and, with implicit_tls, its handshake is done: verified as in smtp_client_tls): the banner is
 * awaited. */
void smtp_client_connected(struct smtp_client *c, int64_t now_ms, bool verified);
/* The handshake asked for is done. verified: chain and name were right. */
void smtp_client_tls(struct smtp_client *c, int64_t now_ms, bool verified);
/* Feeds bytes read from the peer. *in is advanced up to where an action is due: call smtp_client_next until WAIT, then feed
 * the rest. */
void smtp_client_input(struct smtp_client *c, int64_t now_ms, struct slice *in);
/* Why there is no stream any more. */
struct smtp_client_loss {
    enum reply_stage stage; /* STAGE_CONNECT, STAGE_TLS; STAGE_NONE: where the conversation stands */
    bool tls_handshake;  /* an alert or protocol error in the handshake */
    bool no_resources;   /* our own lack */
    const char *text;    /* for people */
};
/* The stream ended or could not be made: what is under way ends unjudged, or as lost after its dot. */
void smtp_client_lost(struct smtp_client *c, int64_t now_ms, const struct smtp_client_loss *loss);
/* The deadline has passed. */
void smtp_client_timeout(struct smtp_client *c, int64_t now_ms);
/* When smtp_client_timeout is due (RFC 5321 4.5.3.2, or the profile's); NEVER_MS: not now. */
int64_t smtp_client_deadline_ms(const struct smtp_client *c);

/* Begins a transaction for some recipients of env (indices; copied). env is borrowed until its RESULT. Its body is
 * asked for its length and form only. FL_ENOMEM: nothing began. Only when smtp_client_can_send. */
int smtp_client_send(struct smtp_client *c, int64_t now_ms, struct envelope *env, const int *rcpt_index, int count);
bool smtp_client_can_send(const struct smtp_client *c);
bool smtp_client_is_idle(const struct smtp_client *c); /* ready, and nothing under way */
int smtp_client_transactions(const struct smtp_client *c);
/* Answers SMTP_CLIENT_SCAN: does the content hold bytes above ASCII, and does its header? */
void smtp_client_scanned(struct smtp_client *c, int64_t now_ms, const struct content_scan *scan);
/* Bytes of the content moved: the deadline of a data block begins anew (4.5.3.2.5). */
void smtp_client_body_progress(struct smtp_client *c, int64_t now_ms);
/* All of the content was queued. ends_in_crlf: its last octets were CR LF, or it has none. */
void smtp_client_body_sent(struct smtp_client *c, int64_t now_ms, bool ends_in_crlf);
/* The content cannot be read: the connection cannot be used any more; the recipients wait. */
void smtp_client_body_failed(struct smtp_client *c, int64_t now_ms, const char *text);
/* Is what is being sent still wanted? False once the connection is to be closed in the middle of the content. */
bool smtp_client_wants_body(const struct smtp_client *c);
/* QUIT; when a transaction is under way or it was never ready: ends at once. */
void smtp_client_quit(struct smtp_client *c, int64_t now_ms);

/* The type that smtp_client_next would return now. */
enum smtp_client_action_type smtp_client_peek(const struct smtp_client *c);
/* Fills *ret and returns its type. Each action comes once. */
enum smtp_client_action_type smtp_client_next(struct smtp_client *c, struct smtp_client_action *ret);

int64_t smtp_client_remote_size(const struct smtp_client *c); /* largest SIZE announced; 0: none */
/* The last lines of the conversation, newline separated, credentials left out; borrowed until the next call of anything. */
struct slice smtp_client_protocol(struct smtp_client *c);

#endif
