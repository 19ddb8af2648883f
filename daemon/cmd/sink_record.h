/* sink_record.h: what a test MX keeps of a message: a line on stdout, a place in an mbox, a file of its own.
 * Main thread; for cmd/sink_uv.c. Writes block. */
#ifndef FL_SINK_RECORD_H
#define FL_SINK_RECORD_H

#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "sink.h"
#include "sink_session.h"

struct sink_record {
    const struct sink_options *options; /* borrowed */
    int mbox;                           /* -1: none */
    uint64_t files;                     /* numbers for the names of .eml files */
    struct buf lines;                   /* for stdout, until the next flush */
};

/* Who sent it. */
struct sink_peer {
    const char *ip;
    const char *tls_version, *tls_cipher; /* NULL: in clear */
};

/* Opens the mbox, and makes the folder for .eml files. */
int sink_record_open(struct sink_record *r, const struct sink_options *options, struct fl_err *err);
void sink_record_close(struct sink_record *r);
/* 0, or an error that the client is not told: it ends the sink. */
int sink_record_message(struct sink_record *r, int64_t wall_ms, const struct sink_peer *peer, const struct sink_message *m,
                        struct fl_err *err);
/* Writes the lines that wait. Called once per turn of the loop. */
void sink_record_flush(struct sink_record *r);

#endif
