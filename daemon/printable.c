/* printable.c: one strict reader of UTF-8 (RFC 3629) that also refuses control characters. Pure. */
#include "printable.h"

/* The second byte of a sequence has narrower bounds behind some first bytes: no overlong forms, no surrogates, no C1 controls,
 * nothing above U+10FFFF (RFC 3629 4). */
static const struct {
    unsigned char first_low, first_high, second_low, second_high, length;
} sequences[] = {
    { 0xC2, 0xC2, 0xA0, 0xBF, 2 }, /* U+0080 … U+009F are controls */
    { 0xC3, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 },
    { 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
};

static size_t sequence(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        if (p[0] < sequences[i].first_low || p[0] > sequences[i].first_high)
            continue;
        if (s.n < sequences[i].length || p[1] < sequences[i].second_low || p[1] > sequences[i].second_high)
            return 0;
        for (size_t k = 2; k < sequences[i].length; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return sequences[i].length;
    }
    return 0;
}

size_t printable_char(struct slice s)
{
    unsigned char c;

    if (!s.n)
        return 0;
    c = (unsigned char)s.p[0];
    if (c < 0x80)
        return c >= 0x20 && c != 0x7F;
    return sequence(s);
}

size_t printable_run(struct slice s)
{
    size_t n = 0, step;

    while (n < s.n && (step = printable_char(slice_skip(s, n))) > 0)
        n += step;
    return n;
}

int printable_add(struct slice s, struct buf *out)
{
    int rc = 0;

    while (rc == 0 && s.n) {
        size_t n = printable_run(s);

        if (n) {
            rc = buf_add(out, slice_head(s, n));
        } else {
            rc = buf_add_text(out, PRINTABLE_REPLACEMENT);
            n = 1;
        }
        s = slice_skip(s, n);
    }
    return rc;
}
