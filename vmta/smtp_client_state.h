/* smtp_client_state.h: what the files smtp_client*.c share. Nobody else includes it.
 *
 *  NEW > BANNER > EHLO > (STARTTLS > HANDSHAKE > EHLO) > (AUTH) > READY > QUIT > ENDED
 *                  | 5xx                                             any > ENDED
 *                  +> HELO > READY
 *
 * Inside READY each transaction goes its own way:
 *
 *  (SCAN) > (RSET) > MAIL > RCPT … > DATA > BODY > DOT > OVER       any > OVER: refused, or the connection went */
#ifndef FL_SMTP_CLIENT_STATE_H
#define FL_SMTP_CLIENT_STATE_H

#include "attempt.h"
#include "buf.h"
#include "content_scan.h"
#include "envelope.h"
#include "profile.h"
#include "protocol_log.h"
#include "reply.h"
#include "sasl_client.h"

enum client_phase {
    CLIENT_NEW, CLIENT_BANNER, CLIENT_EHLO, CLIENT_HELO, CLIENT_STARTTLS, CLIENT_HANDSHAKE, CLIENT_AUTH, CLIENT_READY,
    CLIENT_QUIT, CLIENT_ENDED, CLIENT_PHASES
};

enum tx_phase { TX_FREE, TX_SCAN, TX_RSET, TX_MAIL, TX_RCPT, TX_DATA, TX_BODY, TX_DOT, TX_OVER, TX_PHASES };

/* What EHLO offered; forgotten after STARTTLS. */
struct offer {
    bool pipelining, has_size, eight_bit_mime, smtputf8, chunking, binarymime, dsn, starttls;
    unsigned auth;   /* bits of enum auth_mechanism */
    int64_t size;    /* 0: none given */
};

struct transaction {
    enum tx_phase phase;
    struct envelope *env;
    int *index;      /* of its recipients in env */
    int room;        /* recipients that index and result.rcpts have room for */
    int said;        /* recipients whose RCPT was said */
    int heard;       /* … and answered */
    int taken;       /* … with 2xx */
    bool at_once;    /* MAIL, RCPT and DATA were said in one write */
    bool by_bdat;
    uint64_t bdat_bytes; /* what BDAT announces */
    bool says_utf8;  /* MAIL says SMTPUTF8 */
    bool lone_dot;   /* 354, but nobody to write to */
    struct transaction_result result;
};

enum { TRANSACTIONS_AT_ONCE = 2, OUT_MAX = 1 << 20 };

struct smtp_client {
    const struct profile *profile;
    bool skip_tls;
    enum client_phase phase;
    bool is_tls;
    struct offer offer;
    int ehlo_lines;       /* of the reply being read */
    struct reply_parser parser;
    bool unread;          /* the last read was not taken whole: what is left comes with the next call */
    int answerable;       /* of the commands handed out: those that the read under way can answer */
    bool premature;       /* the reply being read began before its command was handed out */
    int64_t since_ms;     /* the deadline counts from here */

    struct buf out;       /* commands not yet handed out */
    bool out_taken;       /* … but they were by the last call of next */
    int issued, handed, answered; /* commands: written into out, given to the driver, replied to */

    bool ask_tls, say_ready, ask_scan, ask_body, say_room, say_close; /* actions that wait */
    bool body_asked;      /* the driver is writing the content */

    struct transaction tx[TRANSACTIONS_AT_ONCE];
    int first, count;     /* the oldest, and how many are under way or not reported */
    int reported;         /* 1: the oldest was handed out by the last call of next */
    bool needs_rset;      /* a transaction was refused before its content */
    int begun;

    struct sasl_client *sasl;
    unsigned auth_mechanism, auth_tried; /* the one in use; those that were refused as unknown */
    struct connection_failure failure;
    struct protocol_log log;
    struct buf log_text;
};

/* --- smtp_client.c */
/* The only function that writes ->phase. */
void client_move(struct smtp_client *c, enum client_phase to);
/* Where commands are written to. */
struct buf *client_out(struct smtp_client *c);
/* Counts and logs the command that stands in out from there on, and adds its CRLF. Errors of buf. */
int client_said(struct smtp_client *c, size_t from);
/* A whole command, given without CRLF. */
int client_say(struct smtp_client *c, const char *command);
/* Did rc say that there is no memory? Then the conversation is ended. */
bool client_out_failed(struct smtp_client *c, int64_t now_ms, int rc);
/* What the conversation ends with. reply: the remote's; or NULL, and words of ours. */
void client_fail(struct smtp_client *c, int64_t now_ms, enum connection_end end, enum reply_stage stage,
                 const struct reply *reply, const char *enhanced, const char *text);
/* The same before it was ready, with the remote still listening: QUIT is said. */
void client_refuse(struct smtp_client *c, int64_t now_ms, enum reply_stage stage, const struct reply *reply,
                   const char *enhanced, const char *text);
/* The same where the remote broke off, or broke the rules. */
void client_lose(struct smtp_client *c, int64_t now_ms, const struct reply *reply, const char *text);
/* Mail may be sent from now on. */
void client_ready(struct smtp_client *c, int64_t now_ms);
/* The transaction that the next reply belongs to, or NULL. */
struct transaction *client_oldest(struct smtp_client *c);

/* --- smtp_client_ehlo.c */
void ehlo_say(struct smtp_client *c, int64_t now_ms);
void ehlo_take_line(struct smtp_client *c, struct slice line);
void ehlo_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);
void helo_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);
void starttls_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);

/* --- smtp_client_auth.c */
void auth_begin(struct smtp_client *c, int64_t now_ms);
void auth_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r);

/* --- smtp_client_fit.c */
enum fit {
    FIT_OK,     /* tx->says_utf8 is set */
    FIT_CANNOT, /* *ret_reply says why */
    FIT_SCAN,   /* only the content tells */
};
/* Can the remote take the message as it is? Recipients that alone it cannot take are judged in tx->result. */
enum fit fit_message(const struct offer *o, struct transaction *tx, struct reply *ret_reply);
/* The same once the content was looked at: FIT_OK or FIT_CANNOT. */
enum fit fit_content(const struct offer *o, const struct transaction *tx, bool eight_bit, bool header_eight_bit,
                     struct reply *ret_reply);

/* --- smtp_client_command.c: MAIL and RCPT with their parameters, without CRLF. Errors of buf. */
int command_mail(const struct offer *o, const struct transaction *tx, struct buf *out);
int command_rcpt(const struct offer *o, const struct transaction *tx, int i, struct buf *out);

/* --- smtp_client_transaction.c */
void transaction_begin(struct smtp_client *c, struct transaction *tx, int64_t now_ms);
void transaction_scanned(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct content_scan *scan);
/* By BDAT goes what is meant, and not what is kept: without the doubled dots. */
bool transaction_unstuffs(const struct transaction *tx);
void transaction_on_reply(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r);
/* The connection goes. r: the 421, or our own words. */
void transaction_abandon(struct transaction *tx, int64_t now_ms, const struct reply *r, bool is_421);
/* It ends with what the recipients have so far. */
void transaction_over(struct transaction *tx, int64_t now_ms, enum reply_stage stage);
/* All recipients that were taken get this verdict. */
void transaction_judge_taken(struct transaction *tx, enum reply_stage stage, const struct reply *r);
enum reply_stage transaction_stage(const struct transaction *tx);
/* The only function that writes ->phase of a transaction. */
void transaction_move(struct transaction *tx, enum tx_phase to);

/* --- smtp_client_content.c */
/* 354 was said, or BDAT is to be. */
void content_begin(struct smtp_client *c, struct transaction *tx, int64_t now_ms);
/* 354 was said, but there is nobody to send to: a lone dot. */
void content_none(struct smtp_client *c, struct transaction *tx, int64_t now_ms);
/* All of it was written. */
void content_sent(struct smtp_client *c, struct transaction *tx, int64_t now_ms, bool ends_in_crlf);
/* The reply to the dot, or to the last BDAT. */
void content_on_reply(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r);
/* 4xx or 5xx while the content is still being written. */
void content_interrupted(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r);
/* We cannot read it ourselves. */
void content_unreadable(struct transaction *tx, const char *text);

#endif
