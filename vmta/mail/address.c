/* address.c: see address.h. */
#include "address.h"

#include <stdio.h>

const struct refusal address_literal_refusal = { 550, "5.1.2", "Address literals are not delivered to" };

static bool is_utf8_byte(char c)
{
    return (unsigned char)c >= 0x80;
}

/* atext of RFC 5322 3.2.3, and of RFC 6531 3.3 (whether UTF-8 is well-formed is checked over the whole) */
static bool is_atext(char c)
{
    return ascii_is_alnum(c) || is_utf8_byte(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Length of a Dot-string at the start of s, 0 when there is none. */
static size_t dot_string(struct slice s)
{
    size_t i = 0;

    for (;;) {
        size_t atom = i;

        while (i < s.n && is_atext(s.p[i]))
            i++;
        if (i == atom)
            return 0;
        if (i == s.n || s.p[i] != '.')
            return i;
        i++;
    }
}

/* Length of a Quoted-string at the start of s, quotes included; 0 when it is malformed. */
static size_t quoted_string(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];

        if (c == '"')
            return i + 1;
        if (c == '\\') {
            if (++i == s.n)
                return 0;
            c = s.p[i];
            if (is_utf8_byte(c))
                return 0; /* quoted-pairSMTP is ASCII */
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            return 0;
    }
    return 0;
}

static size_t local_part(struct slice s)
{
    return s.n && s.p[0] == '"' ? quoted_string(s) : dot_string(s);
}

/* U+0080 … U+009F: control characters that are well-formed UTF-8 */
static bool has_c1(struct slice s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
            return true;
    return false;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]"; no other tag is registered (RFC 5321 4.1.3). */
static bool parse_literal(struct slice domain, struct address *a)
{
    struct slice inner;
    bool v6;

    if (domain.n < 2 || domain.p[domain.n - 1] != ']')
        return false;
    inner = slice_make(domain.p + 1, domain.n - 2);
    v6 = slice_starts_nocase(inner, SLICE("IPv6:"));
    if (v6)
        inner = slice_skip(inner, 5);
    if (v6 != (slice_find(inner, ':') < inner.n) || !inet_addr_parse(inner, &a->literal))
        return false;
    a->kind = ADDRESS_LITERAL;
    inet_literal_text(&a->literal, a->canonical);
    return true;
}

enum address_error address_parse(struct slice mailbox, bool utf8_allowed, struct address *ret)
{
    struct address a = { .kind = ADDRESS_MAILBOX, .text = mailbox };
    size_t n = local_part(mailbox);

    if (n == 0)
        return ADDRESS_BAD_LOCAL;
    if (n < mailbox.n && mailbox.p[n] != '@')
        return ADDRESS_BAD_LOCAL;
    if (n > ADDRESS_LOCAL_MAX || mailbox.n > ADDRESS_MAX)
        return ADDRESS_TOO_LONG;
    a.local = slice_head(mailbox, n);
    a.domain = slice_skip(mailbox, n + 1);
    if (!slice_is_utf8(mailbox) || has_c1(mailbox))
        return ADDRESS_BAD_UTF8;
    if (a.domain.n && a.domain.p[0] == '[') {
        if (!parse_literal(a.domain, &a))
            return ADDRESS_BAD_LITERAL;
    } else if (!domain_canonical(a.domain, a.canonical)) {
        return ADDRESS_BAD_DOMAIN;
    }
    if (!utf8_allowed && !slice_is_ascii(mailbox))
        return ADDRESS_NEEDS_SMTPUTF8;
    *ret = a;
    return ADDRESS_OK;
}

/* Steps over "@a,@b:" (RFC 5321 4.1.2 A-d-l, appendix C: read and ignored). False when malformed. */
static bool skip_source_route(struct slice *rest)
{
    struct slice route;
    char canonical[DOMAIN_MAX];
    size_t colon;

    if (!rest->n || rest->p[0] != '@')
        return true;
    colon = slice_find(*rest, ':');
    if (colon == rest->n)
        return false;
    route = slice_head(*rest, colon);
    *rest = slice_skip(*rest, colon + 1);
    do {
        struct slice hop = slice_cut(&route, ',');

        if (!hop.n || hop.p[0] != '@' || !domain_canonical(slice_skip(hop, 1), canonical))
            return false;
    } while (route.n);
    return route.p[-1] != ',';
}

/* Where the mailbox at the start of s ends: at the first '>' outside of quotes. */
static size_t find_end(struct slice s)
{
    size_t quoted = s.n && s.p[0] == '"' ? quoted_string(s) : 0;

    return quoted + slice_find(slice_skip(s, quoted), '>');
}

enum address_error address_parse_path(struct slice arg, bool utf8_allowed, bool null_allowed, struct address *ret,
                                      struct slice *ret_rest)
{
    struct slice rest = slice_skip(arg, 1), mailbox, after;
    bool routed;
    size_t end;

    if (!arg.n || arg.p[0] != '<')
        return ADDRESS_BAD_PATH;
    routed = rest.n && rest.p[0] == '@';
    if (!skip_source_route(&rest))
        return ADDRESS_BAD_PATH;
    end = find_end(rest);
    if (end == rest.n)
        return ADDRESS_BAD_PATH;
    mailbox = slice_head(rest, end);
    after = slice_skip(rest, end + 1);
    if (after.n && after.p[0] != ' ')
        return ADDRESS_BAD_PATH;
    if (arg.n - after.n > ADDRESS_PATH_MAX)
        return ADDRESS_TOO_LONG;
    if (mailbox.n == 0 && !routed) {
        if (!null_allowed)
            return ADDRESS_NOT_NULL;
        *ret = (struct address){ .kind = ADDRESS_NULL };
    } else if (!null_allowed && !routed && slice_eq_nocase(mailbox, SLICE("postmaster"))) {
        *ret = (struct address){ .kind = ADDRESS_POSTMASTER, .text = mailbox, .local = mailbox };
    } else {
        enum address_error error = address_parse(mailbox, utf8_allowed, ret);

        if (error != ADDRESS_OK)
            return error;
    }
    while (after.n && after.p[0] == ' ')
        after = slice_skip(after, 1);
    *ret_rest = after;
    return ADDRESS_OK;
}

const struct refusal *address_refusal(enum address_error error, bool recipient)
{
    static const struct refusal refusals[][2] = {
        [ADDRESS_BAD_PATH] = { { 501, "5.1.7", "A path is <mailbox>" }, { 501, "5.1.3", "A path is <mailbox>" } },
        [ADDRESS_BAD_LOCAL] = { { 501, "5.1.7", "Malformed local part" }, { 501, "5.1.3", "Malformed local part" } },
        [ADDRESS_BAD_DOMAIN] = { { 501, "5.1.7", "Malformed domain" }, { 501, "5.1.3", "Malformed domain" } },
        [ADDRESS_BAD_LITERAL] = { { 501, "5.1.7", "Malformed address literal" },
                                  { 501, "5.1.3", "Malformed address literal" } },
        [ADDRESS_TOO_LONG] = { { 501, "5.1.7", "Address too long" }, { 501, "5.1.3", "Address too long" } },
        [ADDRESS_BAD_UTF8] = { { 501, "5.1.7", "Address is not UTF-8" }, { 501, "5.1.3", "Address is not UTF-8" } },
        [ADDRESS_NEEDS_SMTPUTF8] = { { 553, "5.6.7", "Address needs SMTPUTF8" }, { 553, "5.6.7", "Address needs SMTPUTF8" } },
        [ADDRESS_NOT_NULL] = { { 501, "5.1.7", "Mailbox needed" }, { 501, "5.1.3", "Mailbox needed" } },
    };

    return &refusals[error][recipient];
}

bool address_needs_smtputf8(const struct address *a)
{
    return !slice_is_ascii(a->local);
}

void address_ascii_domain(const struct address *a, char ret[ADDRESS_TEXT])
{
    snprintf(ret, ADDRESS_TEXT, "%.*s%s%s", SLICE_ARG(a->local), a->canonical[0] ? "@" : "", a->canonical);
}

/* The local part without quotes where it needs none, and in lower case. Never longer than as typed. */
static size_t key_local(struct slice local, char ret[ADDRESS_LOCAL_MAX])
{
    char bare[ADDRESS_LOCAL_MAX];
    size_t n = 0, at = 0;

    if (!local.n || local.p[0] != '"') {
        for (size_t i = 0; i < local.n; i++)
            ret[i] = ascii_lower(local.p[i]);
        return local.n;
    }
    for (size_t i = 1; i + 1 < local.n; i++) {
        if (local.p[i] == '\\')
            i++;
        bare[n++] = ascii_lower(local.p[i]);
    }
    if (n && dot_string(slice_make(bare, n)) == n) {
        memcpy(ret, bare, n);
        return n;
    }
    ret[at++] = '"';
    for (size_t i = 0; i < n; i++) {
        if (bare[i] == '"' || bare[i] == '\\')
            ret[at++] = '\\';
        ret[at++] = bare[i];
    }
    ret[at++] = '"';
    return at;
}

void address_key(const struct address *a, char ret[ADDRESS_TEXT])
{
    char local[ADDRESS_LOCAL_MAX];
    size_t n = key_local(a->local, local);

    snprintf(ret, ADDRESS_TEXT, "%.*s%s%s", (int)n, local, a->canonical[0] ? "@" : "", a->canonical);
}

bool address_eq(const struct address *a, const struct address *b)
{
    char x[ADDRESS_TEXT], y[ADDRESS_TEXT];

    address_key(a, x);
    address_key(b, y);
    return strcmp(x, y) == 0;
}

bool address_matches(const struct address *a, struct slice pattern)
{
    const char *at = pattern.n ? memrchr(pattern.p, '@', pattern.n) : NULL;
    struct slice user = SLICE("*"), domain = pattern;
    char local[ADDRESS_LOCAL_MAX];

    if (slice_eq(pattern, SLICE("*")))
        return true;
    if (a->kind != ADDRESS_MAILBOX)
        return false;
    if (at) {
        user = slice_make(pattern.p, (size_t)(at - pattern.p));
        domain = slice_skip(pattern, user.n + 1);
    }
    if (!domain_matches(domain, slice_of(a->canonical)))
        return false;
    return slice_eq(user, SLICE("*")) || slice_eq_nocase(user, slice_make(local, key_local(a->local, local)));
}
