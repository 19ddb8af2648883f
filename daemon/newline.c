/* newline.c: see newline.h. */
#include "newline.h"

static const struct slice crlf = { "\r\n", 2 };

/* Index of the first CR or LF, or in.n. */
static size_t find_end(struct slice in)
{
    size_t lf = slice_find(in, '\n'); /* nearly always behind a CR, which makes the second search short */

    return slice_find(slice_head(in, lf), '\r');
}

bool newline_next(struct newline *n, struct slice *in, struct slice *ret)
{
    size_t at;

    if (!in->n)
        return false;
    if (n->after_cr) { /* whatever follows, a line has ended */
        n->after_cr = false;
        if (in->p[0] == '\n')
            *in = slice_skip(*in, 1);
        *ret = crlf;
        return true;
    }
    at = find_end(*in);
    if (at) {
        *ret = slice_head(*in, at);
        *in = slice_skip(*in, at);
        return true;
    }
    n->after_cr = in->p[0] == '\r';
    *in = slice_skip(*in, 1);
    if (n->after_cr)
        return newline_next(n, in, ret);
    *ret = crlf;
    return true;
}

struct slice newline_end(struct newline *n)
{
    bool pending = n->after_cr;

    n->after_cr = false;
    return pending ? crlf : SLICE_NONE;
}
