/* smtp_server.h: the server's side of one SMTP conversation (RFC 5321).
 * Pure; used by one thread at a time. A driver (daemon/session.c) loops:
 *   input, answer or tick -> smtp_server_next() until SMTP_WAIT -> send the output.
 * While a question (SMTP_ASK_*) is open, or TLS is being set up, input is kept and not parsed.
 *
 * Files: smtp_command.c has the verbs, smtp_data.c the content, smtp_auth.c AUTH, smtp_state.h what they share. */
#ifndef FL_SMTP_SERVER_H
#define FL_SMTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "envelope.h"
#include "ingest.h"
#include "replies.h"
#include "sasl.h"
#include "slice.h"

struct smtp_server;

/* Whether MAIL needs more than a greeting. */
enum smtp_access {
    SMTP_ACCESS_OPEN,       /* a trusted source, or an inbound listener, whose recipients are judged one by one */
    SMTP_ACCESS_LOGIN,      /* only who has logged in */
    SMTP_ACCESS_NONE,       /* nobody from here: 550 5.7.1 */
};

/* What holds for this client. Plain data; copied but for hostname. */
struct smtp_server_options {
    struct slice hostname;          /* borrowed as long as the options are in force */
    enum smtp_access access;
    bool offer_tls;                 /* STARTTLS */
    bool require_tls_before_auth;
    unsigned mechanisms;            /* bits 1 << enum sasl_mechanism; 0: no AUTH. EXTERNAL comes by smtp_server_tls_done */
    int64_t max_size;               /* octets of content */
    int64_t max_rcpts;              /* per message */
    int64_t max_errors;             /* then 421; INT64_MAX: never */
    int64_t max_auth_failures;      /* likewise */
    int64_t auth_failure_delay_ms;  /* before each 535, counted from the response that was wrong */
    int64_t command_timeout_ms, data_timeout_ms;
    bool distrust;                  /* a stranger: refused recipients count as errors too */
    bool normalise_newlines;        /* a bare CR or LF in the content becomes CRLF; else 550 5.6.0 */
};

/* One transaction; what the questions are about. Borrowed inside the action and until the answer. */
struct smtp_transaction {
    struct slice reverse_path;        /* without brackets, source route removed; empty: null */
    struct slice reverse_path_domain; /* canonical; empty with a null path */
    int64_t declared_size;            /* SIZE=, or 0 */
    struct slice envid;               /* decoded */
    enum dsn_ret ret;
    bool smtputf8;
    enum body_type body_type;
    struct ingest_rcpt *rcpts;        /* accepted ones */
    int rcpt_count;
    uint64_t size;                    /* SMTP_ASK_COMMIT: octets of the content, unstuffed */
    bool eight_bit;                   /* SMTP_ASK_COMMIT: the content has octets above 127 */
    bool long_lines;                  /* SMTP_ASK_COMMIT: … lines above WIRE_LINE_MAX */
    int64_t dot_ms;                   /* SMTP_ASK_COMMIT: when its end was read, mono */
};

enum smtp_action_type {
    SMTP_WAIT,       /* nothing to do before the next input, answer or deadline */
    SMTP_START_TLS,  /* flush the output, then shake hands and call smtp_server_tls_done; all input was dropped */
    SMTP_ASK_SEED,   /* AUTH begins: random octets, by smtp_server_seed, at once */
    SMTP_ASK_SALT,   /* .auth->user: which SCRAM salt? answer by smtp_server_salt, at once */
    SMTP_ASK_AUTH,   /* .auth: are these credentials right? answer by smtp_server_auth */
    SMTP_ASK_MAIL,   /* .transaction: may this reverse-path send? */
    SMTP_ASK_RCPT,   /* .rcpt, .transaction: may this recipient be accepted? */
    SMTP_BEGIN_BODY, /* content will come; .transaction->body_type BODY_BINARY: its bytes stay raw */
    SMTP_BODY,       /* .bytes: content in wire form (dot-stuffed; BDAT is stuffed here), or raw; valid until the next call */
    SMTP_DROP_BODY,  /* what came since SMTP_BEGIN_BODY is void */
    SMTP_ASK_COMMIT, /* .transaction: make it durable: only the answer lets 250 out */
    SMTP_REFUSED,    /* .reply, .reason, .transaction, .rcpt (or NULL): a submission that was refused here, for the record */
    SMTP_CLOSE,      /* flush the output, then close; only SMTP_WAIT follows */
};

struct smtp_action {
    enum smtp_action_type type;
    struct slice bytes;
    const struct sasl_request *auth;
    const struct smtp_transaction *transaction;
    const struct ingest_rcpt *rcpt;
    const struct smtp_reply *reply;
    const char *reason;              /* a short stable word: "auth", "size", "relay", … */
};

enum {
    SMTP_LINE_MAX = 512,             /* octets of a command line with CRLF (RFC 5321 4.5.3.1.4) */
    /* with SIZE, BODY, SMTPUTF8, AUTH, RET and ENVID (RFCs 1870, 6152, 6531, 4954, 3461) */
    SMTP_MAIL_LINE_MAX = 512 + 26 + 17 + 10 + 500 + 116,
    SMTP_RCPT_LINE_MAX = 512 + 29 + 507 + 10,            /* with NOTIFY, ORCPT (RFC 3461), SMTPUTF8 */
    SMTP_AUTH_LINE_MAX = 12288,      /* RFC 4954 4.4 */
    SMTP_EXCESS_MAX = 16 << 20,      /* octets above max_size that are read to answer 552 in step; beyond: 552 and closed */
    SMTP_OUTPUT_MAX = 16 << 10,      /* replies not yet fetched: no further command is taken above it */
    SMTP_KEPT_MAX = 64 << 10,        /* input kept: the driver stops reading above it */
};

/* What the conversation begins on: in clear, or under TLS already, whose certificate may name a user. */
enum smtp_channel { SMTP_CLEAR, SMTP_TLS, SMTP_TLS_KNOWS_USER };

/* A conversation that begins with 220, or, with refusal (a 421 of replies.h, else SAYS), by that and a close.
 * NULL without memory. */
struct smtp_server *smtp_server_new(const struct smtp_server_options *options, enum smtp_say refusal, enum smtp_channel channel,
                                    int64_t now_ms);
/* Overwrites what was secret. Takes NULL. */
void smtp_server_free(struct smtp_server *s);
/* Other options from now on: after a reload, between transactions; and after a log-in. */
void smtp_server_set_options(struct smtp_server *s, const struct smtp_server_options *options);

/* Feeds bytes read from the peer. Borrowed until smtp_server_next returns SMTP_WAIT; only then what is unfinished is copied.
 * now_ms: monotonic. Errors are replies in the output, so none is returned. */
void smtp_server_input(struct smtp_server *s, int64_t now_ms, struct slice in);
/* Fills *ret and returns its type. A question comes once, and is answered once, now or later. */
enum smtp_action_type smtp_server_next(struct smtp_server *s, struct smtp_action *ret);
/* All reply bytes since the last call. Borrowed: valid until the next call of any function here. */
struct slice smtp_server_output(struct smtp_server *s);
/* Whether smtp_server_next has more to do without new input (output was above SMTP_OUTPUT_MAX): send, then go on. */
bool smtp_server_has_more(const struct smtp_server *s);
/* False while so much input is kept that reading should pause. */
bool smtp_server_wants_input(const struct smtp_server *s);

/* Whether the next input may hold a password: then the driver overwrites it once smtp_server_next has said SMTP_WAIT. */
bool smtp_server_hears_secrets(const struct smtp_server *s);

/* Answer to SMTP_ASK_MAIL, _RCPT, _COMMIT. 250 to the first two lets the server's own words out; 421 closes. Copied. */
void smtp_server_answer(struct smtp_server *s, int64_t now_ms, const struct ingest_reply *reply);
/* Answer to SMTP_ASK_SALT. */
void smtp_server_salt(struct smtp_server *s, struct slice salt, int iterations);

enum smtp_auth_verdict { SMTP_AUTH_WRONG, SMTP_AUTH_RIGHT, SMTP_AUTH_LATER /* could not be verified now: 454 */ };
/* Answer to SMTP_ASK_AUTH. signature: SCRAM's, when right; else NULL. A right one opens SMTP_ACCESS_LOGIN. */
void smtp_server_auth(struct smtp_server *s, int64_t now_ms, enum smtp_auth_verdict verdict, const uint8_t *signature);
/* Answer to SMTP_ASK_SEED. wall_ms: for CRAM-MD5's challenge. */
void smtp_server_seed(struct smtp_server *s, const uint8_t entropy[SASL_ENTROPY], int64_t wall_ms);

/* The handshake is done. knows_user: the client's certificate names a user: logged in by it, and EXTERNAL is offered. */
void smtp_server_tls_done(struct smtp_server *s, int64_t now_ms, bool knows_user);
/* Ends it with a 421 (say) and SMTP_CLOSE: now, or when the message under way and the open question are answered. */
void smtp_server_quit(struct smtp_server *s, enum smtp_say say);

/* When to call smtp_server_tick; NEVER_MS: not at all. */
int64_t smtp_server_deadline_ms(const struct smtp_server *s);
void smtp_server_tick(struct smtp_server *s, int64_t now_ms);

/* For Received: and the log. */
struct slice smtp_server_helo(const struct smtp_server *s); /* empty before */
bool smtp_server_is_esmtp(const struct smtp_server *s);

#endif
