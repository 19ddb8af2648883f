/* outcome.h: what an attempt means for the recipients and for what it speaks of: one table, by stage and class
 * (docs/architecture.md has it for people). Pure; any thread. delivery.c asks for each recipient of a transaction, for the
 * end of a connection, and for DNS. */
#ifndef FL_OUTCOME_H
#define FL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "envelope.h"
#include "reply.h"

enum outcome_verdict {
    OUTCOME_DELIVERED,
    OUTCOME_DEFERRED,   /* waits by the schedule; an attempt is counted where the scope is SCOPE_RECIPIENT */
    OUTCOME_BOUNCED,
    OUTCOME_AT_ONCE,    /* ready again now, no attempt counted: 421 or loss before a verdict, surplus recipient, next host */
};

/* What a failure sets back, from small to large. */
enum outcome_scope {
    SCOPE_NONE,
    SCOPE_RECIPIENT,    /* this recipient's own clock */
    SCOPE_QUEUE,        /* (tenant, VMTA, domain); the path too after the refusals that setback.h counts */
    SCOPE_HOST,         /* (source address, remote address): last in the order for 5 minutes */
    SCOPE_PROFILE,      /* the queues with this TLS policy, EHLO name and login on the site */
    SCOPE_PATH,         /* (source address, site) */
    SCOPE_DOMAIN,       /* all queues of the domain */
};

enum outcome_class {
    CLASS_OK,           /* 2xx */
    CLASS_TEMPORARY,    /* 4xx */
    CLASS_PERMANENT,    /* 5xx */
    CLASS_LOST,         /* no reply: refused, reset, timed out, nonsense */
    CLASS_CLOSING,      /* 421 */
    OUTCOME_CLASSES,
};

struct outcome {
    enum outcome_verdict verdict;
    enum outcome_scope scope;      /* set back now */
    bool next_host;                /* the others of the list are tried first … */
    enum outcome_scope exhausted;  /* … and this is set back when none is left (SCOPE_NONE: nothing more) */
};

/* The class of a reply; code 0 is judged by its enhanced code (what was made here), or CLASS_LOST without one. */
enum outcome_class outcome_class(const struct reply *r);
/* The table alone: default for what was answered (or not) at a stage. */
struct outcome outcome_at(enum reply_stage stage, enum outcome_class class);
/* One recipient of a transaction. again: it was made ready at once before for the same reason since its last attempt (at
 * most once). */
struct outcome outcome_of_rcpt(const struct transaction_result *t, const struct rcpt_result *r, bool again);
/* MAIL was refused: the queue waits, or the message bounces (552, 5.3.4, 5.1.7, 5.1.8). Part of outcome_of_rcpt; for the
 * set-back. */
struct outcome outcome_of_mail(const struct reply *r);
/* The end of a connection: what it sets back. its verdict is that of recipients that waited for it. */
struct outcome outcome_of_end(const struct connection_failure *f);

enum outcome_dns {
    OUTCOME_DNS_NXDOMAIN,
    OUTCOME_DNS_NULL_MX,
    OUTCOME_DNS_FAILED,    /* SERVFAIL, time-out, bogus, hosts without addresses */
    OUTCOME_DNS_NO_HOST,   /* no MX, and no address or no_mx_fallback off: as definite as NXDOMAIN */
    OUTCOME_DNS_LOOP,
    OUTCOME_DNS_KINDS,
};

enum { OUTCOME_NXDOMAIN_AGAIN_MS = 5 * 60 * 1000 }; /* a second NXDOMAIN so much later bounces */

/* since_first_ms: how long ago the first such answer in a row was; negative: this is the first. *ret_reply gets what a
 * recipient is told ("5.1.10" …; code 0). */
struct outcome outcome_of_dns(enum outcome_dns kind, int64_t since_first_ms, struct reply *ret_reply);

/* The reply code that goes with an enhanced code of our own, for those who sort bounces by it: 556 for "5.1.10", 552 for "5.3.4" …,
 * 554 where nothing fits better; 0 for what is no failure for good. */
int outcome_own_code(struct slice enhanced);

/* "delivered", "deferred", …; "recipient", "queue", … */
const char *outcome_verdict_name(enum outcome_verdict v);
const char *outcome_scope_name(enum outcome_scope s);

#endif
