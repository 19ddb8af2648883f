/* slice.h: a borrowed piece of memory: pointer and length, no terminator, any byte value.
 * Pure; any thread. A slice never owns what it points to; who hands one out says until when it is valid. */
#ifndef FL_SLICE_H
#define FL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })
/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).n, (s).p

/* The slice of a C string; NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline struct slice slice_make(const void *p, size_t n)
{
    return (struct slice){ p, n };
}

/* Without its first n bytes (all of them when n is larger). */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return (struct slice){ s.n ? s.p + n : s.p, s.n - n };
}

/* Its first n bytes (the whole when n is larger). */
static inline struct slice slice_head(struct slice s, size_t n)
{
    return (struct slice){ s.p, n < s.n ? n : s.n };
}

bool slice_eq(struct slice a, struct slice b);
/* ASCII letters without regard to case; all other bytes as they are. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);
/* memcmp order, the shorter first where one begins the other. */
int slice_cmp(struct slice a, struct slice b);
/* Index of the first c, or s.n. */
size_t slice_find(struct slice s, char c);
/* Index of the first occurrence of what, or s.n. */
size_t slice_find_slice(struct slice s, struct slice what);
/* Without blanks and tabs (and, for _crlf, CR and LF) at both ends. */
struct slice slice_trim(struct slice s);
struct slice slice_trim_crlf(struct slice s);
/* Cuts *rest at the first c: returns what stands before it, and *rest becomes what follows (empty at the end). */
struct slice slice_cut(struct slice *rest, char c);
/* Digits only, no sign, no blanks. False when empty, not a number, or above max; *ret untouched then. */
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret);
/* Writes the parts with `between` between them, and a NUL. Returns the length without it; 0 when size has no room for all. */
size_t slice_join(const struct slice *parts, size_t count, char between, char *ret, size_t size);
/* A fresh C string (a NUL inside ends it early for C); NULL without memory. The caller frees it. */
char *slice_dup(struct slice s);
/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. ASCII is UTF-8. */
bool slice_is_utf8(struct slice s);
bool slice_is_ascii(struct slice s);

/* ASCII only, never the locale. */
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
static inline bool ascii_is_alnum(char c) { return ascii_is_digit(c) || ascii_is_alpha(c); }

#endif
