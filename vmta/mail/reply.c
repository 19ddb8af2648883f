/* reply.c: see reply.h. */
#include "reply.h"

#include <stdio.h>

enum { CODE_N = 3 };

void reply_init(struct reply_parser *p)
{
    memset(&p->reply, 0, sizeof p->reply);
    p->text_n = p->total = p->lines = p->line_n = 0;
    p->line_whole = p->done = false;
}

/* Length of an enhanced code of this class at the start of s (RFC 3463 2), a blank or the end behind it; 0: there is none. */
static size_t enhanced_code(struct slice s, char class)
{
    size_t i = 1;

    if (s.n < 5 || s.p[0] != class)
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;

        if (i == s.n || s.p[i++] != '.')
            return 0;
        while (i < s.n && digits < 3 && ascii_is_digit(s.p[i])) {
            digits++;
            i++;
        }
        if (digits == 0)
            return 0;
    }
    return i == s.n || s.p[i] == ' ' ? i : 0;
}

/* Takes the code of a line into the reply. All lines of one reply have the same (RFC 5321 4.2.1); servers that differ within a
 * class are believed in their last line, others not at all. */
static bool take_code(struct reply_parser *p)
{
    const char *d = p->line;

    if (p->line_n < CODE_N || !ascii_is_digit(d[0]) || !ascii_is_digit(d[1]) || !ascii_is_digit(d[2]) || d[0] < '2' ||
        d[0] > '5')
        return false;
    if (p->line_n > CODE_N && d[CODE_N] != ' ' && d[CODE_N] != '-')
        return false;
    if (p->reply.code && p->reply.code / 100 != d[0] - '0')
        return false;
    p->reply.code = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
    return true;
}

/* Adds the text of a line to the reply's, without its enhanced code. */
static void take_text(struct reply_parser *p)
{
    struct slice text = reply_line(p);
    size_t n = enhanced_code(text, p->line[0]);

    if (n && !p->reply.enhanced[0])
        *(char *)mempcpy(p->reply.enhanced, text.p, n) = 0;
    text = slice_trim(slice_skip(text, n));
    if (!text.n)
        return;
    if (p->text_n && p->text_n + 1 < sizeof p->reply.text) {
        p->reply.text[p->text_n++] = ' ';
        p->reply.text[p->text_n] = 0;
    }
    p->text_n += reply_clean(text, p->reply.text + p->text_n, sizeof p->reply.text - p->text_n);
}

enum reply_status reply_next(struct reply_parser *p, struct slice *in)
{
    size_t at, keep;
    struct slice part;
    bool line_ends;

    if (!in->n)
        return REPLY_MORE;
    if (p->done)
        reply_init(p);
    if (p->line_whole)
        p->line_n = 0;
    p->line_whole = false;
    at = slice_find(*in, '\n');
    line_ends = at < in->n;
    part = slice_head(*in, at);
    keep = part.n < sizeof p->line - p->line_n ? part.n : sizeof p->line - p->line_n;
    memcpy(p->line + p->line_n, part.p, keep);
    p->line_n += keep;
    p->total += part.n + line_ends;
    if (p->total > REPLY_BYTES_MAX)
        return REPLY_MALFORMED;
    *in = slice_skip(*in, at + 1);
    if (!line_ends)
        return REPLY_MORE;
    p->line_whole = true;
    if (p->line_n && p->line[p->line_n - 1] == '\r')
        p->line_n--;
    if (++p->lines > REPLY_LINES_MAX || !take_code(p))
        return REPLY_MALFORMED;
    take_text(p);
    p->done = p->line_n <= CODE_N || p->line[CODE_N] == ' ';
    return p->done ? REPLY_DONE : REPLY_LINE;
}

struct slice reply_line(const struct reply_parser *p)
{
    return slice_skip(slice_make(p->line, p->line_n), CODE_N + 1);
}

bool reply_is_pending(const struct reply_parser *p)
{
    return !p->done && p->total > 0;
}

/* Length of the well-formed character at the start of s, 0 when there is none. */
static size_t character(struct slice s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return n <= s.n && slice_is_utf8(slice_head(s, n)) ? n : 0;
}

/* Control characters, C1 and line separators, and those that turn the direction of writing: none may reach a terminal. */
static bool is_unsafe(struct slice c)
{
    const unsigned char *b = (const unsigned char *)c.p;

    if (c.n == 1)
        return b[0] < ' ' || b[0] == 0x7f;
    if (c.n == 2)
        return b[0] == 0xc2 && b[1] < 0xa0;
    if (c.n != 3 || b[0] != 0xe2)
        return false;
    return (b[1] == 0x80 && b[2] >= 0xa8 && b[2] <= 0xae)     /* U+2028 … U+202E */
           || (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9); /* U+2066 … U+2069 */
}

/* How many bytes at the start of s are printable ASCII: all of them, as a rule. */
static size_t plain_run(struct slice s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f)
        n++;
    return n;
}

size_t reply_clean(struct slice text, char *ret, size_t size)
{
    size_t n = 0;

    if (size == 0)
        return 0;
    while (text.n) {
        size_t run = plain_run(slice_head(text, size - 1 - n)), width;
        struct slice c, put;

        memcpy(ret + n, text.p, run);
        n += run;
        text = slice_skip(text, run);
        if (!text.n || n + 1 >= size)
            break;
        width = character(text);
        put = c = slice_head(text, width ? width : 1);
        if (c.p[0] == '\t')
            put = SLICE(" ");
        else if (!width || is_unsafe(c))
            put = SLICE("?");
        if (n + put.n >= size)
            break;
        memcpy(ret + n, put.p, put.n);
        n += put.n;
        text = slice_skip(text, c.n);
    }
    ret[n] = 0;
    return n;
}

void reply_set(struct reply *r, int code, const char *enhanced, struct slice text)
{
    r->code = code;
    snprintf(r->enhanced, sizeof r->enhanced, "%s", enhanced);
    reply_clean(text, r->text, sizeof r->text);
}

void reply_text(const struct reply *r, char ret[REPLY_SHOWN])
{
    size_t n = 0;

    ret[0] = 0;
    if (r->code)
        n += (size_t)snprintf(ret, REPLY_SHOWN, "%d ", r->code);
    if (r->enhanced[0])
        n += (size_t)snprintf(ret + n, REPLY_SHOWN - n, "%s ", r->enhanced);
    n += (size_t)snprintf(ret + n, REPLY_SHOWN - n, "%s", r->text);
    while (n && ret[n - 1] == ' ')
        ret[--n] = 0;
}

const char *reply_status_code(const struct reply *r)
{
    if (r->enhanced[0])
        return r->enhanced;
    switch (r->code / 100) {
    case 2:
    case 3:
        return "2.0.0";
    case 5:
        return "5.0.0";
    default:
        return "4.0.0";
    }
}
