/* settle.h: the end of a recipient: what was decided goes to the store with the DSN about it, in one transaction; after COMMIT the
 * counts are brought up to date and the events go up. Loop thread. */
#ifndef FL_SETTLE_H
#define FL_SETTLE_H

#include "mta.h"

/* What was decided about one recipient. */
struct settle_verdict {
    int rcpt;                  /* index into env->rcpts */
    enum settle_kind kind;
    bool counts_attempt;       /* this is the end of an attempt: attempts rise by one */
    bool is_deferral;          /* SETTLE_PARK after an attempt: event `deferred` */
    int64_t due_ms;            /* SETTLE_PARK */
    struct queue *to;          /* SETTLE_PARK: moved there; NULL: stays */
    struct last_reply reply;   /* copied; time_ms 0: none */
    bool dsn;                  /* a DSN is wanted where NOTIFY and settings want one (bounced, expired, delivered) */
    bool delay_notice;         /* SETTLE_PARK: the sender is told that it waits, once (with dsn) */
    bool relayed;              /* delivered to a host without DSN: action relayed */
};

/* Where it happened; texts are copied. */
struct settle_place {
    struct slice mx;
    struct inet_addr mx_ip, source_ip; /* family 0: none */
    struct slice tls_version, tls_cipher;
    bool tls_verified;
    int64_t delivery_ms;       /* -1: none */
};

/* Settles all recipients of e (READY or SENDING, SETTLING from here on; freed at the end). Without memory it goes back to READY, and
 * is attempted again. verdicts: one for each recipient of e. */
void settle_entry(struct mta *m, struct queue_entry *e, const struct settle_verdict *verdicts, const struct settle_place *place);
/* Whether an order keeps it from going: its job is held, or it was held while it was sent. */
bool settle_is_held(const struct mta *m, const struct queue_entry *e);
/* An entry that is new in memory, or comes back from a connection without a verdict: READY, or treated as an order that was given
 * meanwhile demands: put aside where it is held, gone where it was dropped. */
void settle_put_back(struct mta *m, struct queue_entry *e);
/* A recipient's end by command, without an attempt: dropped, or bounced where its sender is to hear of it. */
struct settle_verdict settle_by_command(int rcpt, bool sender_hears, int64_t now_ms);
/* All recipients of e bounce (or expire) for the same reason. */
void settle_all(struct mta *m, struct queue_entry *e, enum settle_kind kind, const struct last_reply *reply, bool dsn);
/* Recipients that are parked and were selected, not in memory: the envelope comes from store_load or store_select. queue: where they
 * are. done (may be NULL) runs after COMMIT. Takes no reference: makes its own. */
void settle_parked(struct mta *m, struct queue *q, struct envelope *env, const struct settle_verdict *verdicts, int count,
                   void (*done)(void *arg), void *arg);
/* Settles under way: shutdown waits for 0. */
int settles_pending(const struct mta *m);

#endif
