/* received.c: see received.h. */
#include "received.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "domain.h"

enum {
    LINE_MAX_WANTED = 77, /* octets before the CRLF: RFC 5322 2.1.1 wants at most 78 */
    WORD_MAX = 512,       /* octets of one value with what stands around it */
};

/* Words of the field, folded as they come. */
struct folder {
    struct buf *out;
    size_t column;
    int rc;
};

static void add_word(struct folder *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_word(struct folder *f, const char *format, ...)
{
    char word[WORD_MAX];
    va_list ap;
    size_t n;

    va_start(ap, format);
    n = (size_t)vsnprintf(word, sizeof word, format, ap);
    va_end(ap);
    if (n >= sizeof word)
        n = sizeof word - 1;
    if (f->rc < 0)
        return;
    if (f->column + 1 + n > LINE_MAX_WANTED) {
        f->rc = buf_printf(f->out, "\r\n\t%s", word);
        f->column = 8 + n;
    } else {
        f->rc = buf_printf(f->out, " %s", word);
        f->column += 1 + n;
    }
}

/* A name of letters, digits, dots, hyphens and underscores (which hosts have in practice); false for anything else. */
static bool clean_name(struct slice s, char ret[DOMAIN_MAX])
{
    if (!slice_is_ascii(s))
        return domain_canonical(s, ret);
    if (s.n == 0 || s.n >= DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_')
            return false;
    memcpy(ret, s.p, s.n);
    ret[s.n] = 0;
    return true;
}

/* The client's own word for itself: a name or an address literal; otherwise what we know of it. */
static void helo_text(const struct received *r, char ret[DOMAIN_MAX])
{
    struct inet_addr literal;
    struct slice inner = r->helo;
    bool bracketed = inner.n > 2 && inner.p[0] == '[' && inner.p[inner.n - 1] == ']';

    if (bracketed) {
        inner = slice_make(inner.p + 1, inner.n - 2);
        if (slice_starts_nocase(inner, SLICE("IPv6:")))
            inner = slice_skip(inner, 5);
    }
    if (bracketed && inet_addr_parse(inner, &literal))
        inet_literal_text(&literal, ret);
    else if (!clean_name(r->helo, ret) && r->client.family)
        inet_literal_text(&r->client, ret);
    else if (!clean_name(r->helo, ret))
        snprintf(ret, DOMAIN_MAX, "unknown");
}

static void add_client(struct folder *f, const struct received *r)
{
    char helo[DOMAIN_MAX], name[DOMAIN_MAX], address[INET_ENDPOINT_TEXT];

    helo_text(r, helo);
    add_word(f, "from %s", helo);
    if (!r->client.family)
        return;
    inet_literal_text(&r->client, address);
    if (clean_name(r->client_name, name))
        add_word(f, "(%s %s)", name, address);
    else
        add_word(f, "(%s)", address);
}

const char *received_protocol(const struct received *r)
{
    static const char *const names[2][2][2] = {
        /* SMTPUTF8, TLS, AUTH */
        { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
        { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
    };

    return r->esmtp ? names[r->smtputf8][r->tls][r->auth] : "SMTP";
}

/* Whether the recipient may stand here: one that was parsed has no control character, and UTF-8 needs SMTPUTF8. */
static bool is_shown(const struct received *r)
{
    for (size_t i = 0; i < r->recipient.n; i++) {
        unsigned char c = (unsigned char)r->recipient.p[i];

        if (c < ' ' || c == 0x7f || (c > 0x7f && !r->smtputf8))
            return false;
    }
    return r->recipient.n > 0 && r->recipient.n < WORD_MAX - 8 && slice_is_utf8(r->recipient);
}

int received_write(const struct received *r, struct buf *out)
{
    struct folder f = { .out = out, .column = sizeof "Received:" - 1, .rc = buf_add(out, SLICE("Received:")) };
    char name[DOMAIN_MAX], version[DOMAIN_MAX], cipher[DOMAIN_MAX], date[CLOCK_RFC5322];

    if (!r->hide_client)
        add_client(&f, r);
    if (clean_name(r->hostname, name))
        add_word(&f, "by %s", name);
    add_word(&f, "with %s", received_protocol(r));
    if (r->tls && clean_name(r->tls_version, version) && clean_name(r->tls_cipher, cipher))
        add_word(&f, "(%s %s)", version, cipher);
    if (clean_name(r->id, name))
        add_word(&f, "id %s", name);
    if (is_shown(r))
        add_word(&f, "for <%.*s>", SLICE_ARG(r->recipient));
    clock_rfc5322(r->wall_ms, date);
    if (f.rc == 0)
        f.rc = buf_add(out, SLICE(";"));
    add_word(&f, "%s", date);
    return f.rc < 0 ? f.rc : buf_add(out, SLICE("\r\n"));
}
