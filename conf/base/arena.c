/* arena.c: see arena.h. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct block {
    struct block *next;
    size_t used, size; /* bytes of data[] */
    _Alignas(max_align_t) char data[];
};

struct arena {
    struct block *current; /* newest first */
    size_t total;
};

enum { ARENA_BLOCK = 4096, ARENA_ALIGN = _Alignof(max_align_t) };

static size_t aligned(size_t n)
{
    return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof *b + size);

    if (b)
        *b = (struct block){ .size = size };
    return b;
}

struct arena *arena_new(size_t first)
{
    size_t own = aligned(sizeof(struct arena)), size = own + aligned(first);
    struct block *b = block_new(size);
    struct arena *a;

    if (!b)
        return NULL;
    a = (struct arena *)b->data;
    b->used = own;
    *a = (struct arena){ .current = b, .total = sizeof *b + size };
    return a;
}

void arena_free(struct arena *a)
{
    struct block *b, *next;

    for (b = a ? a->current : NULL; b; b = next) {
        next = b->next; /* the oldest block holds *a itself, and goes last */
        free(b);
    }
}

void arena_wipe(struct arena *a)
{
    struct block *b, *next;

    for (b = a ? a->current : NULL; b; b = next) {
        next = b->next;
        explicit_bzero(b->data, b->size); /* the oldest block holds *a itself, and goes last */
        free(b);
    }
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct block *b = a->current;
    void *p;

    if (n > SIZE_MAX / 2)
        return NULL;
    n = aligned(n ? n : 1);
    if (b->size - b->used < n) {
        size_t size = n > ARENA_BLOCK ? n : ARENA_BLOCK;

        b = block_new(size);
        if (!b)
            return NULL;
        b->next = a->current;
        a->current = b;
        a->total += sizeof *b + size;
    }
    p = b->data + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (!p)
        return SLICE_NONE;
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_make(p, s.n);
}

char *arena_text(struct arena *a, const char *text)
{
    return (char *)arena_copy(a, slice_of(text)).p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, format);
    vsnprintf(p, (size_t)n + 1, format, ap);
    va_end(ap);
    return p;
}

size_t arena_size(const struct arena *a)
{
    return a->total;
}
