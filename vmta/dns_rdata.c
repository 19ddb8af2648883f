/* dns_rdata.c: see dns_rdata.h. */
#include "dns_rdata.h"

#include "domain.h"

enum { LABEL_MAX = 63, MX_PREFERENCE_BYTES = 2 };

/* "\3two\4test\0" → "two.test". The root becomes "". False when cut short, followed by more, or with a dot inside a label. */
static bool name_text(struct slice wire, char ret[DOMAIN_MAX])
{
    size_t n = 0;

    while (wire.n > 0 && wire.p[0] != 0) {
        size_t label = (unsigned char)wire.p[0];

        if (label > LABEL_MAX || label >= wire.n || n + label + 1 >= DOMAIN_MAX)
            return false;
        if (memchr(wire.p + 1, '.', label) || memchr(wire.p + 1, 0, label))
            return false;
        if (n > 0)
            ret[n++] = '.';
        memcpy(ret + n, wire.p + 1, label);
        n += label;
        wire = slice_skip(wire, label + 1);
    }
    ret[n] = 0;
    return wire.n == 1;
}

bool dns_rdata_mx(struct slice rdata, struct dns_mx *ret)
{
    const unsigned char *p = (const unsigned char *)rdata.p;
    char name[DOMAIN_MAX];

    if (rdata.n <= MX_PREFERENCE_BYTES || !name_text(slice_skip(rdata, MX_PREFERENCE_BYTES), name))
        return false;
    ret->preference = (uint16_t)(p[0] << 8 | p[1]);
    ret->host[0] = 0;
    return name[0] == 0 || domain_canonical(slice_of(name), ret->host);
}

static bool is_v4_mapped(struct slice rdata)
{
    static const char prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff };

    return memcmp(rdata.p, prefix, sizeof prefix) == 0;
}

bool dns_rdata_addr(struct slice rdata, uint8_t family, struct inet_addr *ret)
{
    if (rdata.n != (family == 4 ? 4 : 16))
        return false;
    if (family == 6 && is_v4_mapped(rdata)) {
        family = 4;
        rdata = slice_skip(rdata, 12);
    }
    *ret = (struct inet_addr){ .family = family };
    memcpy(ret->b, rdata.p, rdata.n);
    return true;
}
