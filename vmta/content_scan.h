/* content_scan.h: which extensions does a content really need, and how long is it without doubled dots? Clients declare
 * 8BITMIME and SMTPUTF8 for content that turns out to be ASCII; such mail can go to any host. Pure; one thread at a time. */
#ifndef FL_CONTENT_SCAN_H
#define FL_CONTENT_SCAN_H

#include <stdbool.h>

#include "slice.h"
#include "wire.h"

/* Zeroed: nothing seen yet. */
struct content_scan {
    bool measures;          /* set at the beginning: raw_bytes is wanted, so all of it must be seen */
    uint64_t raw_bytes;     /* of what was seen, as BDAT sends it; with `measures` */
    bool eight_bit;         /* a byte above ASCII, anywhere */
    bool header_eight_bit;  /* … before the empty line */
    bool past_header;
    unsigned char line_ends; /* octets of CR LF CR LF seen in a row; at the very start the empty line alone ends the header */
    bool begun;
    struct wire_unstuff unstuff;
};

/* The next piece, at any cut. True when no later piece can change what was found. */
bool content_scan_add(struct content_scan *s, struct slice piece);

#endif
