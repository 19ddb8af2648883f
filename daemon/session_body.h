/* session_body.h: the content of one message on its way in: in memory up to a size, then into a file of its own as it comes
 * (the store writes it, session.c stops reading while that is slow). What goes wrong is kept until the end, when the client can
 * be told. Loop thread; daemon/session.c. */
#ifndef FL_SESSION_BODY_H
#define FL_SESSION_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "body.h"
#include "ingest.h"
#include "slice.h"
#include "store.h"

enum { SESSION_SPOOL_WAITING_MAX = 1 << 20 }; /* octets that the store has yet to write: above it the client waits */

struct session_body {
    struct body *body;         /* one reference, or NULL */
    struct store_spool *spool; /* what follows the part in memory, or NULL */
    struct store *store;
    bool open;                 /* content comes */
    bool finishing;            /* the spool is being closed: done is to come */
    int error;                 /* 0, or what went wrong (FL_E…) */
    void (*written)(void *arg);
    store_done *done;
    void *arg;
};

/* written runs when the spool has caught up. arg is borrowed until the end. Errors are kept. */
void session_body_begin(struct session_body *b, struct store *store, struct body_budget *budget, bool raw,
                        void (*written)(void *arg), void *arg);
/* spool_after: octets in memory above which the rest goes to disk. */
void session_body_add(struct session_body *b, struct slice bytes, int64_t spool_after);
/* The content is whole: done(arg, 0 or an error) runs now, or when the spool is safe. */
void session_body_finish(struct session_body *b, store_done *done, void *arg);
/* After done with 0: the reference is given. */
struct body *session_body_take(struct session_body *b);
/* Throws away what is there; not while finishing. Twice does no harm. */
void session_body_drop(struct session_body *b);

bool session_body_is_open(const struct session_body *b);
bool session_body_is_finishing(const struct session_body *b);
/* Whether the store lags so far behind that the client must wait. */
bool session_body_must_wait(const struct session_body *b);
/* What to tell the client of an error: 452 or 451. */
struct ingest_reply session_body_reply(int rc);

#endif
