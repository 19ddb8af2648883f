/* domain.h: host and domain names: one form for comparison, and the wildcards of the configuration.
 * Pure; any thread. libidn2 does no I/O and stands behind this file alone. */
#ifndef FL_DOMAIN_H
#define FL_DOMAIN_H

#include <stdbool.h>

#include "slice.h"

enum { DOMAIN_MAX = 254 }; /* 253 octets (RFC 1035 2.3.4, without the root's dot) and a NUL */

/* A syntactically valid domain name of RFC 5321 4.1.2 in the one form that is compared and stored: A-labels, lower case,
 * without a final dot. UTF-8 names go through IDNA 2008 (UTS 46, non-transitional). False when it is no domain name (empty
 * labels, over 63 octets a label, other characters than letters, digits and inner hyphens; underscores are refused too). */
bool domain_canonical(struct slice name, char ret[DOMAIN_MAX]);
/* For people and SMTPUTF8: the U-label form of a canonical name; the name itself when there is none. */
bool domain_unicode(struct slice canonical, char *ret, size_t size);

/* What a configuration key for domains means: an exact name, "*.suffix" (any name below suffix, not suffix itself), or "*".
 * The wildcard stands only at the front. False when malformed. ret is canonical, "*." or "*" included. */
bool domain_pattern_canonical(struct slice pattern, char ret[DOMAIN_MAX + 2]);
/* Both canonical. */
bool domain_matches(struct slice pattern, struct slice domain);
/* How specific a pattern is: exact names above all, then longer suffixes, "*" last (0). Only comparisons have a meaning. */
int domain_specificity(struct slice pattern);

#endif
