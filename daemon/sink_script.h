/* sink_script.h: the moods of a test MX: at which stage of a session, for whom and how often it answers something else than yes.
 * Pure; a finished script is immutable and shared. Used by cmd/sink (and by tests that play a moody remote). */
#ifndef FL_SINK_SCRIPT_H
#define FL_SINK_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "pattern.h"
#include "rand.h"
#include "slice.h"

/* What a rule's `match` is compared with, in brackets. */
enum sink_stage {
    SINK_AT_CONNECT,  /* the client's address */
    SINK_AT_EHLO,     /* the name that it says */
    SINK_AT_STARTTLS, /* the name that it said */
    SINK_AT_MAIL,     /* the reverse-path, without its brackets */
    SINK_AT_RCPT,     /* the recipient, likewise */
    SINK_AT_DATA,     /* DATA or the first BDAT: "reverse-path recipient…" */
    SINK_AT_DOT,      /* the end of the content: the same, a newline, and the content's first SINK_MATCH_MAX octets */
    SINK_STAGES,
};

enum { SINK_MATCH_MAX = 64 * 1024, SINK_RULES_MAX = 1000 };

enum sink_mood {
    SINK_MOOD_REPLY, /* this instead of the usual reply; with a 2xx or 3xx code the session goes on as if it were that */
    SINK_MOOD_DROP,  /* the connection is closed without a word */
    SINK_MOOD_DELAY, /* the usual reply, later */
    SINK_MOOD_RATE,  /* the usual reply; from now on the connection is read this slowly */
};

struct sink_rule {
    enum sink_stage at;
    enum sink_mood mood;
    struct pattern *match; /* NULL: any */
    int share_permille;    /* of those that match */
    char *reply;           /* whole lines with their CRLF */
    int64_t delay_ms;
    int64_t bytes_per_s;
};

struct sink_script {
    struct sink_rule *rules;
    size_t count;
};

/* A rule as it is written; what is not said is the empty slice. Exactly one of act, delay and rate. */
struct sink_rule_text {
    struct slice at;    /* connect | ehlo | starttls | mail | rcpt | data | dot */
    struct slice match; /* '/re/' */
    struct slice share; /* 10% */
    struct slice act;   /* drop, or a reply: "451 4.7.1 text"; several lines are parted by \n */
    struct slice delay; /* 5s */
    struct slice rate;  /* 10B/s */
};

/* Adds a rule at the end. FL_EINVAL says what is wrong with it; FL_ELIMIT above SINK_RULES_MAX. */
int sink_script_add(struct sink_script *s, const struct sink_rule_text *text, struct fl_err *err);
/* Whether any rule speaks of this stage. */
bool sink_script_has(const struct sink_script *s, enum sink_stage at);
/* The first rule of this stage that matches and, if it has a share, whose turn the dice say it is; NULL: nothing unusual. */
const struct sink_rule *sink_script_find(const struct sink_script *s, enum sink_stage at, struct slice subject, struct rand *dice);
void sink_script_free(struct sink_script *s);
const char *sink_stage_name(enum sink_stage at);

#endif
