/* base64.c: see base64.h. */
#include "base64.h"

#include "err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct slice bytes, struct buf *out)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    size_t left = bytes.n;
    char *to;
    int rc = buf_reserve(out, base64_size(bytes.n), &to);

    if (rc < 0)
        return rc;
    while (left) {
        uint32_t bits = (uint32_t)in[0] << 16 | (left > 1 ? in[1] << 8 : 0) | (left > 2 ? in[2] : 0);

        to[0] = alphabet[bits >> 18];
        to[1] = alphabet[bits >> 12 & 63];
        to[2] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        to[3] = left > 2 ? alphabet[bits & 63] : '=';
        in += left > 2 ? 3 : left;
        left -= left > 2 ? 3 : left;
        to += 4;
    }
    buf_grown(out, base64_size(bytes.n));
    return 0;
}

/* 0 … 63, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four, the last one perhaps padded. Returns the octets written, or 0 when malformed. */
static size_t decode_group(const char *text, bool last, char *to)
{
    size_t pads = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    uint32_t bits = 0;

    if (pads && !last)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        int v = i < 4 - pads ? value_of(text[i]) : 0;

        if (v < 0)
            return 0;
        bits = bits << 6 | (uint32_t)v;
    }
    if (bits & ((1u << 8 * pads) - 1))
        return 0;
    for (size_t i = 0; i < 3 - pads; i++)
        to[i] = (char)(bits >> (16 - 8 * i));
    return 3 - pads;
}

int base64_decode(struct slice text, struct buf *out)
{
    size_t n = 0;
    char *to;
    int rc;

    if (text.n % 4)
        return FL_EINVAL;
    rc = buf_reserve(out, text.n / 4 * 3, &to);
    if (rc < 0)
        return rc;
    for (size_t at = 0; at < text.n; at += 4) {
        size_t got = decode_group(text.p + at, at + 4 == text.n, to + n);

        if (!got)
            return FL_EINVAL;
        n += got;
    }
    buf_grown(out, n);
    return 0;
}
