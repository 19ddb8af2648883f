/* wire.c: see wire.h. */
#include "wire.h"

#include "err.h"

/*  START --.--> DOT --CR--> DOT_CR --LF--> (end)      DOT and DOT_CR hold their bytes back until it is clear what they are
 *    ^ |         |            |
 *    | v         v            v
 *    CR <------- TEXT <-------+                         CR: a CR was passed on, and an LF makes it a line end */
enum state { START, TEXT, CR, DOT, DOT_CR };

/* What the three of them share while they walk along a line. */
struct walk {
    struct wire_facts *facts;
    uint64_t *line;
    uint8_t *state;
    size_t crs; /* that end a line, or may do so at the end of the piece: any further one is bare */
};

static void note_line(struct walk *w)
{
    if (*w->line > w->facts->longest_line)
        w->facts->longest_line = *w->line;
}

/* Walks from p, which is not the first byte of a line that begins with a dot, to the end of the line or to end. Returns where
 * it stopped. Sets what is told about line ends, and the state. */
static const char *walk_line(struct walk *w, const char *p, const char *end)
{
    const char *lf, *text_end;

    if (*w->state == CR) {
        *w->state = TEXT;
        if (*p == '\n') {
            note_line(w);
            *w->line = 0;
            w->facts->lines++;
            *w->state = START;
            return p + 1;
        }
        w->facts->bare_cr = true;
        (*w->line)++;
    }
    lf = memchr(p, '\n', (size_t)(end - p));
    text_end = lf ? lf : end;
    if (text_end > p && text_end[-1] == '\r') {
        text_end--;
        w->crs++;
    }
    *w->line += (uint64_t)(text_end - p);
    note_line(w);
    if (!lf) {
        *w->state = text_end < end ? CR : TEXT;
        return end;
    }
    if (text_end == lf) { /* a bare LF is text */
        w->facts->bare_lf = true;
        (*w->line)++;
        *w->state = TEXT;
        return lf + 1;
    }
    *w->line = 0;
    w->facts->lines++;
    *w->state = START;
    return lf + 1;
}

enum { LANES = 16, COUNT_MAX = 255 };
typedef uint8_t lanes __attribute__((vector_size(LANES)));

static bool any_lane(lanes v)
{
    uint64_t half[2];

    memcpy(half, &v, sizeof half);
    return (half[0] | half[1]) != 0;
}

static size_t sum_lanes(lanes v)
{
    size_t n = 0;

    for (int i = 0; i < LANES; i++)
        n += v[i];
    return n;
}

/* Looks for NULs, 8-bit bytes and bare CRs in a piece that was walked, sixteen bytes at a time. */
static void note_bytes(const struct walk *w, struct slice s)
{
    const lanes high = (lanes){ 0 } + 0x80;
    lanes any = { 0 }, zero = { 0 };
    size_t crs = 0, i = 0;

    while (i + LANES <= s.n) {
        lanes count = { 0 };

        for (int k = 0; k < COUNT_MAX && i + LANES <= s.n; k++, i += LANES) {
            lanes v;

            memcpy(&v, s.p + i, LANES);
            any |= v;
            zero |= v == 0;
            count -= v == '\r'; /* a lane that is equal is -1 */
        }
        crs += sum_lanes(count);
    }
    for (; i < s.n; i++) {
        w->facts->eight_bit |= (s.p[i] & 0x80) != 0;
        w->facts->nul |= s.p[i] == 0;
        crs += s.p[i] == '\r';
    }
    w->facts->eight_bit |= any_lane(any & high);
    w->facts->nul |= any_lane(zero);
    w->facts->bare_cr |= crs != w->crs;
}

void wire_scan_init(struct wire_scan *s)
{
    *s = (struct wire_scan){ .state = START };
}

/* What is to be done with a dot at the start of a line, when n bytes are there, the dot included. */
enum dot { DOT_IS_TEXT, DOT_IS_END, DOT_IS_OPEN };

static enum dot judge_dot(const char *p, size_t n)
{
    if (n >= 2 && p[1] != '\r')
        return DOT_IS_TEXT;
    if (n < 3)
        return DOT_IS_OPEN;
    return p[2] == '\n' ? DOT_IS_END : DOT_IS_TEXT;
}

/* Resolves bytes that were held back. True: *ret is them, since they are content. */
static bool scan_held(struct wire_scan *s, struct slice *in, struct slice *ret)
{
    if (s->state == DOT && in->n && in->p[0] == '\r') {
        *in = slice_skip(*in, 1);
        s->state = DOT_CR;
    }
    if (!in->n)
        return false;
    if (s->state == DOT) {
        s->state = TEXT;
        *ret = SLICE(".");
        return true;
    }
    if (in->p[0] == '\n') {
        *in = slice_skip(*in, 1);
        s->state = START;
        s->ended = true;
        return false;
    }
    s->state = CR;
    s->facts.bytes++;
    *ret = SLICE(".\r");
    return true;
}

/* Walks over what is content for certain. Returns where it stopped: at the end, or at a dot that ends it or may do so. */
static const char *scan_run(struct wire_scan *s, struct walk *w, const char *p, const char *end, uint64_t *ret_dots)
{
    while (p < end) {
        if (s->state == START && *p == '.') {
            if (judge_dot(p, (size_t)(end - p)) != DOT_IS_TEXT)
                break;
            s->state = TEXT;
            ++*ret_dots;
            p++; /* a byte follows, or it would be open */
        }
        p = walk_line(w, p, end);
    }
    return p;
}

bool wire_scan_next(struct wire_scan *s, struct slice *in, struct slice *ret)
{
    struct walk w = { &s->facts, &s->line, &s->state, 0 };
    uint64_t dots = 0;
    const char *stop;

    if (s->ended || !in->n)
        return false;
    if (s->state == DOT || s->state == DOT_CR)
        return scan_held(s, in, ret);
    stop = scan_run(s, &w, in->p, in->p + in->n, &dots);
    if (stop > in->p) {
        *ret = slice_make(in->p, (size_t)(stop - in->p));
        *in = slice_skip(*in, ret->n);
        s->facts.bytes += ret->n - dots;
        note_bytes(&w, *ret);
        return true;
    }
    *in = slice_skip(*in, 1);
    s->state = DOT;
    return scan_held(s, in, ret);
}

void wire_stuff_init(struct wire_stuff *s)
{
    *s = (struct wire_stuff){ .state = START };
}

bool wire_stuff_next(struct wire_stuff *s, struct slice *in, struct slice *ret)
{
    struct walk w = { &s->facts, &s->line, &s->state, 0 };
    const char *p = in->p, *end;

    if (!in->n)
        return false;
    end = in->p + in->n;
    if (s->state == START && *p == '.') {
        s->state = DOT; /* doubled; the dot itself is still in *in */
        *ret = SLICE(".");
        return true;
    }
    if (s->state == DOT)
        s->state = TEXT;
    do
        p = walk_line(&w, p, end);
    while (p < end && !(s->state == START && *p == '.'));
    *ret = slice_make(in->p, (size_t)(p - in->p));
    *in = slice_skip(*in, ret->n);
    s->facts.bytes += ret->n;
    note_bytes(&w, *ret);
    return true;
}

struct slice wire_stuff_end(struct wire_stuff *s)
{
    if (s->state == START)
        return SLICE_NONE;
    if (s->state == CR)
        s->facts.bare_cr = true;
    s->state = START;
    s->line = 0;
    s->facts.lines++;
    s->facts.bytes += 2;
    return SLICE("\r\n");
}

int wire_stuff_add(struct wire_stuff *s, struct slice raw, struct buf *out)
{
    struct slice piece;

    while (wire_stuff_next(s, &raw, &piece)) {
        int rc = buf_add(out, piece);

        if (rc < 0)
            return rc;
    }
    return 0;
}

void wire_unstuff_init(struct wire_unstuff *s)
{
    s->state = START;
}

/* The end of the first line in s that a dot follows, or s.n. */
static size_t find_stuffed(struct slice s)
{
    const char *p = s.p, *end = s.p + s.n;

    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        if (p > s.p && p[-1] == '\r' && p + 1 < end && p[1] == '.')
            return (size_t)(p + 1 - s.p);
        p++;
    }
    return s.n;
}

bool wire_unstuff_next(struct wire_unstuff *s, struct slice *in, struct slice *ret)
{
    if (in->n && s->state == START && in->p[0] == '.') {
        *in = slice_skip(*in, 1);
        s->state = TEXT;
    }
    if (!in->n)
        return false;
    if (s->state == CR && in->p[0] == '\n') {
        *ret = slice_head(*in, 1);
        s->state = START;
    } else {
        size_t n = find_stuffed(*in);

        *ret = slice_head(*in, n);
        if (in->p[n - 1] == '\r')
            s->state = CR;
        else
            s->state = n >= 2 && in->p[n - 1] == '\n' && in->p[n - 2] == '\r' ? START : TEXT;
    }
    *in = slice_skip(*in, ret->n);
    return true;
}

uint64_t wire_raw_size(struct slice content)
{
    struct wire_unstuff s;
    struct slice piece;
    uint64_t n = 0;

    wire_unstuff_init(&s);
    while (wire_unstuff_next(&s, &content, &piece))
        n += piece.n;
    return n;
}
