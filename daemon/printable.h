/* printable.h: text from outside, made fit for JSON, metrics and terminals: valid UTF-8 without control characters (C0, DEL,
 * C1). What is not that becomes U+FFFD, one for each byte. Pure; any thread. */
#ifndef FL_PRINTABLE_H
#define FL_PRINTABLE_H

#include "buf.h"

#define PRINTABLE_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* How many bytes at the start are whole printable characters. */
size_t printable_run(struct slice s);
/* How many bytes the first character has, when it is printable; otherwise 0. */
size_t printable_char(struct slice s);
/* Adds the text, what is not printable replaced. Errors of buf. */
int printable_add(struct slice s, struct buf *out);

#endif
