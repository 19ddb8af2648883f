/* oracle_books.h: what the oracle knows of each message, for all of oracle*.c. */
#ifndef FL_ORACLE_BOOKS_H
#define FL_ORACLE_BOOKS_H

#include "ingest.h"
#include "oracle.h"

enum { MESSAGES = 400, RCPTS = 8, TEXT = 128, RULES = 64, TENANTS = 8, NAMES = 32 };

enum handed_in { OFFERED, ACCEPTED, REFUSED, LOST };

struct rcpt {
    char address[TEXT];
    int yes;                 /* hosts took it so often */
    int heard, open;         /* of these: the relay knows (and nothing was committed since, for all we know); on their way */
    int excused;             /* duplicates that the two windows of docs/architecture.md explain */
    bool no;                 /* a host refused it for good */
    bool lied;               /* a host answered what was not asked */
    int ended;               /* events that end it … */
    enum event_kind kind;    /* … the last of them */
    bool ended_unheard;      /* it was gone after a crash that swallowed the event */
    bool found;              /* by the last look into the store */
    int attempts;            /* deferrals that the relay has heard since the last crash */
    int64_t not_before_ms;   /* mono; 0: any time */
    int64_t first_seen_ms;   /* mono, by greylisting hosts; 0: never */
};

struct message {
    struct oracle *oracle;
    enum handed_in state;
    int number, count, length;
    uint64_t seed;
    char tenant[TEXT], sender[TEXT], job[TEXT];
    struct rcpt rcpts[RCPTS];
    int64_t offered_ms;      /* wall: its age counts from here, however long the COMMIT took */
    int64_t offered_mono_ms; /* the same, mono */
    int life;                /* of the world, then */
    int64_t max_queued;      /* recipients of its tenant, and its rate, as they were then */
    struct rate max_rate;
    bool orphaned;           /* its tenant was gone from the configuration meanwhile: a DSN about it has no way */
    int dsns;                /* that arrived, or were refused for good, or ended otherwise */
    /* of the submission, until its end */
    struct ingest_origin origin;
    struct ingest_rcpt to[RCPTS];
};

/* A hold: from when it was answered until a release was asked for (mono). */
struct rule {
    char tenant[TEXT], domain[TEXT], job[TEXT];
    int64_t from_ms, until_ms;
    bool durable;
};

/* What the DNS said of a domain. */
struct named {
    char name[TEXT];
    int64_t missing_ms;      /* mono: it was said first that there is no such domain; 0: never */
    bool takes_none;         /* null MX, or a host that is ourselves */
};

struct oracle {
    struct world *world;
    struct message *messages[MESSAGES];
    int count;
    bool may_drop, stepped;
    struct named names[NAMES];
    int name_count;
    int crashes;
    int64_t refused_ms[TENANTS]; /* mono: a tenant's MAIL was refused last; 0: never; in the order of the configuration */
    struct rule rules[RULES];
    int64_t released_ms;     /* mono: something was */
    int rule_count, durable_rules; /* those before durable_rules are looked at no more */
};

/* Message n is meant by "<kind>n…": its sender ('s') or one of its recipients ('m'); NULL: nobody that is known. */
struct message *books_message(struct oracle *o, const char *address, char kind);
struct rcpt *books_rcpt(struct oracle *o, const char *address);
static inline bool has_ended(const struct rcpt *r) { return r->ended > 0 || r->ended_unheard; }
/* The DNS may say so. */
bool books_may_bounce(struct oracle *o, const struct rcpt *r);
/* It is old enough, or the clock stepped. */
bool books_has_expired(const struct oracle *o, const struct message *m, const struct rcpt *r);

/* oracle_hold.c: MAIL for this recipient left the relay then (mono). */
void oracle_judge_hold(struct oracle *o, const struct message *m, const struct rcpt *rcpt, int64_t sent_ms);
void oracle_hold_crashed(struct oracle *o);

/* oracle_quota.c: this message was accepted just now. */
void oracle_judge_quota(struct oracle *o, const struct message *m);

/* The content that belongs to a message, without its header, unstuffed. */
void oracle_body(const struct message *m, struct buf *b);

#endif
