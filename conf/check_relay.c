/* check_relay.c: never an open relay (check.h). Three doors could be left open: trusted sources that are everybody, recipients
 * that are everybody's, and proxies that may name any client. */
#include "check.h"

#include <stdio.h>

/* ---------------------------------------------------------------- trusted sources
 * Refused is not only 0/0: 0.0.0.0/1 and 128.0.0.0/1 are the same, and so is all but one network. So the trusted part of the
 * public address space is summed up. All private networks together are less than the limit. */
static const double TRUSTED_IPV4_MOST = 1.0 / 64;        /* four networks of the size /8 */
static const double TRUSTED_IPV6_MOST = 1.0 / (1 << 13); /* of 2000::/3: one network of the size /16 */

enum { IPV6_PUBLIC_PREFIX = 3 }; /* 2000::/3: all that is routed (RFC 4291 2.4, IANA) */

static double two_to_minus(int n)
{
    double d = 1;

    while (n-- > 0)
        d /= 2;
    return d;
}

/* Which part of its family's public addresses a network is. */
static double part_of(const struct inet_net *net)
{
    static const struct inet_addr public = { .family = 6, .b = { 0x20 } };

    if (net->addr.family == 4)
        return two_to_minus(net->prefix);
    if (net->prefix <= IPV6_PUBLIC_PREFIX)
        return inet_net_has(net, &public) ? 1 : 0;
    return net->addr.b[0] >> 5 == 1 ? two_to_minus(net->prefix - IPV6_PUBLIC_PREFIX) : 0;
}

static bool is_trusted(const struct conf_source *s)
{
    return s && s->always_allow_relaying && !s->require_auth;
}

/* The nearest wider entry. Entries are sorted by width, widest first. */
static const struct conf_source *wider_than(const struct conf *c, int i)
{
    const struct inet_net *net = &c->sources[i].network;

    for (int j = i - 1; j >= 0; j--)
        if (c->sources[j].network.prefix < net->prefix && inet_net_has(&c->sources[j].network, &net->addr))
            return &c->sources[j];
    return NULL;
}

static void report_trusted(const struct conf *c, int family, double most, struct conf_findings *f)
{
    const struct conf_source *widest = NULL;

    for (int i = 0; i < c->source_count; i++) {
        const struct conf_source *s = &c->sources[i];

        if (s->network.addr.family != family || !is_trusted(s) || part_of(&s->network) == 0)
            continue;
        if (widest && part_of(&s->network) <= most)
            continue;
        widest = widest ? widest : s;
        finding_error(f, &s->at,
                      "sources: an open relay: the networks with always_allow_relaying hold too much of the IPv%d addresses; "
                      "allowed: your own networks, or require_auth: true",
                      family);
    }
}

static void check_trusted(const struct conf *c, struct conf_findings *f)
{
    double ipv4 = 0, ipv6 = 0;

    for (int i = 0; i < c->source_count; i++) {
        const struct conf_source *s = &c->sources[i];
        bool is = is_trusted(s), was = is_trusted(wider_than(c, i));
        double part = is == was ? 0 : is ? part_of(&s->network) : -part_of(&s->network);

        *(s->network.addr.family == 4 ? &ipv4 : &ipv6) += part;
    }
    if (ipv4 > TRUSTED_IPV4_MOST)
        report_trusted(c, 4, TRUSTED_IPV4_MOST, f);
    if (ipv6 > TRUSTED_IPV6_MOST)
        report_trusted(c, 6, TRUSTED_IPV6_MOST, f);
}

static void check_proxies(const struct conf *c, struct conf_findings *f)
{
    for (int i = 0; i < c->listener_count; i++) {
        const struct conf_listener *l = &c->listeners[i];
        double ipv4 = 0, ipv6 = 0;

        for (int j = 0; j < l->proxy_from_count; j++)
            *(l->proxy_from[j].addr.family == 4 ? &ipv4 : &ipv6) += part_of(&l->proxy_from[j]);
        if (ipv4 > TRUSTED_IPV4_MOST || ipv6 > TRUSTED_IPV6_MOST)
            finding_error(f, &l->at,
                          "proxy_protocol: from holds too much of the address space: anybody could name a trusted source as "
                          "his address and relay; allowed: your own proxies");
    }
}

/* ---------------------------------------------------------------- recipients */

/* Top-level names that no public domain has (RFC 2606, RFC 6761, RFC 6762, ICANN's reservation of .internal). */
static bool is_private_top(const char *name)
{
    static const char *const private[] = {
        "test", "example", "invalid", "localhost", "local", "internal", "lan", "home", "corp"
    };

    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        if (strcmp(private[i], name) == 0)
            return true;
    return false;
}

static void check_domains(const struct conf *c, const struct node *list, struct conf_findings *f)
{
    for (const struct node *n = list && list->kind == NODE_LIST ? list->first : NULL; n; n = n->next) {
        const char *pattern = n->ok ? n->value.text : "";

        if (strcmp(pattern, "*") == 0)
            finding_error(f, &n->at, "relay_domains: an open relay: * is everybody's domain; allowed: your own");
        else if (strncmp(pattern, "*.", 2) == 0 && !strchr(pattern + 2, '.') && !is_private_top(pattern + 2))
            finding_error(f, &n->at, "relay_domains: an open relay: %s holds other people's domains; allowed: your own",
                          pattern);
    }
}

enum { LOCAL_PART_MAX = 64 };

/* A local part that the pattern could mean: what stands before its '@', signs of repetition left out. */
static void guess_local_part(struct slice pattern, char ret[LOCAL_PART_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 1; i < pattern.n && pattern.p[i] != '@' && n < LOCAL_PART_MAX; i++) {
        char c = pattern.p[i];

        if (c == '\\' && i + 1 < pattern.n) {
            i++;
            ret[n++] = pattern.p[i] == 'd' ? '1' : pattern.p[i] == 'S' || pattern.p[i] == 'w' ? 'x' : pattern.p[i];
        } else if (ascii_is_alnum(c) || c == '-' || c == '_' || c == '=') {
            ret[n++] = c;
        } else if (c == '.') {
            ret[n++] = 'x';
        }
    }
    ret[n] = '\0';
}

/* At how many of some unrelated domains the pattern takes this local part. */
static int foreign_domains(const struct pattern *p, const char *local)
{
    static const char *const foreign[] = {
        "qzvwk.com", "nine-oaks.com", "mail.ubxtr.com", "qzvwk.net", "h7.ubxtr.net",  "ubxtr.org",  "nine-oaks.org",
        "qzvwk.de",  "ubxtr.co.uk",   "nine-oaks.io",   "qzvwk.fr",  "ubxtr.example", "qzvwk.test",
    };
    int n = 0;

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char address[LOCAL_PART_MAX + 64];

        snprintf(address, sizeof address, "%s@%s", local, foreign[i]);
        n += pattern_match(p, slice_of(address)) != PATTERN_NO;
    }
    return n;
}

/* Whether nothing may follow what the pattern describes. */
static bool ends_anchored(struct slice pattern)
{
    size_t end = pattern.n;

    while (end > 0 && pattern.p[end - 1] != '/')
        end--;
    return end >= 3 && ((pattern.p[end - 2] == '$' && pattern.p[end - 3] != '\\') ||
                        ((pattern.p[end - 2] == 'z' || pattern.p[end - 2] == 'Z') && pattern.p[end - 3] == '\\'));
}

static void check_pattern(const struct relay_address *r, struct conf_findings *f)
{
    static const char *const locals[] = { "someone", "a", "info", "first.last", "x1234567890", "bounce", "postmaster" };
    struct slice text = pattern_text(r->pattern);
    char guessed[LOCAL_PART_MAX + 1];
    int most;

    guess_local_part(text, guessed);
    most = foreign_domains(r->pattern, guessed);
    for (size_t i = 0; i < sizeof locals / sizeof *locals; i++) {
        int n = foreign_domains(r->pattern, locals[i]);

        most = n > most ? n : most;
    }
    if (most > 0)
        finding_error(f, &r->at, "relay_addresses: an open relay: the pattern %.*s matches addresses in other people's domains",
                      SLICE_ARG(text));
    else if (!ends_anchored(text))
        finding_warning(f, &r->at, "relay_addresses: the pattern %.*s does not end in $: it also matches what goes on after it",
                        SLICE_ARG(text));
}

static void check_tenant(const struct conf *c, const struct node *root, struct conf_findings *f)
{
    const struct node *domains = node_child(root, "relay_domains"), *addresses = node_child(root, "relay_addresses");
    const struct node *tenant = node_child(root, "relay_tenant");
    const struct conf_listener *inbound = NULL;

    for (int i = 0; i < c->listener_count && !inbound; i++)
        if (c->listeners[i].role == ROLE_INBOUND)
            inbound = &c->listeners[i];
    if (inbound && !tenant)
        finding_error(
            f,
            domains     ? &domains->name_at
            : addresses ? &addresses->name_at
                        : &inbound->at,
            "relay_tenant is missing; it is required with a listener of role inbound: whose route carries what comes in?");
    if (c->relay_tenant && !c->relay_tenant->route.vmta && !c->relay_tenant->route.pool)
        finding_error(f, &tenant->at, "relay_tenant: tenant %s has no route for what comes in", c->relay_tenant->name);
}

void check_relay(const struct conf *c, const struct node *root, struct conf_findings *findings)
{
    check_trusted(c, findings);
    check_proxies(c, findings);
    check_domains(c, node_child(root, "relay_domains"), findings);
    for (int i = 0; i < c->relay_address_count; i++)
        if (c->relay_addresses[i].pattern)
            check_pattern(&c->relay_addresses[i], findings);
    check_tenant(c, root, findings);
}
