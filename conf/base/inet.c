/* inet.c: see inet.h. The table of networks is in inet_table.c. */
#include "inet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"

enum { V4_BITS = 32, V6_BITS = 128 };

static int bits_of(const struct inet_addr *a)
{
    return a->family == 4 ? V4_BITS : V6_BITS;
}

static struct inet_addr from_in6(const struct in6_addr *in)
{
    struct inet_addr a = { 0 };

    if (IN6_IS_ADDR_V4MAPPED(in)) {
        a.family = 4;
        memcpy(a.b, in->s6_addr + 12, 4);
    } else {
        a.family = 6;
        memcpy(a.b, in->s6_addr, 16);
    }
    return a;
}

bool inet_addr_parse(struct slice text, struct inet_addr *ret)
{
    char z[INET6_ADDRSTRLEN + 1];
    struct in6_addr v6;
    struct inet_addr a = { .family = 4 };

    if (text.n == 0 || text.n >= sizeof z || memchr(text.p, 0, text.n))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = 0;
    if (memchr(text.p, ':', text.n)) {
        if (inet_pton(AF_INET6, z, &v6) != 1)
            return false;
        *ret = from_in6(&v6);
        return true;
    }
    if (inet_pton(AF_INET, z, a.b) != 1) /* dotted quad, no leading zeros */
        return false;
    *ret = a;
    return true;
}

struct inet_addr inet_masked(const struct inet_addr *a, int prefix)
{
    struct inet_addr m = *a;

    for (int i = 0; i < 16; i++) {
        int keep = prefix - 8 * i;

        if (keep <= 0)
            m.b[i] = 0;
        else if (keep < 8)
            m.b[i] &= (uint8_t)(0xff << (8 - keep));
    }
    return m;
}

bool inet_net_parse(struct slice text, struct inet_net *ret)
{
    size_t slash = slice_find(text, '/');
    struct inet_net net;
    struct inet_addr clean;
    uint64_t prefix;

    if (!inet_addr_parse(slice_head(text, slash), &net.addr))
        return false;
    prefix = (uint64_t)bits_of(&net.addr);
    if (slash < text.n) {
        struct slice digits = slice_skip(text, slash + 1);
        bool mapped = net.addr.family == 4 && memchr(text.p, ':', slash);

        if (digits.n > 3 || (digits.n > 1 && digits.p[0] == '0') || !slice_to_u64(digits, mapped ? V6_BITS : prefix, &prefix))
            return false;
        if (mapped && prefix < V6_BITS - V4_BITS)
            return false;
        if (mapped)
            prefix -= V6_BITS - V4_BITS;
    }
    clean = inet_masked(&net.addr, (int)prefix);
    if (!inet_addr_eq(&clean, &net.addr))
        return false;
    net.prefix = (uint8_t)prefix;
    *ret = net;
    return true;
}

bool inet_endpoint_parse(struct slice text, struct inet_endpoint *ret)
{
    struct slice host, port;
    struct inet_endpoint e;
    uint64_t number;

    if (text.n && text.p[0] == '[') {
        size_t end = slice_find(text, ']');

        if (end + 1 >= text.n || text.p[end + 1] != ':')
            return false;
        host = slice_make(text.p + 1, end - 1);
        port = slice_skip(text, end + 2);
    } else {
        size_t colon = slice_find(text, ':');

        host = slice_head(text, colon);
        port = slice_skip(text, colon + 1);
    }
    if (!inet_addr_parse(host, &e.addr) || port.n > 5 || !slice_to_u64(port, UINT16_MAX, &number) || number == 0)
        return false;
    e.port = (uint16_t)number;
    *ret = e;
    return true;
}

void inet_addr_text(const struct inet_addr *a, char ret[INET_TEXT])
{
    if (a->family == 4) { /* inet_ntop goes through printf */
        for (int i = 0; i < 4; i++) {
            ret = digits_put(ret, a->b[i]);
            *ret++ = i < 3 ? '.' : 0;
        }
        return;
    }
    ret[0] = 0;
    if (a->family == 6)
        inet_ntop(AF_INET6, a->b, ret, INET_TEXT);
}

void inet_net_text(const struct inet_net *n, char ret[INET_ENDPOINT_TEXT])
{
    char text[INET_TEXT];

    inet_addr_text(&n->addr, text);
    snprintf(ret, INET_ENDPOINT_TEXT, "%s/%u", text, n->prefix);
}

void inet_endpoint_text(const struct inet_endpoint *e, char ret[INET_ENDPOINT_TEXT])
{
    char text[INET_TEXT];

    inet_addr_text(&e->addr, text);
    snprintf(ret, INET_ENDPOINT_TEXT, e->addr.family == 6 ? "[%s]:%u" : "%s:%u", text, e->port);
}

void inet_literal_text(const struct inet_addr *a, char ret[INET_ENDPOINT_TEXT])
{
    ret = stpcpy(ret, a->family == 6 ? "[IPv6:" : "[");
    inet_addr_text(a, ret);
    strcat(ret, "]");
}

bool inet_addr_eq(const struct inet_addr *a, const struct inet_addr *b)
{
    return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool inet_net_has(const struct inet_net *n, const struct inet_addr *a)
{
    struct inet_addr m;

    if (a->family != n->addr.family)
        return false;
    m = inet_masked(a, n->prefix);
    return inet_addr_eq(&m, &n->addr);
}

bool inet_is_loopback(const struct inet_addr *a)
{
    static const struct inet_addr v6 = { .family = 6, .b = { [15] = 1 } };

    return a->family == 4 ? a->b[0] == 127 : inet_addr_eq(a, &v6);
}

bool inet_is_unspecified(const struct inet_addr *a)
{
    static const struct inet_addr v6 = { .family = 6 };

    return a->family == 4 ? a->b[0] == 0 : inet_addr_eq(a, &v6);
}

struct inet_addr inet_net_nth(const struct inet_net *n, uint32_t i)
{
    struct inet_addr a = n->addr;
    uint64_t carry = i;

    for (int at = bits_of(&a) / 8 - 1; at >= 0 && carry; at--) {
        carry += a.b[at];
        a.b[at] = (uint8_t)carry;
        carry >>= 8;
    }
    return a;
}

uint32_t inet_net_count(const struct inet_net *n)
{
    int host = bits_of(&n->addr) - n->prefix;

    return host >= 32 ? UINT32_MAX : (uint32_t)1 << host;
}

struct inet_endpoint inet_from_sockaddr(const struct sockaddr *sa)
{
    struct inet_endpoint e = { 0 };

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;

        e.addr.family = 4;
        memcpy(e.addr.b, &in->sin_addr, 4);
        e.port = ntohs(in->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;

        e.addr = from_in6(&in6->sin6_addr);
        e.port = ntohs(in6->sin6_port);
    }
    return e;
}

socklen_t inet_to_sockaddr(const struct inet_endpoint *e, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (e->addr.family == 4) {
        struct sockaddr_in *in = (void *)ret;

        in->sin_family = AF_INET;
        in->sin_port = htons(e->port);
        memcpy(&in->sin_addr, e->addr.b, 4);
        return sizeof *in;
    }
    if (e->addr.family == 6) {
        struct sockaddr_in6 *in6 = (void *)ret;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(e->port);
        memcpy(&in6->sin6_addr, e->addr.b, 16);
        return sizeof *in6;
    }
    return 0;
}
