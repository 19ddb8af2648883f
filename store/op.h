/* op.h: one operation of the store, as request and as answer: all that crosses its threads.
 * The loop makes it, one of the store's threads carries it out, the loop runs its done() and frees it. What a call gave as
 * slices is copied behind the struct, in the same piece of memory. */
#ifndef FL_STORE_OP_H
#define FL_STORE_OP_H

#include <sys/queue.h>

#include "store.h"

enum op_type {
    /* store thread */
    OP_ACCEPT, OP_SETTLE, OP_LOAD, OP_LOAD_EXPIRED, OP_SELECT, OP_QUEUE_CLOCK, OP_QUEUE_FORGET, OP_HOLD_PUT, OP_HOLD_DELETE,
    OP_JOB_FORGET,
    /* reader thread */
    OP_READ, OP_LIST_QUEUE, OP_SHOW, OP_DISCARD, OP_THIN,
    /* spool thread */
    OP_SPOOL_WRITE, OP_SPOOL_FINISH, OP_SPOOL_DROP,
    OP_TYPES
};

/* A message that becomes durable. */
struct op_message {
    struct envelope *env; /* one reference; NULL: none */
    bool fresh;
    bool again;           /* its body was stored before: it may be there already */
    struct body_place place;
};

/* Rows that were asked for. */
struct op_rows {
    struct envelope **envelopes; /* malloc; a reference each */
    int count, room;
    struct load_key after;
    bool more;
    int64_t next_due_ms;
};

struct op {
    STAILQ_ENTRY(op) link;
    enum op_type type;
    int rc;
    void *arg; /* of done */
    union {
        store_done *done;
        store_settled *settled;
        store_loaded *loaded;
        store_read_done *read_done;
    };
    char *spare; /* the copies end here */
    union {
        struct op_message accept;
        struct {
            struct envelope *env;
            struct settle_rcpt *rcpts;
            int count;
            bool fresh; /* what the loop thinks: it says where to look first */
            struct envelope *stored; /* the message as it was found, while its names are needed */
            struct op_message dsn;
            struct settle_result result;
            struct body_place gone; /* result.message_gone: where its body was */
        } settle;
        struct {
            uint64_t queue;
            int64_t until_ms;
            int limit;
            struct load_key after;
            struct store_selection selection;
            struct ulid message;
            struct op_rows rows;
        } find;
        struct {
            struct queue_key key;
            int attempts;
            int64_t next_attempt_ms;
            struct last_reply reply;
        } clock;
        struct stored_hold hold;
        struct {
            struct slice tenant, job;
        } job;
        struct {
            struct body *body;
            uint64_t offset;
            size_t n;
            char *bytes;
        } read;
        struct {
            struct slice name; /* of a file of bodies, and a 0 behind it */
            bool keep;         /* as the spare one */
        } discard;             /* from the store thread; never answered */
        struct {
            uint64_t *segments;    /* behind the operation */
            int count;
        } thin;                    /* the same */
        struct {
            struct store_spool *spool;
            struct body *body;
            struct ulid file;
        } spool;
    };
};

STAILQ_HEAD(op_list, op);

/* A fresh operation with room for `extra` bytes of copies. NULL without memory. */
struct op *op_new(enum op_type type, size_t extra);
/* Frees it and the references and rows that it holds. */
void op_free(struct op *op);
/* Copies into the room behind the operation. */
struct slice op_keep(struct op *op, struct slice s);
void *op_keep_bytes(struct op *op, const void *p, size_t n, size_t align);
/* Adds an envelope to the rows that were found; takes the reference. FL_ENOMEM. */
int op_rows_add(struct op_rows *rows, struct envelope *e);
/* Drops what was found, for another try. */
void op_rows_clear(struct op_rows *rows);
/* The message that it makes durable, or NULL. */
struct op_message *op_message(struct op *op);

#endif
