/* received.c: see received.h. */
#include "received.h"

#include "clock.h"
#include "domain.h"

enum {
    LINE_MAX_WANTED = 77, /* octets before the CRLF: RFC 5322 2.1.1 wants at most 78 */
    WORD_MAX = 512,       /* octets of a recipient with what stands around it */
};

/* Words of the field, folded as they come. */
struct folder {
    struct buf *out;
    size_t column;
    int rc;
};

static void put(struct folder *f, struct slice s)
{
    if (f->rc == 0)
        f->rc = buf_add(f->out, s);
    f->column += s.n;
}

/* A word with what stands right before and behind it. */
static void add_word(struct folder *f, struct slice before, struct slice word, struct slice behind)
{
    if (f->column + 1 + before.n + word.n + behind.n > LINE_MAX_WANTED) {
        put(f, SLICE("\r\n\t"));
        f->column = 8;
    } else {
        put(f, SLICE(" "));
    }
    put(f, before);
    put(f, word);
    put(f, behind);
}

/* A comment of two names, which stay on one line. */
static void add_pair(struct folder *f, const char *a, const char *b)
{
    char text[2 * DOMAIN_MAX];

    stpcpy(stpcpy(stpcpy(text, a), " "), b);
    add_word(f, SLICE("("), slice_of(text), SLICE(")"));
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
        strcpy(ret, "unknown");
}

static void add_client(struct folder *f, const struct received *r)
{
    char helo[DOMAIN_MAX], name[DOMAIN_MAX], address[INET_ENDPOINT_TEXT];

    helo_text(r, helo);
    add_word(f, SLICE("from "), slice_of(helo), SLICE_NONE);
    if (!r->client.family)
        return;
    inet_literal_text(&r->client, address);
    if (clean_name(r->client_name, name))
        add_pair(f, name, address);
    else
        add_word(f, SLICE("("), slice_of(address), SLICE(")"));
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
        add_word(&f, SLICE("by "), slice_of(name), SLICE_NONE);
    add_word(&f, SLICE("with "), slice_of(received_protocol(r)), SLICE_NONE);
    if (r->tls && clean_name(r->tls_version, version) && clean_name(r->tls_cipher, cipher))
        add_pair(&f, version, cipher);
    if (clean_name(r->id, name))
        add_word(&f, SLICE("id "), slice_of(name), SLICE_NONE);
    if (is_shown(r))
        add_word(&f, SLICE("for <"), r->recipient, SLICE(">"));
    clock_rfc5322(r->wall_ms, date);
    put(&f, SLICE(";"));
    add_word(&f, SLICE_NONE, slice_of(date), SLICE_NONE);
    put(&f, SLICE("\r\n"));
    return f.rc;
}
