/* value.c: one text → one value, by the type of its key. A table has a function for each type; each says only yes or no, and
 * the message (what was found, what is allowed) is made in one place. Pure; called by parse.c. */
#include <stdlib.h>

#include "clock.h"
#include "domain.h"
#include "parse.h"
#include "pattern.h"

enum {
    NAME_LONGEST = 64, /* of tenants, VMTAs, pools: they become labels of metrics */
    USER_LONGEST = 255,
    SHOWN = 80, /* bytes of a wrong value that a message repeats */
    DECIMALS = 6,
    FINGERPRINT_BYTES = 32, /* SHA-256 */
    DNS_PORT = 53,
};

typedef bool value_parser(struct parse *p, const struct schema_key *key, struct node *n);

static const char *keep_text(struct parse *p, struct slice s)
{
    struct slice copy = arena_copy(p->conf->private->arena, s);

    p->lost |= !copy.p;
    return copy.p;
}

static void *keep_object(struct parse *p, const void *object, size_t size)
{
    void *copy = arena_alloc(p->conf->private->arena, size);

    if (copy)
        memcpy(copy, object, size);
    p->lost |= !copy;
    return copy;
}

static bool in_range(const struct schema_key *key, int64_t v)
{
    return v >= key->min && v <= key->max;
}

bool value_is_name(struct slice name, bool is_user)
{
    if (name.n == 0 || name.n > (is_user ? USER_LONGEST : NAME_LONGEST) || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!ascii_is_alnum(c) && c != '.' && c != '_' && c != '-' && !(is_user && (c == '@' || c == '+')))
            return false;
    }
    return true;
}

static bool parse_flag(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->value.number = slice_eq(n->text, SLICE("true"));
    return n->value.number || slice_eq(n->text, SLICE("false"));
}

static bool parse_number(struct parse *p, const struct schema_key *key, struct node *n)
{
    uint64_t v;

    if (n->text.n > 1 && n->text.p[0] == '0') /* octal to some, decimal to others */
        return false;
    if (!slice_to_u64(n->text, INT64_MAX, &v))
        return false;
    n->value.number = (int64_t)v;
    return in_range(key, n->value.number);
}

static bool parse_span(struct parse *p, const struct schema_key *key, struct node *n)
{
    if (key->setting == 1 + SET_TIMEOUTS && slice_eq(n->text, SLICE("rfc5321"))) {
        n->value.number = 0;
        return true;
    }
    return units_span(n->text, &n->value.number) && in_range(key, n->value.number);
}

static bool parse_size(struct parse *p, const struct schema_key *key, struct node *n)
{
    return units_size(n->text, &n->value.number) && in_range(key, n->value.number);
}

static bool parse_rate(struct parse *p, const struct schema_key *key, struct node *n)
{
    return units_rate(n->text, &n->value.rate) && in_range(key, n->value.rate.count);
}

static bool parse_percent(struct parse *p, const struct schema_key *key, struct node *n)
{
    int permille;

    if (!units_percent(n->text, &permille))
        return false;
    n->value.number = permille;
    return in_range(key, permille);
}

/* Digits, and at most one point among them. */
static bool parse_factor(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct slice rest = n->text, whole = slice_cut(&rest, '.');
    uint64_t a, b = 0;
    double scale = 1;

    if (!slice_to_u64(whole, (uint64_t)key->max, &a))
        return false;
    if (whole.n < n->text.n && (rest.n > DECIMALS || !slice_to_u64(rest, UINT32_MAX, &b)))
        return false;
    for (size_t i = 0; i < rest.n; i++)
        scale *= 10;
    n->value.factor = (double)a + (double)b / scale;
    return n->value.factor >= (double)key->min && n->value.factor <= (double)key->max;
}

static bool parse_choice(struct parse *p, const struct schema_key *key, struct node *n)
{
    for (int i = 0; key->choices[i]; i++)
        if (slice_eq(n->text, slice_of(key->choices[i]))) {
            n->value.number = i;
            return true;
        }
    return false;
}

static bool parse_text(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->value.text = keep_text(p, n->text);
    return n->text.n > 0;
}

static bool parse_user(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->value.text = keep_text(p, n->text);
    return n->text.n == 0 || value_is_name(n->text, false);
}

/* A host name is no address: its last label is not made of digits alone (RFC 1123 2.1). */
static bool canonical_host(struct slice text, char ret[DOMAIN_MAX])
{
    const char *last;

    if (!domain_canonical(text, ret))
        return false;
    last = strrchr(ret, '.');
    last = last ? last + 1 : ret;
    return last[strspn(last, "0123456789")] != '\0';
}

static bool parse_host(struct parse *p, const struct schema_key *key, struct node *n)
{
    char name[DOMAIN_MAX];

    if (!canonical_host(n->text, name))
        return false;
    n->value.text = keep_text(p, slice_of(name));
    return true;
}

static bool parse_domain_pattern(struct parse *p, const struct schema_key *key, struct node *n)
{
    char pattern[DOMAIN_MAX + 2];

    if (!domain_pattern_canonical(n->text, pattern))
        return false;
    n->value.text = keep_text(p, slice_of(pattern));
    return true;
}

/* A dot-string of RFC 5321 4.1.2, or UTF-8 (RFC 6531). */
static bool is_local_part(struct slice s)
{
    char last = '.';

    if (s.n == 0 || s.n > 64 || !slice_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '.' ? last == '.' : !ascii_is_alnum(c) && (unsigned char)c < 0x80 && !strchr("!#$%&'*+-/=?^_`{|}~", c))
            return false;
        last = c;
    }
    return last != '.';
}

/* "local@domain" with the domain in canonical form. */
static bool parse_mail_address(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct slice domain = n->text, local = slice_cut(&domain, '@');
    char name[DOMAIN_MAX];

    if (!is_local_part(local) || !canonical_host(domain, name))
        return false;
    n->value.text = arena_printf(p->conf->private->arena, "%.*s@%s", SLICE_ARG(local), name);
    p->lost |= !n->value.text;
    return true;
}

static bool parse_pattern(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct pattern *pattern;
    struct fl_err err;

    if (pattern_compile(n->text, &pattern, &err) < 0) {
        finding_error(p->findings, &n->at, "%s: the pattern %.*s is wrong: %s", key->name,
                      (int)(n->text.n < SHOWN ? n->text.n : SHOWN), n->text.p, err.text);
        n->key = NULL; /* said already */
        return false;
    }
    n->value.object = pattern;
    p->lost |= conf_keep_pattern(p->conf, pattern) < 0;
    return true;
}

static bool is_slashed(struct slice s)
{
    return s.n > 0 && s.p[0] == '/';
}

static bool parse_relay_address(struct parse *p, const struct schema_key *key, struct node *n)
{
    return is_slashed(n->text) ? parse_pattern(p, key, n) : parse_mail_address(p, key, n);
}

static bool parse_header_pattern(struct parse *p, const struct schema_key *key, struct node *n)
{
    return is_slashed(n->text) ? parse_pattern(p, key, n) : parse_text(p, key, n);
}

static bool parse_sender_pattern(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct slice domain = n->text, local = slice_cut(&domain, '@');
    char pattern[DOMAIN_MAX + 2];

    if (!slice_eq(local, SLICE("*")))
        return parse_mail_address(p, key, n);
    if (!domain_pattern_canonical(domain, pattern))
        return false;
    n->value.text = arena_printf(p->conf->private->arena, "*@%s", pattern);
    p->lost |= !n->value.text;
    return true;
}

/* RFC 5322 3.6.8: printable ASCII but the colon. */
static bool is_header_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':')
            return false;
    return s.n > 0 && s.n <= NAME_LONGEST;
}

static bool parse_header_name(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->value.text = keep_text(p, n->text);
    return is_header_name(n->text);
}

/* The daemon may have to read it again: what it may see is decided at the start. */
static void note_read(struct parse *p, const char *file)
{
    struct conf_read *r = arena_alloc(p->conf->private->arena, sizeof *r);

    p->lost |= !r;
    if (!r)
        return;
    *r = (struct conf_read){ .next = p->conf->reads, .file = file };
    p->conf->reads = r;
}

static bool parse_file(struct parse *p, const struct schema_key *key, struct node *n)
{
    if (n->text.n == 0)
        return false;
    if (key->setting == 1 + SET_TLS_CA && slice_eq(n->text, SLICE("system"))) {
        n->value.text = NULL;
        return true;
    }
    n->value.text =
        n->text.p[0] == '/' ? keep_text(p, n->text) : arena_printf(p->conf->private->arena, "%s/%s", p->folder, n->text.p);
    p->lost |= !n->value.text;
    if (n->value.text && !(key->flags & KEY_WRITTEN))
        note_read(p, n->value.text);
    return true;
}

/* Secrets stay in the node: builders copy them to where they are wiped. */
static bool parse_secret(struct parse *p, const struct schema_key *key, struct node *n)
{
    return n->text.n > 0;
}

static bool parse_reference(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->value.text = keep_text(p, n->text);
    return value_is_name(n->text, key->in == BLOCK_WHEN);
}

static bool parse_network(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct inet_net net;

    n->value.object = NULL;
    if (key->in == BLOCK_SOURCE && slice_eq(n->text, SLICE("any")))
        return true;
    if (!inet_net_parse(n->text, &net))
        return false;
    n->value.object = keep_object(p, &net, sizeof net);
    return true;
}

static bool parse_address(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct inet_addr addr;

    if (!inet_addr_parse(n->text, &addr))
        return false;
    n->value.object = keep_object(p, &addr, sizeof addr);
    return true;
}

static bool parse_endpoint(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct inet_endpoint endpoint;

    if (!inet_endpoint_parse(n->text, &endpoint))
        return false;
    n->value.object = keep_object(p, &endpoint, sizeof endpoint);
    return true;
}

static bool parse_dns_server(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct inet_endpoint endpoint = { .port = DNS_PORT };

    if (!inet_addr_parse(n->text, &endpoint.addr))
        return parse_endpoint(p, key, n);
    n->value.object = keep_object(p, &endpoint, sizeof endpoint);
    return true;
}

/* "[host]:port", "host:port", "[host]", "host"; the port is 0 when it is not said. An IPv6 address stands in brackets. */
static bool split_port(struct slice text, struct slice *ret_host, bool *ret_brackets, uint16_t *ret_port)
{
    size_t colon;
    uint64_t port;

    *ret_brackets = text.n > 0 && text.p[0] == '[';
    if (*ret_brackets) {
        size_t close = slice_find(text, ']');

        *ret_host = slice_skip(slice_head(text, close), 1);
        if (close == text.n)
            return false;
        text = slice_skip(text, close + 1);
        if (text.n > 0 && text.p[0] != ':')
            return false;
        colon = 0;
    } else {
        colon = slice_find(text, ':');
        *ret_host = slice_head(text, colon);
    }
    *ret_port = 0;
    if (text.n == 0 || colon == text.n)
        return ret_host->n > 0;
    if (!slice_to_u64(slice_skip(text, colon + 1), UINT16_MAX, &port) || port == 0)
        return false;
    *ret_port = (uint16_t)port;
    return ret_host->n > 0;
}

static bool parse_listen(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct listen_address listen = { 0 };
    char name[DOMAIN_MAX];
    struct slice host;
    bool brackets;

    if (!split_port(n->text, &host, &brackets, &listen.port) || listen.port == 0)
        return false;
    listen.any = !brackets && slice_eq(host, SLICE("*"));
    if (!listen.any && !inet_net_parse(host, &listen.net)) {
        if (brackets || !canonical_host(host, name))
            return false;
        listen.name = keep_text(p, slice_of(name));
    }
    n->value.object = keep_object(p, &listen, sizeof listen);
    return true;
}

static bool parse_smart_host(struct parse *p, const struct schema_key *key, struct node *n)
{
    struct smart_host host = { 0 };
    char name[DOMAIN_MAX];
    struct slice text;

    if (!split_port(n->text, &text, &host.is_literal, &host.port))
        return false;
    if (inet_addr_parse(text, &host.addr))
        host.is_literal = true;
    else if (canonical_host(text, name))
        text = slice_of(name);
    else
        return false;
    host.host = keep_text(p, text);
    n->value.object = keep_object(p, &host, sizeof host);
    return true;
}

static int hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_fingerprint(struct parse *p, const struct schema_key *key, struct node *n)
{
    uint8_t bytes[FINGERPRINT_BYTES];
    struct slice s = n->text;

    for (int i = 0; i < FINGERPRINT_BYTES; i++) {
        if (i > 0 && s.n > 0 && s.p[0] == ':')
            s = slice_skip(s, 1);
        if (s.n < 2 || hex_digit(s.p[0]) < 0 || hex_digit(s.p[1]) < 0)
            return false;
        bytes[i] = (uint8_t)(hex_digit(s.p[0]) * 16 + hex_digit(s.p[1]));
        s = slice_skip(s, 2);
    }
    n->value.object = keep_object(p, bytes, sizeof bytes);
    return s.n == 0;
}

static value_parser *const parsers[VALUE_TYPES] = {
    [VALUE_FLAG] = parse_flag,
    [VALUE_NUMBER] = parse_number,
    [VALUE_SPAN] = parse_span,
    [VALUE_SIZE] = parse_size,
    [VALUE_RATE] = parse_rate,
    [VALUE_PERCENT] = parse_percent,
    [VALUE_FACTOR] = parse_factor,
    [VALUE_CHOICE] = parse_choice,
    [VALUE_TEXT] = parse_text,
    [VALUE_USER] = parse_user,
    [VALUE_HOST] = parse_host,
    [VALUE_DOMAIN_PATTERN] = parse_domain_pattern,
    [VALUE_MAIL_ADDRESS] = parse_mail_address,
    [VALUE_RELAY_ADDRESS] = parse_relay_address,
    [VALUE_SENDER_PATTERN] = parse_sender_pattern,
    [VALUE_HEADER_PATTERN] = parse_header_pattern,
    [VALUE_HEADER_NAME] = parse_header_name,
    [VALUE_FILE] = parse_file,
    [VALUE_INCLUDE] = parse_text,
    [VALUE_SECRET] = parse_secret,
    [VALUE_REFERENCE] = parse_reference,
    [VALUE_NETWORK] = parse_network,
    [VALUE_ADDRESS] = parse_address,
    [VALUE_ENDPOINT] = parse_endpoint,
    [VALUE_LISTEN] = parse_listen,
    [VALUE_DNS_SERVER] = parse_dns_server,
    [VALUE_SMART_HOST] = parse_smart_host,
    [VALUE_FINGERPRINT] = parse_fingerprint,
};

static bool parse_word(const struct schema_key *key, struct node *n)
{
    if ((key->flags & KEY_UNLIMITED) && slice_eq(n->text, SLICE("unlimited"))) {
        if (key->type == VALUE_RATE)
            n->value.rate = (struct rate){ 0 };
        else
            n->value.number = INT64_MAX;
        return true;
    }
    if ((key->flags & KEY_NEVER) && slice_eq(n->text, SLICE("never"))) {
        n->value.number = NEVER_MS;
        return true;
    }
    return false;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

static void report_wrong(struct parse *p, const struct schema_key *key, const struct node *n)
{
    int shown = (int)(n->text.n < SHOWN ? n->text.n : SHOWN);
    struct buf allowed;

    buf_init(&allowed, 0);
    if (schema_allowed(key, &allowed) < 0)
        p->lost = true;
    else if (key->type == VALUE_SECRET)
        finding_error(p->findings, &n->at, "%s: nothing, or a control character, was found; allowed: %.*s", key->name,
                      SLICE_ARG(buf_slice(&allowed)));
    else
        finding_error(p->findings, &n->at, "%s: \"%.*s\" was found; allowed: %.*s", key->name, shown, n->text.p,
                      SLICE_ARG(buf_slice(&allowed)));
    buf_free(&allowed);
}

bool value_parse(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->key = key;
    n->ok = parse_word(key, n) || (parsers[key->type] && !has_control(n->text) && parsers[key->type](p, key, n));
    if (!n->ok && n->key)
        report_wrong(p, key, n);
    return n->ok;
}
