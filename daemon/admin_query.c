/* admin_query.c: percent-decoding (RFC 3986 2.1), segments (3.3) and pairs. Pure. */
#include "admin_query.h"

#include "printable.h"

static int hex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct slice s, bool plus_is_blank, struct arena *arena, struct slice *ret)
{
    char *text = arena_alloc(arena, s.n + 1);
    size_t n = 0;

    if (!text)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        text[n++] = c;
    }
    *ret = slice_make(text, n);
    return printable_run(*ret) == n;
}

/* Cuts the part before the first `c` off *rest; the whole when there is none. */
static struct slice cut(struct slice *rest, char c)
{
    const char *at = rest->n ? memchr(rest->p, c, rest->n) : NULL;
    struct slice part = slice_head(*rest, at ? (size_t)(at - rest->p) : rest->n);

    *rest = slice_skip(*rest, part.n + 1);
    return part;
}

bool admin_path_parse(struct slice path, struct arena *arena, struct admin_path *ret)
{
    ret->count = 0;
    if (!path.n || path.p[0] != '/')
        return false;
    path = slice_skip(path, 1);
    do {
        bool more = path.n && memchr(path.p, '/', path.n);
        struct slice part = cut(&path, '/');

        if (!part.n || ret->count == ADMIN_SEGMENTS_MAX || (more && !path.n))
            return false;
        if (!decode(part, false, arena, &ret->segment[ret->count++]))
            return false;
    } while (path.n);
    return true;
}

bool admin_query_parse(struct slice query, struct arena *arena, struct admin_query *ret)
{
    ret->count = 0;
    while (query.n) {
        struct slice value = cut(&query, '&'), key = cut(&value, '=');
        struct admin_pair *p = &ret->pair[ret->count];

        if (ret->count == ADMIN_PAIRS_MAX || !key.n || !decode(key, true, arena, &p->key) ||
            !decode(value, true, arena, &p->value))
            return false;
        for (int i = 0; i < ret->count; i++)
            if (slice_eq(ret->pair[i].key, p->key))
                return false;
        ret->count++;
    }
    return true;
}

struct slice admin_query_get(const struct admin_query *q, const char *key)
{
    for (int i = 0; i < q->count; i++)
        if (slice_eq(q->pair[i].key, slice_of(key)))
            return q->pair[i].value;
    return SLICE_NONE;
}
