/* traffic.h: all transactions of a played world, with the moments at which the relay said MAIL and heard the last word about it:
 * what is measured where the bytes leave, whatever the network and a slow host make of them. At the end the whole list is held
 * against what the configuration allowed: rates, connections of a tenant, messages of a connection, recipients of a message.
 * One belongs to each world; remote.c writes it. */
#ifndef FL_TRAFFIC_H
#define FL_TRAFFIC_H

#include "conf.h"
#include "world.h"

struct traffic;

enum { SENT_DOMAINS = 8 };

struct sent {
    int64_t at_ms, until_ms;      /* mono: MAIL left the relay; it heard the last word, or gave the connection up (NEVER_MS: not yet) */
    int64_t early_ms;             /* mono: of the command before it: the limits were taken between that and at_ms, for a reply to RSET
                                     may have been awaited */
    int life;                     /* of the world, in which the connection began */
    uint64_t connection;
    struct inet_addr source;
    int site;
    struct conf *before, *conf;   /* in force a moment before, and then: a reload takes effect when a queue is used next */
    const struct conf_tenant *tenant; /* in conf; NULL: gone */
    const struct conf_vmta *vmta;
    int rcpts, taken;             /* RCPT commands; those that were not refused */
    int domain_count;
    struct { char name[64]; int rcpts; } domains[SENT_DOMAINS];
    bool is_dsn, lied;            /* lied: the host said something that was not asked; nothing is held against the relay */
    uint64_t end_offset;          /* of remote.c: the last word is in the bytes before this; 0: not ended, UINT64_MAX: not said yet */
    int64_t next_ms;              /* mono: the next one on the same connection began (it may ride with the dot); NEVER_MS: none */
    int before_it;                /* the one before it there, or -1 */
};

struct traffic *traffic_new(struct world *w);
void traffic_free(struct traffic *t);

/* From now on this is in force. */
void traffic_conf(struct traffic *t, struct conf *conf);
/* A transaction of which at_ms, early_ms, life, connection, source, site, before_it and is_dsn are known, for a sender of this domain. Returns
 * its number. */
int traffic_begin(struct traffic *t, const struct sent *known, const char *sender_domain);
struct sent *traffic_at(struct traffic *t, int number);
void traffic_rcpt(struct traffic *t, int number, const char *domain);

/* Whether all of it was within the limits; breaks the world otherwise. */
void traffic_audit(struct traffic *t);

/* Every transaction that began, in the order of at_ms. Valid until the next begins. */
int traffic_sorted(struct traffic *t, struct sent *const **ret);

#endif
