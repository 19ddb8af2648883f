/* xtext.c: the encodings of parameter values (esmtp.h): xtext of RFC 3461 4, and the address forms of RFC 6533 3. */
#include "esmtp.h"

enum { CODE_POINT_DIGITS_MAX = 6 };

static int hex_upper(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What may stand in a decoded value: printable ASCII and the blank. */
static bool is_plain(int c)
{
    return c >= ' ' && c < 0x7f;
}

bool esmtp_xtext_decode(struct slice text, char *ret, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];

        if (c == '+') { /* hexchar: upper case only */
            if (i + 2 >= text.n || hex_upper(text.p[i + 1]) < 0 || hex_upper(text.p[i + 2]) < 0)
                return false;
            c = hex_upper(text.p[i + 1]) * 16 + hex_upper(text.p[i + 2]);
            i += 2;
        } else if (c == '=' || c == ' ') {
            return false;
        }
        if (!is_plain(c) || n + 1 >= size)
            return false;
        ret[n++] = (char)c;
    }
    ret[n] = 0;
    return true;
}

int esmtp_xtext_encode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool escape = c <= ' ' || c >= 0x7f || c == '+' || c == '=';
        int rc = escape ? buf_printf(out, "+%02X", c) : buf_add_char(out, (char)c);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static size_t utf8_encode(uint32_t c, char ret[4])
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        ret[0] = (char)(0xc0 | c >> 6);
        ret[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        ret[0] = (char)(0xe0 | c >> 12);
        ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
        ret[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    ret[0] = (char)(0xf0 | c >> 18);
    ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
    ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
    ret[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Reads "\x{FC}" at the start of *rest. False when malformed, a control character, or no character at all. */
static bool take_code_point(struct slice *rest, uint32_t *ret)
{
    struct slice digits;
    uint32_t c = 0;

    if (!slice_starts_nocase(*rest, SLICE("\\x{")))
        return false;
    *rest = slice_skip(*rest, 3);
    digits = slice_head(*rest, slice_find(*rest, '}'));
    if (digits.n < 2 || digits.n > CODE_POINT_DIGITS_MAX || digits.n == rest->n)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        int v = hex_upper(digits.p[i]);

        if (v < 0)
            return false;
        c = c << 4 | (uint32_t)v;
    }
    *rest = slice_skip(*rest, digits.n + 1);
    if (c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return false;
    *ret = c;
    return true;
}

/* utf-8-addr-xtext, and utf-8-addr-unitext where SMTPUTF8 permits it. */
static bool utf8_address_decode(struct slice text, bool smtputf8, char *ret, size_t size)
{
    struct slice rest = text;
    size_t n = 0;

    if (!slice_is_utf8(text) || (!smtputf8 && !slice_is_ascii(text)))
        return false;
    while (rest.n) {
        char c = rest.p[0], bytes[4];
        size_t bytes_n = 1;

        if (c == '\\') {
            uint32_t code;

            if (!take_code_point(&rest, &code))
                return false;
            bytes_n = utf8_encode(code, bytes);
        } else {
            bytes[0] = c;
            rest = slice_skip(rest, 1);
            /* C1 control characters are UTF-8 too: their second byte stands behind 0xc2 */
            if ((unsigned char)c == 0xc2 && (unsigned char)rest.p[0] < 0xa0)
                return false;
            if ((unsigned char)c <= ' ' || c == 0x7f || c == '+' || c == '=')
                return false;
        }
        if (n + bytes_n >= size)
            return false;
        memcpy(ret + n, bytes, bytes_n);
        n += bytes_n;
    }
    ret[n] = 0;
    return n > 0;
}

/* An addr-type: an atom; those in use are letters, digits and hyphens. */
static bool is_type(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return s.n > 0;
}

bool esmtp_orcpt_decode(struct slice value, bool smtputf8, char *ret, size_t size)
{
    size_t semicolon = slice_find(value, ';');
    struct slice type = slice_head(value, semicolon), address = slice_skip(value, semicolon + 1);
    char *to;

    if (!is_type(type) || address.n == 0 || type.n + 2 >= size)
        return false;
    memcpy(ret, type.p, type.n);
    ret[type.n] = ';';
    to = ret + type.n + 1;
    size -= type.n + 1;
    if (slice_eq_nocase(type, SLICE("utf-8")))
        return utf8_address_decode(address, smtputf8, to, size);
    return esmtp_xtext_decode(address, to, size);
}

/* The code point at the start of s, which is well-formed UTF-8, and its length. */
static uint32_t code_point(struct slice s, size_t *ret_n)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0x7fu >> n);

    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
    *ret_n = n;
    return v;
}

int esmtp_utf8_address_encode(struct slice address, bool smtputf8, struct buf *out)
{
    struct slice rest = address;

    if (!slice_is_utf8(address))
        return FL_EINVAL;
    while (rest.n) {
        size_t n;
        uint32_t c = code_point(rest, &n);
        bool escape = c <= ' ' || c == '+' || c == '=' || c == '\\' || c == 0x7f || (c > 0x7f && !smtputf8);
        int rc = escape ? buf_printf(out, "\\x{%02X}", c) : buf_add(out, slice_head(rest, n));

        if (rc < 0)
            return rc;
        rest = slice_skip(rest, n);
    }
    return 0;
}

int esmtp_orcpt_encode(struct slice orcpt, bool smtputf8, struct buf *out)
{
    size_t semicolon = slice_find(orcpt, ';');
    struct slice type = slice_head(orcpt, semicolon), address = slice_skip(orcpt, semicolon + 1);
    int rc = buf_add(out, type);

    if (rc == 0)
        rc = buf_add_char(out, ';');
    if (rc < 0)
        return rc;
    return slice_eq_nocase(type, SLICE("utf-8")) ? esmtp_utf8_address_encode(address, smtputf8, out)
                                                 : esmtp_xtext_encode(address, out);
}
