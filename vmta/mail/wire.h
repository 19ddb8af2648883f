/* wire.h: message content in wire form: lines that end in CRLF, a dot doubled at their start (RFC 5321 4.5.2), without the
 * final dot. So a message stays from socket to socket; this file finds where it ends, makes it from BDAT chunks, and takes it
 * back.
 * Pure; one thread at a time. All three work piece by piece, at any cut, with memchr rather than byte by byte. Only CR LF is
 * a line end: a bare CR or LF ends nothing and is reported, since what passes it on is a hole for smuggled mail. */
#ifndef FL_WIRE_H
#define FL_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

enum {
    WIRE_LINE_MAX = 998
}; /* octets of a text line without CRLF and without the doubled dot (RFC 5321 4.5.3.1.6, RFC 5322 2.1.1) */

/* What was seen so far, counted as the content is meant: without the doubled dots. */
struct wire_facts {
    uint64_t bytes;
    uint64_t lines;        /* line ends */
    uint64_t longest_line; /* octets without CRLF; above WIRE_LINE_MAX the caller decides */
    bool bare_cr, bare_lf; /* content with one of these must not be passed on: 550 5.6.0 */
    bool nul, eight_bit;
};

/* --- DATA: the end of the content in a stream */
struct wire_scan {
    struct wire_facts facts;
    bool ended;
    uint8_t state; /* private */
    uint64_t line; /* private: octets of the line under way */
};

void wire_scan_init(struct wire_scan *s);
/* The next piece of content in *in, which is advanced past what was taken. True: *ret is one (never empty; borrowed from *in or
 * a constant). False: *in is used up (up to three bytes that may be the final dot are kept), or ended is set: the final dot was
 * read, and *in is what follows it. Loop until false. The pieces together are the content in wire form. */
bool wire_scan_next(struct wire_scan *s, struct slice *in, struct slice *ret);

/* --- BDAT: raw bytes into wire form. Not for BINARYMIME, whose bytes stay as they are. */
struct wire_stuff {
    struct wire_facts facts;
    uint8_t state; /* private */
    uint64_t line; /* private */
};

void wire_stuff_init(struct wire_stuff *s);
/* As wire_scan_next; pieces are borrowed from *in or constants. All of *in is taken. A CR at the very end is judged by what
 * follows it, in the next chunk or by wire_stuff_end. */
bool wire_stuff_next(struct wire_stuff *s, struct slice *in, struct slice *ret);
/* After the last chunk: what must be added so that the content ends with a line end (CRLF, or nothing; a constant). */
struct slice wire_stuff_end(struct wire_stuff *s);
/* The same into a buffer. Errors of buf; the state is unusable then. */
int wire_stuff_add(struct wire_stuff *s, struct slice raw, struct buf *out);

/* --- back: wire form into raw bytes, for BDAT, --raw, and whoever reads the content */
struct wire_unstuff {
    uint8_t state; /* private; zeroed: the start of the content */
};

void wire_unstuff_init(struct wire_unstuff *s);
/* Pieces borrowed from *in; loop until false. */
bool wire_unstuff_next(struct wire_unstuff *s, struct slice *in, struct slice *ret);
/* Raw size of content in wire form that is there whole: for BDAT's length and SIZE=. */
uint64_t wire_raw_size(struct slice content);

#endif
