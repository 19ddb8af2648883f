/* header.h: the header of a message in wire form (RFC 5322 2.2, 3.6): found, read field by field, and rewritten without
 * touching a byte of what stays.
 * Pure; any thread. Ingest and routing call it. */
#ifndef FL_HEADER_H
#define FL_HEADER_H

#include <stdbool.h>

#include "address.h"
#include "arena.h"
#include "buf.h"
#include "slice.h"

enum {
    HEADER_BYTES_MAX = 256 * 1024, /* octets of all fields */
    HEADER_FIELDS_MAX = 2000,
    HEADER_FROM_MAX = 100, /* addresses in From: */
    HEADER_HOPS_MAX = 100, /* Received: fields before it is a loop (RFC 5321 6.3; 554 5.4.6, the caller's) */
};

enum header_status {
    HEADER_OK,
    HEADER_MORE,      /* the end of the header was not there yet */
    HEADER_TOO_LARGE, /* HEADER_BYTES_MAX or HEADER_FIELDS_MAX: 552 5.3.4 */
};

struct header_scan {
    struct slice block; /* all fields, with their CRLFs, without the empty line; borrowed from the content */
    size_t body_at;     /* where the body begins in the content: past the empty line */
    bool has_separator; /* an empty line ended it */
    bool is_broken;     /* a line that is neither field nor continuation ended it: the body begins there */
    unsigned fields, received, from;
    bool has_date, has_message_id;
    bool eight_bit; /* a byte above 127 in the header: SMTPUTF8's concern */
};

/* Reads the header at the start of content. whole: nothing follows content, so that its end ends the header. Stops, with
 * is_broken set, at a line that is neither a field nor a continuation: that is where the body begins then. */
enum header_status header_scan(struct slice content, bool whole, struct header_scan *ret);

struct header_field {
    struct slice raw;   /* the whole field, all its lines with their CRLFs */
    struct slice name;  /* without the doubled dot, should it begin with one */
    struct slice value; /* between the colon and the last CRLF; folded as it is */
};

/* Cuts the first field off *rest (which begins as header_scan's block). False at the end. */
bool header_next(struct slice *rest, struct header_field *ret);
/* The first field of that name in a block; false when there is none. */
bool header_find(struct slice block, struct slice name, struct header_field *ret);
/* The value on one line (RFC 5322 2.2.3), without blanks at its ends, NUL-terminated, cut to fit size. Returns its length. */
size_t header_unfold(struct slice value, char *ret, size_t size);

enum header_from_status {
    HEADER_FROM_OK,
    HEADER_FROM_NONE,      /* no From: field */
    HEADER_FROM_SEVERAL,   /* more than one field (RFC 5322 3.6 allows one) */
    HEADER_FROM_MALFORMED, /* no address list, or no address in it */
    HEADER_FROM_TOO_MANY,  /* HEADER_FROM_MAX */
    HEADER_FROM_NOMEM,
};

/* Every address of From:, groups opened, comments and display names dropped (RFC 5322 3.4, obsolete forms of 4.4 included: what
 * a recipient's program would show must not hide from the check). The array and all texts are the arena's. */
enum header_from_status header_from(struct slice block, struct arena *arena, struct address **ret, size_t *ret_n);

/* Writes a new header: prefix (whole fields with CRLF: Received: and what is added), the fields that stay, byte by byte, and
 * the empty line if there was one. Fields named in remove (without regard to case) go, with their continuation lines. The
 * caller sends content from scan->body_at after it. An empty line is added to a broken header, and to one without a field: where
 * we stopped reading, others must stop too, or a From: further down would be theirs alone. Errors of buf. */
int header_rewrite(const struct header_scan *scan, struct slice prefix, const struct slice *remove, size_t remove_n,
                   struct buf *out);

/* "Date: …" and "Message-ID: <id@hostname>" with CRLF, for submissions without them (RFC 6409 8). Errors of buf. */
int header_add_date(int64_t wall_ms, struct buf *out);
int header_add_message_id(struct slice id, struct slice hostname, struct buf *out);

#endif
