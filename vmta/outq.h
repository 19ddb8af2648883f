/* outq.h: what a stream has yet to send: copied bytes and ranges of bodies, in their order, never copied.
 * Pure; loop thread; owned by one stream (stream_uv.c). */
#ifndef FL_OUTQ_H
#define FL_OUTQ_H

#include <stdint.h>

#include "body.h"
#include "buf.h"

enum { OUTQ_PARTS_MAX = 4096 }; /* more pieces than this wait for no honest peer */

/* A run of bytes out of outq.bytes (body NULL), or a range of a body. */
struct outq_part {
    struct body *body; /* one reference */
    uint64_t offset;
    uint64_t n;
};

struct outq {
    struct buf bytes;
    struct outq_part *parts;
    unsigned first, count, cap;
    uint64_t total; /* bytes of all parts */
};

struct iovec;

/* An empty queue. Allocates nothing. */
void outq_init(struct outq *q);
/* Frees its memory and drops the bodies; it is empty and usable afterwards. */
void outq_free(struct outq *q);
/* Adds a copy of bytes. FL_ENOMEM or FL_ELIMIT: nothing was added. */
int outq_add(struct outq *q, struct slice bytes);
/* Adds n bytes of body from offset on, which are in memory and stay there; takes a reference of its own. Errors as outq_add. */
int outq_add_body(struct outq *q, struct body *body, uint64_t offset, uint64_t n);
/* Up to max pieces from the front; returns how many, and their bytes in *ret_bytes. Borrowed until the queue changes.
 * 0 although total > 0: a body left memory. */
int outq_pieces(const struct outq *q, struct iovec *ret, int max, size_t *ret_bytes);
/* Drops n bytes from the front; at most total. Memory goes back when it becomes empty and was large. */
void outq_sent(struct outq *q, uint64_t n);
/* Copies up to n bytes from the front and drops them; returns how many. */
size_t outq_take(struct outq *q, char *to, size_t n);

#endif
