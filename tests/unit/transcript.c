/* transcript.c: see transcript.h. Reads conversations; transcript_play.c plays them. */
#include "transcript.h"

#include "buf.h"

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct slice decode_one(struct slice in, struct buf *out);

/* "\(600 ab)": in is what stands behind "\(". Returns what follows it. */
static struct slice repeat(struct slice in, struct buf *out)
{
    size_t end = slice_find(in, ')');
    struct slice inner = slice_head(in, end), count = slice_cut(&inner, ' ');
    uint64_t n = 0;

    slice_to_u64(count, TRANSCRIPT_BYTES_MAX, &n);
    for (; n && inner.n && buf_len(out) < TRANSCRIPT_BYTES_MAX; n--)
        for (struct slice text = inner; text.n;)
            text = decode_one(text, out);
    return slice_skip(in, end + 1);
}

/* One escape or one octet off the front of in. */
static struct slice decode_one(struct slice in, struct buf *out)
{
    char c = in.p[0], e = in.n > 1 ? in.p[1] : '\0';
    int high = in.n > 3 ? hex_value(in.p[2]) : -1, low = in.n > 3 ? hex_value(in.p[3]) : -1;

    if (c != '\\' || !e) {
        buf_add_char(out, c);
        return slice_skip(in, 1);
    }
    if (e == '(')
        return repeat(slice_skip(in, 2), out);
    if (e == 'x' && high >= 0 && low >= 0) {
        buf_add_char(out, (char)(high << 4 | low));
        return slice_skip(in, 4);
    }
    buf_add_char(out, e == 'r' ? '\r' : e == 'n' ? '\n' : e == 't' ? '\t' : e == '0' ? '\0' : e);
    return slice_skip(in, 2);
}

static struct slice decode(struct arena *a, struct slice in, bool crlf)
{
    struct buf out;
    struct slice r;

    buf_init(&out, 0);
    while (in.n)
        in = decode_one(in, &out);
    if (crlf)
        buf_add(&out, SLICE("\r\n"));
    r = arena_copy(a, buf_slice(&out));
    buf_free(&out);
    return r;
}

static const struct {
    const char *mark;
    enum step_kind kind;
    bool decoded, crlf;
} marks[] = {
    { "@:", STEP_OPTION, false, false }, { "C:", STEP_SEND, true, true },     { "C|", STEP_SEND, true, false },
    { "S:", STEP_REPLY, false, false },  { "S-", STEP_LINE, false, false },   { "?:", STEP_ASK, false, false },
    { "!:", STEP_ANSWER, false, false }, { "=|", STEP_CONTENT, true, false }, { "T:", STEP_TLS, false, false },
    { "W:", STEP_PASS, false, false },
};

static struct step read_step(struct arena *a, struct slice line, int number)
{
    struct step s = { STEP_UNKNOWN, number, line };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (slice_starts_nocase(line, slice_of(marks[i].mark))) {
            s.kind = marks[i].kind;
            s.text = slice_skip(line, line.n > 2 && line.p[2] == ' ' ? 3 : 2);
            s.text = marks[i].decoded ? decode(a, s.text, marks[i].crlf) : arena_copy(a, s.text);
            break;
        }
    return s;
}

bool transcript_is_one_write(const struct conversation *c)
{
    return c->count && c->steps[0].kind == STEP_OPTION && slice_eq(c->steps[0].text, SLICE("one-write"));
}

/* How conversations begin that are about something else. */
static const struct {
    const char *name, *sent, *reply;
} usual[] = {
    { "greet", NULL, "220 *" },
    { "ehlo", "EHLO client.test\r\n", "250 *" },
    { "mail", "MAIL FROM:<a@one.test>\r\n", "250 *" },
    { "rcpt", "RCPT TO:<b@two.test>\r\n", "250 *" },
    { "data", "DATA\r\n", "354 *" },
};

static void add_usual(struct conversation *c, struct slice upto, int number)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual && c->count + 2 <= STEPS_MAX; i++) {
        if (usual[i].sent)
            c->steps[c->count++] = (struct step){ STEP_SEND, number, slice_of(usual[i].sent) };
        c->steps[c->count++] = (struct step){ STEP_REPLY, number, slice_of(usual[i].reply) };
        if (slice_eq(upto, slice_of(usual[i].name)))
            return;
    }
}

struct conversation *transcript_next(struct arena *a, const char *file, struct slice *rest, int *line)
{
    struct conversation *c = NULL;

    while (rest->n) {
        struct slice before = *rest, text = slice_cut(rest, '\n');

        ++*line;
        if (!text.n)
            continue;
        if (text.p[0] == '#') {
            if (c && c->count) { /* the next one begins */
                *rest = before;
                --*line;
                return c;
            }
            if (!c)
                c = arena_alloc(a, sizeof *c);
            c->title = arena_printf(a, "%.*s", SLICE_ARG(slice_trim(slice_skip(text, 1))));
            c->file = file;
            c->line = *line;
        } else if (c && slice_starts_nocase(text, SLICE("P: "))) {
            add_usual(c, slice_skip(text, 3), *line);
        } else if (c && c->count < STEPS_MAX) {
            c->steps[c->count++] = read_step(a, text, *line);
        }
    }
    return c;
}
