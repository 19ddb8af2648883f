/* header.c: see header.h. From: is read in header_from.c. */
#include "header.h"

#include "clock.h"
#include "err.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the first line with its CRLF; 0 when s has no whole line. A bare LF ends nothing. */
static size_t line_length(struct slice s)
{
    size_t at = 0;

    while (at < s.n) {
        at += slice_find(slice_skip(s, at), '\n');
        if (at < s.n && at > 0 && s.p[at - 1] == '\r')
            return at + 1;
        at++;
    }
    return 0;
}

/* Where a line begins as it is meant. The receiver drops a leading dot whether another follows or not (RFC 5321 4.5.2), so what
 * a sloppy or sly sender left single must not hide a field from us. */
static size_t line_start(struct slice line)
{
    return line.n && line.p[0] == '.';
}

static bool is_continuation(struct slice line)
{
    size_t start = line_start(line);

    return start < line.n && is_blank(line.p[start]);
}

/* The name of the field that begins with this line; empty when it is none. Blanks before the colon are obsolete, yet read
 * (RFC 5322 4.5). */
static struct slice field_name(struct slice line, size_t *ret_colon)
{
    size_t start = line_start(line), n = start, colon;

    while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f && line.p[n] != ':')
        n++;
    colon = n;
    while (colon < line.n && is_blank(line.p[colon]))
        colon++;
    if (n == start || colon == line.n || line.p[colon] != ':')
        return SLICE_NONE;
    *ret_colon = colon;
    return slice_make(line.p + start, n - start);
}

static void note_field(struct header_scan *scan, struct slice name)
{
    scan->fields++;
    scan->received += slice_eq_nocase(name, SLICE("Received"));
    scan->from += slice_eq_nocase(name, SLICE("From"));
    scan->has_date |= slice_eq_nocase(name, SLICE("Date"));
    scan->has_message_id |= slice_eq_nocase(name, SLICE("Message-ID"));
}

enum line { LINE_NONE, LINE_EMPTY, LINE_FIELD, LINE_CONTINUATION, LINE_OTHER };

/* What a line is to a header that has some fields, or none yet. */
static enum line judge_line(struct slice line, bool first, struct slice *ret_name)
{
    size_t colon;

    if (line.n == 0)
        return LINE_NONE;
    if (line.n == 2)
        return LINE_EMPTY;
    if (is_continuation(line) && !first)
        return LINE_CONTINUATION;
    *ret_name = field_name(line, &colon);
    return ret_name->n ? LINE_FIELD : LINE_OTHER;
}

enum header_status header_scan(struct slice content, bool whole, struct header_scan *ret)
{
    struct header_scan scan = { 0 };
    size_t at = 0;

    for (;;) {
        struct slice rest = slice_skip(content, at), name;
        struct slice line = slice_head(rest, line_length(slice_head(rest, HEADER_BYTES_MAX + 1 - at)));
        enum line kind = judge_line(line, scan.fields == 0, &name);

        if (at + line.n > HEADER_BYTES_MAX || (kind == LINE_NONE && rest.n > HEADER_BYTES_MAX - at))
            return HEADER_TOO_LARGE;
        if (kind == LINE_NONE && !whole)
            return HEADER_MORE;
        if (kind == LINE_FIELD && scan.fields == HEADER_FIELDS_MAX)
            return HEADER_TOO_LARGE;
        if (kind == LINE_FIELD) {
            note_field(&scan, name);
        } else if (kind != LINE_CONTINUATION) {
            scan.has_separator = kind == LINE_EMPTY;
            scan.is_broken = !scan.has_separator && rest.n > 0;
            scan.body_at = scan.has_separator ? at + line.n : at;
            break;
        }
        at += line.n;
    }
    scan.block = slice_head(content, at);
    scan.eight_bit = !slice_is_ascii(scan.block);
    *ret = scan;
    return HEADER_OK;
}

bool header_next(struct slice *rest, struct header_field *ret)
{
    size_t n = line_length(*rest), colon = 0;
    struct slice name;

    if (n == 0)
        return false;
    name = field_name(slice_head(*rest, n), &colon);
    if (!name.n)
        return false;
    while (is_continuation(slice_skip(*rest, n))) {
        size_t more = line_length(slice_skip(*rest, n));

        if (more == 0)
            break;
        n += more;
    }
    ret->raw = slice_head(*rest, n);
    ret->name = name;
    ret->value = slice_make(rest->p + colon + 1, n - 2 - (colon + 1));
    *rest = slice_skip(*rest, n);
    return true;
}

bool header_find(struct slice block, struct slice name, struct header_field *ret)
{
    struct header_field f;

    while (header_next(&block, &f)) {
        if (!slice_eq_nocase(f.name, name))
            continue;
        *ret = f;
        return true;
    }
    return false;
}

size_t header_unfold(struct slice value, char *ret, size_t size)
{
    size_t n = 0;

    if (size == 0)
        return 0;
    value = slice_trim_crlf(value);
    for (size_t i = 0; i < value.n && n + 1 < size; i++) {
        bool folded = value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n';

        if (folded) /* the line end, and a dot that the continuation stands behind */
            i += 1 + line_start(slice_skip(value, i + 2));
        else
            ret[n++] = value.p[i];
    }
    ret[n] = 0;
    return n;
}

static bool is_named(struct slice name, const struct slice *names, size_t names_n)
{
    for (size_t i = 0; i < names_n; i++)
        if (slice_eq_nocase(name, names[i]))
            return true;
    return false;
}

/* Adds the fields that stay, as few and as long pieces of the block as there are. */
static int add_kept(struct slice block, const struct slice *remove, size_t remove_n, struct buf *out)
{
    struct slice rest = block, run = slice_head(block, 0);
    struct header_field f;
    int rc;

    if (!remove_n)
        return buf_add(out, block);
    while (header_next(&rest, &f)) {
        if (!is_named(f.name, remove, remove_n)) {
            run.n += f.raw.n;
            continue;
        }
        rc = buf_add(out, run);
        if (rc < 0)
            return rc;
        run = slice_head(rest, 0);
    }
    return buf_add(out, run);
}

int header_rewrite(const struct header_scan *scan, struct slice prefix, const struct slice *remove, size_t remove_n,
                   struct buf *out)
{
    int rc = buf_add(out, prefix);

    if (rc == 0)
        rc = add_kept(scan->block, remove, remove_n, out);
    if (rc == 0 && (scan->has_separator || scan->is_broken || scan->fields == 0))
        rc = buf_add(out, SLICE("\r\n"));
    return rc;
}

int header_add_date(int64_t wall_ms, struct buf *out)
{
    char date[CLOCK_RFC5322];

    clock_rfc5322(wall_ms, date);
    return buf_printf(out, "Date: %s\r\n", date);
}

int header_add_message_id(struct slice id, struct slice hostname, struct buf *out)
{
    return buf_printf(out, "Message-ID: <%.*s@%.*s>\r\n", SLICE_ARG(id), SLICE_ARG(hostname));
}
