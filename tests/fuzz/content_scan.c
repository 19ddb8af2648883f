/* Fuzzes vmta/content_scan.c: the first byte says how the rest, content in wire form, is cut. What is found is what a plain look finds,
 * at any cut. */
#include <assert.h>

#include "content_scan.h"
#include "input.h"

static struct content_scan scan(struct slice in, size_t step)
{
    struct content_scan s = { .measures = true };

    while (in.n) {
        struct slice part = slice_head(in, step);

        content_scan_add(&s, part);
        in = slice_skip(in, part.n);
    }
    return s;
}

static bool has_eight_bit(struct slice in)
{
    for (size_t i = 0; i < in.n; i++)
        if ((unsigned char)in.p[i] >= 0x80)
            return true;
    return false;
}

/* Up to the empty line; all of it without one. */
static struct slice header_of(struct slice in)
{
    return slice_starts_nocase(in, SLICE("\r\n")) ? SLICE_NONE : slice_head(in, slice_find_slice(in, SLICE("\r\n\r\n")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    size_t step = input_byte(&in) + 1u;
    struct content_scan whole = scan(in, in.n), cut = scan(in, step);

    assert(whole.eight_bit == cut.eight_bit && whole.header_eight_bit == cut.header_eight_bit && whole.raw_bytes == cut.raw_bytes);
    assert(whole.eight_bit == has_eight_bit(in));
    assert(whole.header_eight_bit == has_eight_bit(header_of(in)));
    assert(whole.raw_bytes <= in.n && whole.raw_bytes == wire_raw_size(in));
    return 0;
}
