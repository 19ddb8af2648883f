/* arena.h: memory that is given back all at once: what lives as long as one message or one configuration.
 * Pure; one thread at a time. The arena lives in its own first block, so a small one costs one malloc. */
#ifndef FL_ARENA_H
#define FL_ARENA_H

#include "slice.h"

struct arena;

/* A fresh arena whose first block has room for `first` bytes. NULL without memory. */
struct arena *arena_new(size_t first);
/* Frees everything that came out of it. Takes NULL. */
void arena_free(struct arena *a);
/* The same, what stood in it overwritten: for secrets. Takes NULL. */
void arena_wipe(struct arena *a);
/* n zeroed bytes, aligned for any type; NULL without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy, with a NUL behind it that is not counted; .p is NULL without memory. */
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_text(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes taken from the system. */
size_t arena_size(const struct arena *a);

#endif
