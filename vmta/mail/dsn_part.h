/* dsn_part.h: the parts of a DSN that have a file of their own; private to dsn*.c. */
#ifndef FL_DSN_PART_H
#define FL_DSN_PART_H

#include "dsn.h"

/* How many recipients this DSN reports. */
static inline size_t dsn_reported(const struct dsn_request *r)
{
    return r->recipients_n < DSN_RECIPIENTS_MAX ? r->recipients_n : DSN_RECIPIENTS_MAX;
}

/* The text for people: lines that end in CRLF, none of which begins with a dot; may hold UTF-8. Errors of buf. */
int dsn_words_write(const struct dsn_request *r, struct buf *out);
/* The fields for programs (RFC 3464 2). unicode: message/global-delivery-status, which holds UTF-8 (RFC 6533 4); otherwise
 * ASCII. Errors of buf. */
int dsn_status_write(const struct dsn_request *r, bool unicode, struct buf *out);

#endif
