/* Fuzzes daemon/proxy_protocol.c: the first byte says how the rest is cut. Cuts change nothing, nothing behind the header is taken, and
 * a header that was found is followed by what follows it. */
#include <assert.h>

#include "input.h"
#include "proxy_protocol.h"

static size_t parse(struct proxy_parser *p, struct slice in, size_t step)
{
    size_t taken = 0;

    proxy_parser_init(p);
    while (in.n && p->result == PROXY_MORE) {
        struct slice part = slice_head(in, step), left = part;

        proxy_parse(p, &left);
        taken += part.n - left.n;
        in = slice_skip(in, part.n);
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    size_t step = input_byte(&in) + 1u, taken;
    struct proxy_parser whole, cut;

    taken = parse(&whole, in, in.n);
    assert(parse(&cut, in, step) == taken && taken <= in.n);
    assert(whole.result == cut.result);
    assert(taken <= PROXY_V2_HEADER + PROXY_V2_BODY_MAX);
    if (whole.result == PROXY_CLIENT) {
        assert(whole.peer.addr.family == 4 || whole.peer.addr.family == 6);
        assert(inet_addr_eq(&whole.peer.addr, &cut.peer.addr) && whole.peer.port == cut.peer.port);
    }
    return 0;
}
