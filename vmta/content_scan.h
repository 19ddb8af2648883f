/* content_scan.h: which extensions does a content really need? Clients declare 8BITMIME and SMTPUTF8 for content that turns
 * out to be ASCII; such mail can go to any host. Pure; one thread at a time. */
#ifndef FL_CONTENT_SCAN_H
#define FL_CONTENT_SCAN_H

#include <stdbool.h>

#include "slice.h"

/* Zeroed: nothing seen yet. */
struct content_scan {
    bool eight_bit;         /* a byte above ASCII, anywhere */
    bool header_eight_bit;  /* … before the empty line */
    bool past_header;
    unsigned char line_ends; /* octets of CR LF CR LF seen in a row; at the very start the empty line alone ends the header */
    bool begun;
};

/* The next piece, at any cut. True when no later piece can change what was found. */
bool content_scan_add(struct content_scan *s, struct slice piece);

#endif
