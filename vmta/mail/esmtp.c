/* esmtp.c: see esmtp.h. The encodings are in xtext.c. */
#include "esmtp.h"

#include <stdio.h>

static const struct refusal malformed = { 501, "5.5.4", "Malformed parameter" };
static const struct refusal unknown = { 555, "5.5.4", "Parameter not recognised here" };
static const struct refusal repeated = { 501, "5.5.4", "Parameter given twice" };
static const struct refusal too_many = { 501, "5.5.4", "Too many parameters" };

enum { SIZE_DIGITS_MAX = 20 }; /* RFC 1870 3 */

struct reader {
    unsigned offered;
    bool smtputf8; /* RCPT: MAIL had it */
};

/* One parameter of the table: what must be offered, how its value is read into the struct (false: bad value). */
struct parameter {
    struct slice name;
    unsigned offer;
    bool has_value;
    bool (*read)(const struct reader *r, struct slice value, void *ret);
    struct refusal bad;
};

static bool read_size(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_mail *m = ret;

    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_digit(value.p[i]))
            return false;
    if (value.n > SIZE_DIGITS_MAX)
        return false;
    if (!slice_to_u64(value, UINT64_MAX, &m->size))
        m->size = UINT64_MAX;
    m->has_size = true;
    return true;
}

static bool read_body(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_mail *m = ret;

    if (slice_eq_nocase(value, SLICE("7BIT")))
        m->body = ESMTP_BODY_7BIT;
    else if (slice_eq_nocase(value, SLICE("8BITMIME")))
        m->body = ESMTP_BODY_8BITMIME;
    else if (slice_eq_nocase(value, SLICE("BINARYMIME")) && (r->offered & ESMTP_BINARYMIME))
        m->body = ESMTP_BODY_BINARYMIME;
    else
        return false;
    m->has_body = true;
    return true;
}

static bool read_smtputf8(const struct reader *r, struct slice value, void *ret)
{
    ((struct esmtp_mail *)ret)->smtputf8 = true;
    return true;
}

static bool read_ret(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_mail *m = ret;

    if (slice_eq_nocase(value, SLICE("FULL")))
        m->ret = ESMTP_RET_FULL;
    else if (slice_eq_nocase(value, SLICE("HDRS")))
        m->ret = ESMTP_RET_HDRS;
    else
        return false;
    return true;
}

static bool read_envid(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_mail *m = ret;

    return esmtp_xtext_decode(value, m->envid, sizeof m->envid);
}

static bool read_auth(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_mail *m = ret;
    struct address a;

    m->has_auth = true;
    if (slice_eq(value, SLICE("<>")))
        return true;
    return esmtp_xtext_decode(value, m->auth, sizeof m->auth) && address_parse(slice_of(m->auth), false, &a) == ADDRESS_OK;
}

static bool read_notify(const struct reader *r, struct slice value, void *ret)
{
    static const struct {
        struct slice name;
        unsigned bit;
    } words[] = {
        { SLICE("NEVER"), ESMTP_NOTIFY_NEVER },
        { SLICE("SUCCESS"), ESMTP_NOTIFY_SUCCESS },
        { SLICE("FAILURE"), ESMTP_NOTIFY_FAILURE },
        { SLICE("DELAY"), ESMTP_NOTIFY_DELAY },
    };
    struct esmtp_rcpt *rcpt = ret;
    struct slice rest = value;

    if (value.p[value.n - 1] == ',')
        return false;
    while (rest.n) {
        struct slice word = slice_cut(&rest, ',');
        unsigned bit = 0;

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (slice_eq_nocase(word, words[i].name))
                bit = words[i].bit;
        if (!bit || (rcpt->notify & bit))
            return false;
        rcpt->notify |= bit;
    }
    return !(rcpt->notify & ESMTP_NOTIFY_NEVER) || rcpt->notify == ESMTP_NOTIFY_NEVER;
}

static bool read_orcpt(const struct reader *r, struct slice value, void *ret)
{
    struct esmtp_rcpt *rcpt = ret;

    return esmtp_orcpt_decode(value, r->smtputf8, rcpt->orcpt, sizeof rcpt->orcpt);
}

static const struct parameter mail_parameters[] = {
    { SLICE("SIZE"), ESMTP_SIZE, true, read_size, { 501, "5.5.4", "Bad value of SIZE" } },
    { SLICE("BODY"), ESMTP_8BITMIME, true, read_body, { 501, "5.5.4", "Bad value of BODY" } },
    { SLICE("SMTPUTF8"), ESMTP_SMTPUTF8, false, read_smtputf8, { 501, "5.5.4", "SMTPUTF8 has no value" } },
    { SLICE("RET"), ESMTP_DSN, true, read_ret, { 501, "5.5.4", "Bad value of RET" } },
    { SLICE("ENVID"), ESMTP_DSN, true, read_envid, { 501, "5.5.4", "Bad value of ENVID" } },
    { SLICE("AUTH"), ESMTP_AUTH, true, read_auth, { 501, "5.5.4", "Bad value of AUTH" } },
};
static const struct parameter rcpt_parameters[] = {
    { SLICE("NOTIFY"), ESMTP_DSN, true, read_notify, { 501, "5.5.4", "Bad value of NOTIFY" } },
    { SLICE("ORCPT"), ESMTP_DSN, true, read_orcpt, { 501, "5.5.4", "Bad value of ORCPT" } },
};

/* esmtp-keyword: a letter or digit, then those and hyphens (RFC 5321 4.1.2) */
static bool is_keyword(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && (i == 0 || s.p[i] != '-'))
            return false;
    return s.n > 0;
}

/* esmtp-value: printable but for "=", and UTF-8 (RFC 6531 3.3); ORCPT's reader says where the latter is permitted */
static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '=' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && slice_is_utf8(s);
}

/* Reads one "KEYWORD" or "KEYWORD=value"; seen has a bit for each place of the table. NULL, or why not. */
static const struct refusal *read_one(const struct reader *r, const struct parameter *table, size_t table_n, struct slice word,
                                      unsigned *seen, void *ret)
{
    size_t equals = slice_find(word, '=');
    struct slice name = slice_head(word, equals), value = slice_skip(word, equals + 1);
    bool has_value = equals < word.n;

    if (!is_keyword(name) || (has_value && !is_value(value)))
        return &malformed;
    for (size_t i = 0; i < table_n; i++) {
        const struct parameter *p = &table[i];

        if (!slice_eq_nocase(name, p->name) || !(r->offered & p->offer))
            continue;
        if (*seen & 1u << i)
            return &repeated;
        *seen |= 1u << i;
        return has_value == p->has_value && p->read(r, value, ret) ? NULL : &p->bad;
    }
    return &unknown;
}

static const struct refusal *read_all(const struct reader *r, const struct parameter *table, size_t table_n,
                                      struct slice parameters, void *ret)
{
    struct slice rest = parameters;
    unsigned seen = 0, n = 0;

    while (rest.n) {
        struct slice word = slice_cut(&rest, ' ');
        const struct refusal *bad;

        if (!word.n)
            continue; /* several blanks, or one at the end of the line (RFC 5321 4.1.1) */
        if (++n > ESMTP_PARAMETERS_MAX)
            return &too_many;
        bad = read_one(r, table, table_n, word, &seen, ret);
        if (bad)
            return bad;
    }
    return NULL;
}

bool esmtp_parse_mail(struct slice parameters, unsigned offered, struct esmtp_mail *ret, const struct refusal **ret_refusal)
{
    const struct reader r = { .offered = offered };
    struct esmtp_mail m = { 0 };
    const struct refusal *bad =
        read_all(&r, mail_parameters, sizeof mail_parameters / sizeof mail_parameters[0], parameters, &m);

    if (bad)
        *ret_refusal = bad;
    else
        *ret = m;
    return !bad;
}

bool esmtp_parse_rcpt(struct slice parameters, unsigned offered, bool smtputf8, struct esmtp_rcpt *ret,
                      const struct refusal **ret_refusal)
{
    const struct reader r = { .offered = offered, .smtputf8 = smtputf8 };
    struct esmtp_rcpt rcpt = { 0 };
    const struct refusal *bad =
        read_all(&r, rcpt_parameters, sizeof rcpt_parameters / sizeof rcpt_parameters[0], parameters, &rcpt);

    if (bad)
        *ret_refusal = bad;
    else
        *ret = rcpt;
    return !bad;
}

void esmtp_notify_text(unsigned notify, char ret[ESMTP_NOTIFY_TEXT])
{
    static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" }; /* in the order of their bits */

    ret[0] = 0;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(notify & 1u << i))
            continue;
        if (ret[0])
            strcat(ret, ",");
        strcat(ret, names[i]);
    }
}
