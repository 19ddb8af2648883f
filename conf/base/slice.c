/* slice.c: see slice.h. */
#include "slice.h"

#include <stdlib.h>

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.n == b.n && slice_starts_nocase(a, b);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
    if (s.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
            return false;
    return true;
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n && slice_starts_nocase(slice_skip(s, s.n - suffix.n), suffix);
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    if (c != 0)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

size_t slice_find(struct slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_find_slice(struct slice s, struct slice what)
{
    const char *at = s.n && what.n ? memmem(s.p, s.n, what.p, what.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

static struct slice trim(struct slice s, const char *set)
{
    while (s.n && s.p[0] && strchr(set, s.p[0]))
        s = slice_skip(s, 1);
    while (s.n && s.p[s.n - 1] && strchr(set, s.p[s.n - 1]))
        s.n--;
    return s;
}

struct slice slice_trim(struct slice s)
{
    return trim(s, " \t");
}

struct slice slice_trim_crlf(struct slice s)
{
    return trim(s, " \t\r\n");
}

struct slice slice_cut(struct slice *rest, char c)
{
    size_t at = slice_find(*rest, c);
    struct slice head = slice_head(*rest, at);

    *rest = slice_skip(*rest, at + 1);
    return head;
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');

        if (!ascii_is_digit(s.p[i]) || v > (max - digit) / 10 || digit > max)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

size_t slice_join(const struct slice *parts, size_t count, char between, char *ret, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (parts[i].n + 2 > size - n) /* with what stands before it and a NUL */
            return 0;
        if (i > 0)
            ret[n++] = between;
        if (parts[i].n > 0)
            memcpy(ret + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    ret[n] = 0;
    return n;
}

char *slice_dup(struct slice s)
{
    char *copy = malloc(s.n + 1);

    if (!copy)
        return NULL;
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

bool slice_is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Length of the well-formed sequence that begins at s, or 0 (RFC 3629 section 4). */
static size_t utf8_sequence(struct slice s)
{
    const unsigned char *u = (const unsigned char *)s.p;
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xc2 && u[0] <= 0xdf)
        n = 2;
    else if (u[0] >= 0xe0 && u[0] <= 0xef)
        n = 3;
    else if (u[0] >= 0xf0 && u[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (u[0] == 0xe0)
        low = 0xa0;
    else if (u[0] == 0xed)
        high = 0x9f;
    else if (u[0] == 0xf0)
        low = 0x90;
    else if (u[0] == 0xf4)
        high = 0x8f;
    if (s.n < n || u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (u[i] < 0x80 || u[i] > 0xbf)
            return 0;
    return n;
}

bool slice_is_utf8(struct slice s)
{
    while (s.n) {
        size_t n = utf8_sequence(s);

        if (n == 0)
            return false;
        s = slice_skip(s, n);
    }
    return true;
}
