/* envelope.h: one message without its content: what the store keeps of it and the mail streams need to deliver it.
 * Pure. An envelope lives in an arena of its own and is counted. It is built by one thread (ingest, dsn, or the store's load) and
 * does not change once it was handed to store_accept or came out of a load, so that the store thread may read it meanwhile; the
 * state of a recipient that is being delivered lives with the mail streams (vmta/queue.h), not here. */
#ifndef FL_ENVELOPE_H
#define FL_ENVELOPE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "slice.h"
#include "ulid.h"

struct body;

/* Names a queue everywhere below vmta/. The number is given by the mail streams, is never used twice, and stands in the database. */
struct queue_key {
    uint64_t id;
    struct slice tenant, vmta, domain; /* domain: canonical A-labels */
};

/* What a remote server said last, or how far we came. Kept with a recipient and with a queue. */
enum reply_stage {
    STAGE_NONE, STAGE_DNS, STAGE_CONNECT, STAGE_TLS, STAGE_BANNER, STAGE_EHLO, STAGE_STARTTLS, STAGE_AUTH, STAGE_MAIL, STAGE_RCPT,
    STAGE_DATA, STAGE_DOT, STAGES
};
const char *reply_stage_name(enum reply_stage stage); /* "dns" … */

struct last_reply {
    int64_t time_ms;        /* wall; 0: there is none */
    enum reply_stage stage;
    int code;               /* 0: a failure without a reply */
    struct slice enhanced;  /* "4.7.1", or empty */
    struct slice text;      /* cleaned: UTF-8 without control characters, at most 1,000 bytes */
    struct slice mx;        /* host name, or empty */
};

enum notify_bits { NOTIFY_DEFAULT = 0, NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 }; /* RFC 3461 4.1 */
enum dsn_ret { RET_DEFAULT, RET_FULL, RET_HDRS };                                                              /* RFC 3461 4.3 */

struct envelope_rcpt {
    uint32_t number;         /* within the message, from 0, never reused */
    struct queue_key queue;
    struct slice address;    /* local@domain as given (domain as typed) */
    struct slice orcpt;      /* "type;xtext" as received, or empty */
    unsigned notify;         /* enum notify_bits */
    int attempts;            /* ended so far */
    bool delay_notified;     /* a delay DSN went out */
    int64_t due_ms;          /* wall: not before */
    struct last_reply reply;
    bool stray;              /* loop only: it and all of its queue wait for memory (vmta/stray.h) */
};

enum body_type { BODY_7BIT, BODY_8BIT, BODY_BINARY };

struct envelope {
    atomic_int refs;
    struct arena *arena;        /* holds the envelope itself */
    struct ulid id;
    struct slice tenant, user;  /* user: empty for a trusted source and a stranger */
    struct slice client_ip;     /* text; empty for what we made ourselves */
    struct slice job;           /* or empty */
    struct slice pool;          /* the pool that chose the VMTA, or empty */
    struct slice reverse_path;  /* without brackets; empty: null */
    struct slice envid;         /* decoded; or empty */
    enum dsn_ret ret;
    bool smtputf8;              /* MAIL said SMTPUTF8 */
    enum body_type body_type;
    bool long_lines;            /* the content has lines above WIRE_LINE_MAX: not to be sent by DATA where there is another way */
    bool is_dsn;                /* made here: no DSN about it, ever */
    int64_t received_ms, expires_ms; /* wall */
    int64_t size;               /* bytes of the content, unstuffed */
    struct body *body;          /* one reference, or NULL after a load that left it on disk: see place */
    bool fresh;                 /* loop only: stored as a fresh row (see store.h) */
    struct envelope *next_stray; /* loop only: see vmta/stray.h */
    int rcpt_count;
    int rcpt_room;              /* of the array */
    struct envelope_rcpt *rcpts; /* their numbers rise */
};

/* An empty envelope with one reference, and room for rcpts (grows by envelope_add_rcpt). NULL without memory. */
struct envelope *envelope_new(int rcpt_hint);
struct envelope *envelope_ref(struct envelope *e);
/* Frees at the last reference: arena and one reference of the body. Takes NULL. Any thread. */
void envelope_unref(struct envelope *e);
/* Adds a recipient, numbered in order; its slices are copied. NULL without memory. Before it is handed out only. */
struct envelope_rcpt *envelope_add_rcpt(struct envelope *e, const struct envelope_rcpt *r);
/* The recipient with this number, or NULL. */
const struct envelope_rcpt *envelope_rcpt_find(const struct envelope *e, uint32_t number);
/* Copies a text into the envelope. .p is NULL without memory. */
struct slice envelope_text(struct envelope *e, struct slice s);

/* Whether no recipient before the i-th is in its queue: for walks over the queues of a message. */
bool envelope_is_first_of_queue(const struct envelope *e, int i);

#endif
