/* Fuzzes vmta/mail/wire.c: the first byte says how the rest is cut. Cuts change nothing; the end is where a search for CR LF dot CR LF
 * finds it; and raw bytes come back from wire form as they were. */
#include <assert.h>
#include <stdlib.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_scan scan(struct slice in, size_t step, struct buf *content, size_t *ret_left)
{
    struct wire_scan s;
    struct slice piece;

    wire_scan_init(&s);
    while (in.n && !s.ended) {
        struct slice part = slice_head(in, step);

        in = slice_skip(in, part.n);
        while (wire_scan_next(&s, &part, &piece))
            if (buf_add(content, piece) < 0)
                abort();
        *ret_left = part.n + in.n;
    }
    return s;
}

/* Where the content ends by definition: in.n when it does not. */
static size_t find_end(struct slice in)
{
    size_t at;

    if (in.n >= 3 && memcmp(in.p, ".\r\n", 3) == 0)
        return 0;
    at = slice_find_slice(in, SLICE("\r\n.\r\n"));
    return at == in.n ? at : at + 2;
}

static void check_scan(struct slice in, size_t step)
{
    struct buf whole, cut;
    size_t left_whole = 0, left_cut = 0, end = find_end(in);
    struct wire_scan a, b;

    buf_init(&whole, 0);
    buf_init(&cut, 0);
    a = scan(in, in.n, &whole, &left_whole);
    b = scan(in, step, &cut, &left_cut);
    assert(a.ended == b.ended && left_whole == left_cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    assert(memcmp(&a.facts, &b.facts, sizeof a.facts) == 0);
    assert(a.ended == (end < in.n));
    if (a.ended) {
        assert(slice_eq(buf_slice(&whole), slice_head(in, end)) && left_whole == in.n - end - 3);
        assert(a.facts.bytes == wire_raw_size(buf_slice(&whole)));
    }
    buf_free(&whole);
    buf_free(&cut);
}

static void check_round(struct slice raw, size_t step)
{
    struct buf wire, back;
    struct wire_stuff s;
    struct wire_unstuff u;
    struct slice rest = raw, end, piece;

    buf_init(&wire, 0);
    buf_init(&back, 0);
    wire_stuff_init(&s);
    while (rest.n) {
        if (wire_stuff_add(&s, slice_head(rest, step), &wire) < 0)
            abort();
        rest = slice_skip(rest, step);
    }
    end = wire_stuff_end(&s);
    if (buf_add(&wire, end) < 0)
        abort();
    assert(find_end(buf_slice(&wire)) == buf_len(&wire)); /* no chunk can end the content at the next host */
    wire_unstuff_init(&u);
    for (rest = buf_slice(&wire); rest.n;) {
        struct slice part = slice_head(rest, step);

        rest = slice_skip(rest, part.n);
        while (wire_unstuff_next(&u, &part, &piece))
            if (buf_add(&back, piece) < 0)
                abort();
    }
    assert(buf_len(&back) == raw.n + end.n && slice_eq(slice_head(buf_slice(&back), raw.n), raw));
    assert(s.facts.bytes == buf_len(&back));
    buf_free(&wire);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);

    if (size < 2)
        return 0;
    in = slice_skip(in, 1);
    check_scan(in, data[0] % 16 + 1u);
    check_round(in, data[0] % 16 + 1u);
    return 0;
}
