/* buf.h: bytes that grow up to a cap, taken from the front and added at the end.
 * Pure; one thread at a time. Whoever declares it owns it and calls buf_free. */
#ifndef FL_BUF_H
#define FL_BUF_H

#include <stdbool.h>

#include "slice.h"

struct buf {
    char *p;    /* start of the allocation */
    size_t at;  /* first byte not yet consumed */
    size_t end; /* one past the last byte */
    size_t cap; /* bytes allocated */
    size_t max; /* most bytes it may hold; 0: no cap of its own */
    bool is_secret; /* what it outgrows is overwritten */
};

/* An empty buffer that holds at most max bytes (0: as many as memory has). Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* The same for secrets: no copy stays behind when it grows. buf_wipe ends it. */
void buf_init_secret(struct buf *b, size_t max);
/* Frees its memory; it is empty and usable afterwards, with the same cap. */
void buf_free(struct buf *b);
/* Frees and overwrites its memory: for secrets. */
void buf_wipe(struct buf *b);

/* What it holds. Borrowed: valid until the next call that adds, consumes or frees. */
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->p ? b->p + b->at : NULL, b->end - b->at };
}

static inline size_t buf_len(const struct buf *b) { return b->end - b->at; }

/* Adds bytes. 0, FL_ENOMEM, or FL_ELIMIT when the cap would be passed; nothing is added then. */
int buf_add(struct buf *b, struct slice s);
int buf_add_text(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes at *ret, to be confirmed by buf_grown. Errors as buf_add. */
int buf_reserve(struct buf *b, size_t n, char **ret);
void buf_grown(struct buf *b, size_t n);
/* Drops n bytes from the front (all when there are fewer). Memory stays for the next use. */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);
/* Gives memory back when it is empty: for idle connections. */
void buf_shrink(struct buf *b);

#endif
