/* Fuzzes vmta/mail/reply.c: the first byte says how the rest is cut; cuts change nothing, and the text is always clean. */
#include <assert.h>

#include "reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the first reply in steps; what became of it. */
static enum reply_status read_first(struct reply_parser *p, struct slice in, size_t step)
{
    enum reply_status status = REPLY_MORE;

    reply_init(p);
    while (in.n) {
        struct slice part = slice_head(in, step);

        in = slice_skip(in, part.n);
        do
            status = reply_next(p, &part);
        while (status == REPLY_LINE);
        if (status != REPLY_MORE)
            return status;
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_parser whole, cut;
    struct slice in = slice_make(data, size);
    struct slice text;
    enum reply_status status;

    if (size < 2)
        return 0;
    in = slice_skip(in, 1);
    status = read_first(&whole, in, in.n);
    assert(status == read_first(&cut, in, data[0] + 1u));
    if (status != REPLY_DONE)
        return 0;
    assert(memcmp(reply_get(&whole), reply_get(&cut), sizeof(struct reply)) == 0);
    text = slice_of(reply_get(&whole)->text);
    assert(slice_is_utf8(text) && text.n <= REPLY_TEXT_MAX);
    for (size_t i = 0; i < text.n; i++)
        assert((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f);
    return 0;
}
