/* content_scan.c: finds bytes above ASCII, and the empty line; counts. */
#include "content_scan.h"

static const char header_end[] = "\r\n\r\n";

/* Takes the header's bytes from the front of *piece. */
static void scan_header(struct content_scan *s, struct slice *piece)
{
    size_t i = 0;

    if (!s->begun) {
        s->begun = true;
        s->line_ends = 2; /* as if a line had ended before the content */
    }
    while (i < piece->n && s->line_ends < sizeof header_end - 1) {
        char c = piece->p[i++];

        if ((unsigned char)c >= 0x80)
            s->header_eight_bit = s->eight_bit = true;
        if (c == header_end[s->line_ends])
            s->line_ends++;
        else
            s->line_ends = c == '\r';
    }
    s->past_header = s->line_ends == sizeof header_end - 1;
    *piece = slice_skip(*piece, i);
}

static void measure(struct content_scan *s, struct slice piece)
{
    struct slice raw;

    while (wire_unstuff_next(&s->unstuff, &piece, &raw))
        s->raw_bytes += raw.n;
}

bool content_scan_add(struct content_scan *s, struct slice piece)
{
    if (s->measures)
        measure(s, piece);
    if (!s->past_header)
        scan_header(s, &piece);
    if (!s->eight_bit && !slice_is_ascii(piece))
        s->eight_bit = true;
    return s->past_header && s->eight_bit && !s->measures;
}
