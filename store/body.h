/* body.h: the content of a message, in dot-stuffed wire form without the final lone dot; one body serves all its recipients.
 * It is a sequence of bytes in two parts: a first part that is in memory, or lies in a segment, or both; and, for large ones, a
 * rest that lies in a file of its own (written as it came, above the spool size). Counted, atomically; immutable once accepted,
 * but that its memory may be dropped (loop only) when it is stored. BINARYMIME content is kept raw (not stuffed): `raw` says
 * so. */
#ifndef FL_BODY_H
#define FL_BODY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "slice.h"
#include "ulid.h"

/* Where a stored body lies. */
struct body_place {
    uint64_t segment;   /* 0: nowhere yet */
    uint64_t offset;
    uint64_t length;    /* bytes of the first part */
    uint32_t crc;       /* CRC-32C of the first part */
    struct ulid file;   /* of the rest; all zero: none */
    uint64_t file_length;
    uint32_t file_crc;
};

/* Bytes of bodies in memory, over all threads: what server.memory.bodies bounds. */
struct body_budget {
    atomic_llong used;
};

struct body;
struct iovec;

/* An empty body that counts its memory in budget (borrowed until it is freed). NULL without memory. Any thread. */
struct body *body_new(struct body_budget *budget);
/* A body that lies on disk only, as a load finds it. */
struct body *body_stored(struct body_budget *budget, const struct body_place *place, bool raw);
struct body *body_ref(struct body *b);
void body_unref(struct body *b); /* takes NULL */

/* Adds bytes to the end of the part in memory. FL_ENOMEM. Before it is handed to the store only. */
int body_add(struct body *b, struct slice s);
/* Replaces its first n bytes (which must be in memory) by head: the rewritten header. FL_ENOMEM. */
int body_replace_head(struct body *b, size_t n, struct slice head);
/* Its first bytes, at least `want` of them where it has so many, as one piece (joined by a copy where they lie in several
 * blocks). Borrowed until the body changes. .p NULL without memory. */
struct slice body_front(struct body *b, size_t want);

bool body_is_raw(const struct body *b);
void body_set_raw(struct body *b, bool raw);
/* All of it, both parts. */
uint64_t body_length(const struct body *b);
/* Bytes of the first part that are in memory: all of them, or 0. */
uint64_t body_in_memory(const struct body *b);
/* Up to max pieces of what is in memory from offset on; returns how many. Borrowed while a reference is held and body_forget is
 * not called. 0 when that offset is not in memory: read it with store_read. */
int body_pieces(const struct body *b, uint64_t offset, struct iovec *ret, int max);
const struct body_place *body_place(const struct body *b);
/* Drops the memory of a body that is stored (place.segment set): it is read again when needed. Loop thread, when nothing
 * borrows. */
void body_forget(struct body *b);
/* Store thread, once, before COMMIT is answered. */
void body_set_place(struct body *b, const struct body_place *place);
/* Gives it a second part, which lies in a file of its own (store_spool_finish). Before it is handed to the store only. */
void body_set_file(struct body *b, const struct ulid *file, uint64_t length, uint32_t crc);
/* Whether its content has a rest in a file of its own. */
static inline bool body_place_has_file(const struct body_place *p)
{
    static const struct ulid none;

    return memcmp(&p->file, &none, sizeof none) != 0;
}

/* How far somebody has read it in order, and the checksum so far: a damaged part is noticed at its end. Reader thread only. */
struct body_check {
    uint64_t next; /* the offset that goes on with the sum */
    uint32_t crc;  /* of the present part */
};
struct body_check *body_check(struct body *b);

#endif
