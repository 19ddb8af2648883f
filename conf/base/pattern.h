/* pattern.h: regular expressions from the configuration (PCRE2), bounded in time and memory whatever they say,
 * since they are code from outside.
 * Pure; a compiled pattern is immutable and shared by threads. */
#ifndef FL_PATTERN_H
#define FL_PATTERN_H

#include "err.h"
#include "slice.h"

struct pattern;

enum { PATTERN_SUBJECT_MAX = 8 * 1024 }; /* octets: a longer subject is too costly */

enum pattern_result {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_TOO_COSTLY, /* a limit was reached: treated as no match by the caller, and reported */
};

/* Compiles the text between two slashes; options after the closing slash: "i" (no regard to case). Bytes, not UTF-8.
 * No references back to what was matched. FL_EINVAL, FL_ELIMIT, FL_ENOMEM. */
int pattern_compile(struct slice slashed, struct pattern **ret, struct fl_err *err);
void pattern_free(struct pattern *p);
enum pattern_result pattern_match(const struct pattern *p, struct slice subject);
/* As written, slashes included. */
struct slice pattern_text(const struct pattern *p);

#endif
