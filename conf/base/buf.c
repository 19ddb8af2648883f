/* buf.c: see buf.h. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "err.h"

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_init_secret(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max, .is_secret = true };
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ .max = b->max, .is_secret = b->is_secret };
}

void buf_wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}

/* Moves what it holds to the front: cheap, since it is done only when room is short. */
static void compact(struct buf *b)
{
    if (b->at == 0)
        return;
    memmove(b->p, b->p + b->at, b->end - b->at);
    b->end -= b->at;
    b->at = 0;
}

/* As realloc, which might leave the old bytes behind. */
static char *move_secret(struct buf *b, size_t cap)
{
    char *p = malloc(cap);

    if (!p || !b->p)
        return p;
    memcpy(p, b->p, b->end);
    explicit_bzero(b->p, b->cap);
    free(b->p);
    return p;
}

int buf_reserve(struct buf *b, size_t n, char **ret)
{
    size_t held = b->end - b->at, cap = b->cap ? b->cap : BUF_FIRST;
    char *p;

    if (n <= b->cap - b->end && (!b->max || held + n <= b->max) && b->p) { /* nearly always */
        *ret = b->p + b->end;
        return 0;
    }
    if (n > SIZE_MAX / 2 - held)
        return FL_ENOMEM;
    if (b->max && held + n > b->max)
        return FL_ELIMIT;
    if (b->cap - b->end < n)
        compact(b);
    if (b->cap - b->end < n || !b->p) {
        while (cap < held + n)
            cap *= 2;
        p = b->is_secret ? move_secret(b, cap) : realloc(b->p, cap);
        if (!p)
            return FL_ENOMEM;
        b->p = p;
        b->cap = cap;
    }
    *ret = b->p + b->end;
    return 0;
}

void buf_grown(struct buf *b, size_t n)
{
    b->end += n;
}

int buf_add(struct buf *b, struct slice s)
{
    char *at;
    int rc;

    if (s.n == 0)
        return 0;
    rc = buf_reserve(b, s.n, &at);
    if (rc < 0)
        return rc;
    memcpy(at, s.p, s.n);
    b->end += s.n;
    return 0;
}

int buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, slice_of(text));
}

int buf_add_char(struct buf *b, char c)
{
    return buf_add(b, slice_make(&c, 1));
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    char *at;
    int n, rc;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0)
        return FL_EINVAL;
    rc = buf_reserve(b, (size_t)n + 1, &at);
    if (rc < 0)
        return rc;
    va_start(ap, format);
    vsnprintf(at, (size_t)n + 1, format, ap);
    va_end(ap);
    b->end += (size_t)n;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    b->at += n < buf_len(b) ? n : buf_len(b);
    if (b->at == b->end)
        b->at = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->at = b->end = 0;
}

void buf_shrink(struct buf *b)
{
    if (b->at == b->end)
        buf_free(b);
}
