/* newline.h: one kind of line end: a bare CR or LF in raw content becomes CRLF (sources.bare_newlines: normalise).
 * Pure; one thread at a time. daemon/smtp_data.c puts it between reading the content and dot-stuffing it anew, so that no line
 * that begins here escapes the stuffing. */
#ifndef FL_NEWLINE_H
#define FL_NEWLINE_H

#include <stdbool.h>

#include "slice.h"

struct newline {
    bool after_cr; /* a CR was read, which the next octet makes whole or bare */
};

/* The next piece of raw content in *in, which is advanced. *ret is borrowed from *in or a constant. Loop until false. */
bool newline_next(struct newline *n, struct slice *in, struct slice *ret);
/* What a CR at the very end becomes, or nothing. */
struct slice newline_end(struct newline *n);

#endif
