/* smtp_state.h: what the files of the SMTP server core share (smtp_server.c, smtp_command.c, smtp_data.c, smtp_auth.c); nobody
 * else includes it. Pure. */
#ifndef FL_SMTP_STATE_H
#define FL_SMTP_STATE_H

#include "arena.h"
#include "buf.h"
#include "newline.h"
#include "smtp_server.h"
#include "wire.h"

/*              +------------ answer ------------+
 *              v                                |
 *   +----> COMMAND --MAIL, RCPT, dot, LAST--> ASKED
 *   |       | ^ | \--DATA--> DATA --dot--------^ ^ |
 *   |       | | \---BDAT---> CHUNK --LAST--------+ |
 *   |       | +--------------+ |                   |
 *   |  AUTH v                                      |
 *   |      SASL <-----------> ASKED --wrong--> DELAYED --> COMMAND
 *   +-- HANDSHAKE <--STARTTLS-- COMMAND          any --> CLOSING --> CLOSED */
enum smtp_state {
    SMTP_STATE_COMMAND,   /* a command line comes */
    SMTP_STATE_SASL,      /* a line of an AUTH exchange comes */
    SMTP_STATE_DATA,      /* content up to the final dot comes */
    SMTP_STATE_CHUNK,     /* octets of a BDAT chunk come */
    SMTP_STATE_ASKED,     /* a question is open */
    SMTP_STATE_DELAYED,   /* a 535 waits for its time */
    SMTP_STATE_HANDSHAKE, /* TLS is being set up */
    SMTP_STATE_CLOSING,   /* SMTP_CLOSE comes next */
    SMTP_STATE_CLOSED,
    SMTP_STATES
};

enum { SMTP_ACTIONS_MAX = 4 }; /* actions that one step may bring */

/* The content under way. */
struct smtp_content {
    bool begun;                /* SMTP_BEGIN_BODY went out */
    bool chunked;              /* by BDAT: only BDAT and RSET may follow */
    bool raw;                  /* BINARYMIME */
    bool newline_mode;         /* bare line ends are normalised */
    enum smtp_say refusal;     /* what its end will be answered; SAYS: nothing is wrong so far */
    struct wire_scan scan;     /* DATA */
    struct wire_stuff stuff;   /* BDAT, and whatever is normalised */
    struct wire_unstuff unstuff; /* DATA that is normalised */
    struct newline newline;    /* likewise */
    struct buf rewritten;      /* likewise: what SMTP_BODY points into */
    uint64_t raw_bytes;        /* octets of raw content */
    uint64_t chunk_left;
    bool chunk_last;
    enum smtp_say chunk_reply; /* SAYS: the chunk belongs to the content; else it is swallowed, and this is said at its end */
};

struct smtp_server {
    enum smtp_state state;
    enum smtp_action_type asked; /* in ASKED: which question */
    struct smtp_server_options options;
    int64_t now_ms;
    int64_t since_ms;            /* when the present wait began */

    struct slice in;             /* not yet parsed; points into the driver's bytes or into kept */
    bool in_is_kept;
    struct buf kept;
    struct buf out;
    size_t fetched;              /* octets of out that the driver has seen */
    bool output_was_full;        /* the last step was not taken for that reason */
    bool skipping;               /* the rest of an over-long line */
    bool broken;                 /* no memory for a reply: nothing but closing is left */
    enum smtp_say quit;          /* SAYS, or what to close with once the open question is answered */

    struct smtp_action actions[SMTP_ACTIONS_MAX];
    int action_first, action_count;

    bool is_tls, is_esmtp, logged_in;
    bool knows_user;             /* the certificate names a user: EXTERNAL */
    bool has_said_auth;          /* … with success: once only */
    char helo[256];              /* "": not said */
    int64_t errors, auth_failures;

    struct arena *arena;         /* of the transaction; NULL: none */
    struct smtp_transaction transaction;
    bool in_mail;                /* MAIL was accepted */
    struct ingest_rcpt candidate;/* the recipient that is asked about */
    int rcpt_room;
    struct smtp_content content;

    struct sasl sasl;
    int64_t auth_asked_ms;       /* when the response came that is being verified */
    uint8_t entropy[SASL_ENTROPY];
    bool seeded;                 /* entropy was not used yet */
    int64_t wall_ms;
};

/* --- smtp_server.c */
/* The only function that writes ->state. */
void smtp_move(struct smtp_server *s, enum smtp_state to);
/* Queues an action. */
void smtp_act(struct smtp_server *s, struct smtp_action a);
/* Queues a question and waits for its answer. */
void smtp_ask(struct smtp_server *s, struct smtp_action a);
void smtp_say(struct smtp_server *s, enum smtp_say say);
void smtp_write(struct smtp_server *s, int code, const char *enhanced, struct slice text);
/* Adds raw reply bytes. */
void smtp_out(struct smtp_server *s, struct slice bytes);
/* Says what is wrong with a command and counts it; above max_errors 421 and the end instead. */
void smtp_error(struct smtp_server *s, enum smtp_say say);
void smtp_error_text(struct smtp_server *s, int code, const char *enhanced, const char *text);
/* Tells the driver of a refusal, for the record. */
void smtp_refused(struct smtp_server *s, const struct smtp_reply *reply, const char *reason, const struct ingest_rcpt *rcpt);
/* Says it and closes. */
void smtp_bye(struct smtp_server *s, enum smtp_say say);
/* One line without its CRLF in *ret (borrowed). False: there is none yet. ret_say: SAYS, or what is wrong with it. limit: the
 * most octets, CRLF included, by what the line begins with. */
bool smtp_take_line(struct smtp_server *s, size_t (*limit)(struct slice line), struct slice *ret, enum smtp_say *ret_say);
/* Forgets the transaction, its content too. */
void smtp_reset(struct smtp_server *s);

/* --- smtp_command.c */
bool smtp_command_run(struct smtp_server *s);
void smtp_command_answer(struct smtp_server *s, const struct ingest_reply *reply);

/* --- smtp_data.c */
void smtp_data_begin(struct smtp_server *s);
/* A chunk of n octets. say: SAYS, or why it is swallowed. */
void smtp_chunk_begin(struct smtp_server *s, uint64_t n, bool last, enum smtp_say say);
bool smtp_data_run(struct smtp_server *s);
bool smtp_chunk_run(struct smtp_server *s);
void smtp_data_answer(struct smtp_server *s, const struct ingest_reply *reply);
void smtp_content_drop(struct smtp_server *s);

/* --- smtp_auth.c */
void smtp_auth_begin(struct smtp_server *s, struct slice args);
bool smtp_auth_run(struct smtp_server *s);
/* The mechanisms that may be used now. */
unsigned smtp_auth_offered(const struct smtp_server *s);
/* A 535 whose time has come. */
void smtp_auth_say_wrong(struct smtp_server *s);

#endif
