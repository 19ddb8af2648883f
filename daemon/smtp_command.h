/* smtp_command.h: the verbs that the server knows: one table, which the parser, HELP and tests read.
 * Pure data; the handlers live in smtp_command.c. */
#ifndef FL_SMTP_COMMAND_H
#define FL_SMTP_COMMAND_H

#include <stdint.h>

#include "slice.h"

struct smtp_server;

enum smtp_verb_rules {
    VERB_NEEDS_HELO = 1,     /* 503 before EHLO or HELO */
    VERB_NO_ARGUMENT = 2,    /* 501 with one */
    VERB_NEEDS_ARGUMENT = 4, /* 501 without one */
    VERB_NEEDS_SEED = 16,    /* random octets are asked for first */
    VERB_NEEDS_EHLO = 8,     /* an extension: 503 after HELO only */
};

struct smtp_verb {
    struct slice name; /* in capitals */
    void (*run)(struct smtp_server *s, struct slice args);
    unsigned rules;    /* enum smtp_verb_rules */
    uint16_t line_max; /* octets, CRLF included */
};

extern const struct smtp_verb smtp_verbs[];
extern const int smtp_verb_count;

/* The verb that a line begins with, or NULL. ret_args: what follows it, without blanks around. */
const struct smtp_verb *smtp_verb_find(struct slice line, struct slice *ret_args);

#endif
