/* proxy_protocol.c: see proxy_protocol.h. */
#include "proxy_protocol.h"

enum {
    V2_LOCAL = 0x20,  /* version 2 in the upper half, the command in the lower */
    V2_PROXY = 0x21,
    V2_TCP4 = 0x11,   /* family in the upper half, SOCK_STREAM in the lower */
    V2_TCP6 = 0x21,
    V2_TCP4_BYTES = 12,
    V2_TCP6_BYTES = 36,
};

static const uint8_t v2_signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };
static const uint8_t v1_signature[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

void proxy_parser_init(struct proxy_parser *p)
{
    *p = (struct proxy_parser){ .result = PROXY_MORE };
}

/* ---------------------------------------------------------------- version 1 */
static bool port_of(struct slice text, uint16_t *ret)
{
    uint64_t port;

    if ((text.n > 1 && text.p[0] == '0') || !slice_to_u64(text, UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool address_of(struct slice text, uint8_t family, struct inet_addr *ret)
{
    bool has_colon = slice_find(text, ':') < text.n;

    return has_colon == (family == 6) && inet_addr_parse(text, ret);
}

/* "PROXY TCP4 client server port port", one blank between. */
static enum proxy_result parse_line(struct proxy_parser *p, struct slice line)
{
    struct slice rest = slice_skip(line, sizeof v1_signature), family = slice_cut(&rest, ' '), client, server;
    struct inet_endpoint local;
    uint8_t version;

    if (slice_eq(family, SLICE("UNKNOWN")))
        return PROXY_LOCAL;
    if (!slice_eq(family, SLICE("TCP4")) && !slice_eq(family, SLICE("TCP6")))
        return PROXY_BROKEN;
    version = family.p[3] == '6' ? 6 : 4;
    client = slice_cut(&rest, ' ');
    server = slice_cut(&rest, ' ');
    if (!address_of(client, version, &p->peer.addr) || !address_of(server, version, &local.addr) ||
        !port_of(slice_cut(&rest, ' '), &p->peer.port) || !port_of(rest, &local.port))
        return PROXY_BROKEN;
    return PROXY_CLIENT;
}

/* How many of head's bytes are still to come is not known: the line ends with its LF. */
static enum proxy_result add_to_line(struct proxy_parser *p, uint8_t c)
{
    p->head[p->n++] = c;
    if (c == '\n') {
        if (p->head[p->n - 2] != '\r')
            return PROXY_BROKEN;
        return parse_line(p, slice_make(p->head, p->n - 2));
    }
    return p->n == PROXY_V1_MAX ? PROXY_BROKEN : PROXY_MORE;
}

/* ---------------------------------------------------------------- version 2 */
static unsigned v2_length(const struct proxy_parser *p)
{
    return (unsigned)p->head[14] << 8 | p->head[15];
}

/* Bytes of addresses that this family needs; 0: none that we use. */
static unsigned v2_address_bytes(const struct proxy_parser *p)
{
    switch (p->head[12] == V2_LOCAL ? 0 : p->head[13]) {
    case V2_TCP4:
        return V2_TCP4_BYTES;
    case V2_TCP6:
        return V2_TCP6_BYTES;
    default:
        return 0;
    }
}

/* The fixed part is here: what follows it? */
static enum proxy_result judge_v2(struct proxy_parser *p)
{
    unsigned length = v2_length(p), addresses = v2_address_bytes(p);

    if ((p->head[12] != V2_LOCAL && p->head[12] != V2_PROXY) || length > PROXY_V2_BODY_MAX || length < addresses)
        return PROXY_BROKEN;
    p->skip = length - addresses;
    return PROXY_MORE;
}

/* An IPv4 client that came to the balancer by an IPv6 socket counts as what it is. */
static void unmap(struct inet_addr *a)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (a->family != 6 || memcmp(a->b, mapped, sizeof mapped) != 0)
        return;
    a->family = 4;
    memmove(a->b, a->b + 12, 4);
    memset(a->b + 4, 0, 12);
}

static void read_v2_client(struct proxy_parser *p)
{
    const uint8_t *at = p->head + PROXY_V2_HEADER;
    bool is_v6 = p->head[13] == V2_TCP6;
    unsigned n = is_v6 ? 16 : 4;

    p->peer.addr = (struct inet_addr){ .family = is_v6 ? 6 : 4 };
    memcpy(p->peer.addr.b, at, n);
    unmap(&p->peer.addr);
    p->peer.port = (uint16_t)(at[2 * n] << 8 | at[2 * n + 1]);
}

/* All but what is passed over is here. A transport that is not TCP over IP names no client that we could judge by. */
static enum proxy_result finish_v2(struct proxy_parser *p)
{
    if (v2_address_bytes(p) == 0)
        return p->head[12] == V2_LOCAL ? PROXY_LOCAL : PROXY_BROKEN;
    read_v2_client(p);
    return PROXY_CLIENT;
}

static enum proxy_result add_to_v2(struct proxy_parser *p, uint8_t c)
{
    if (p->n >= PROXY_V2_HEADER && p->n == PROXY_V2_HEADER + v2_address_bytes(p)) {
        p->skip--;
    } else {
        p->head[p->n++] = c;
        if (p->n == PROXY_V2_HEADER && judge_v2(p) == PROXY_BROKEN)
            return PROXY_BROKEN;
    }
    if (p->n < PROXY_V2_HEADER || p->n < PROXY_V2_HEADER + v2_address_bytes(p) || p->skip > 0)
        return PROXY_MORE;
    return finish_v2(p);
}

/* ---------------------------------------------------------------- both */
/* Within the signature every byte is settled: the first wrong one ends it. */
static enum proxy_result add(struct proxy_parser *p, uint8_t c)
{
    bool is_v2 = p->n > 0 ? p->head[0] == v2_signature[0] : c == v2_signature[0];
    const uint8_t *signature = is_v2 ? v2_signature : v1_signature;
    unsigned length = is_v2 ? sizeof v2_signature : sizeof v1_signature;

    if (p->n < length) {
        if (c != signature[p->n])
            return PROXY_BROKEN;
        p->head[p->n++] = c;
        return PROXY_MORE;
    }
    return is_v2 ? add_to_v2(p, c) : add_to_line(p, c);
}

enum proxy_result proxy_parse(struct proxy_parser *p, struct slice *in)
{
    while (p->result == PROXY_MORE && in->n > 0) {
        p->result = add(p, (uint8_t)in->p[0]);
        *in = slice_skip(*in, 1);
    }
    return p->result;
}
