/* admin_explain.h: what would become of a message: route, VMTA, queue, every effective setting with its place, or the refusal.
 * Pure; any thread: it asks a configuration, not the relay, so `fairlead explain` works without a daemon too. */
#ifndef FL_ADMIN_EXPLAIN_H
#define FL_ADMIN_EXPLAIN_H

#include <jansson.h>

#include "conf.h"
#include "err.h"

enum { EXPLAIN_HEADERS_MAX = 64 };

struct explain_question {
    struct slice tenant, user; /* user: may be empty */
    struct slice from, to;     /* from: empty or "<>": the null reverse-path */
    int header_count;
    struct {
        struct slice name, value;
    } headers[EXPLAIN_HEADERS_MAX];
    uint64_t seed; /* for the choice among a pool's members */
};

/* Reads {tenant, user, from, to, headers: [[n, v]]}; texts are borrowed from doc. FL_EINVAL: what is wrong with it. */
int explain_question_parse(const json_t *doc, struct explain_question *ret, struct fl_err *err);
/* The answer as documented; a new reference. FL_ENOENT: no such tenant or user. FL_EINVAL: a header that is none. FL_ENOMEM. */
int explain(const struct conf *conf, const struct explain_question *q, json_t **ret, struct fl_err *err);

#endif
