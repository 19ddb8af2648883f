/* build_sources.c: what client addresses may do, and what strangers may send to (build.h). */
#include <stdlib.h>

#include "build.h"

/* The bits of auth_mechanisms in the order of its choices. */
enum { CHOICE_PLAIN, CHOICE_LOGIN, CHOICE_CRAM_MD5, CHOICE_SCRAM };

/* One network of one entry. */
struct entry {
    const struct node *node;
    struct inet_net net;
};

/* Those that every user who logs in with a password can use: a hash can be compared with nothing but the password itself. */
static unsigned usable_mechanisms(const struct conf *c)
{
    unsigned usable = AUTH_PLAIN | AUTH_LOGIN | AUTH_CRAM_MD5 | AUTH_SCRAM_SHA_256;

    for (int i = 0; i < c->private->user_count; i++) {
        const struct conf_user *u = c->private->users[i];

        if (u->method == USER_SYSTEM || (u->method == USER_PASSWORD && u->kind == SECRET_HASH))
            usable &= ~(unsigned)(AUTH_CRAM_MD5 | AUTH_SCRAM_SHA_256);
        else if (u->method == USER_PASSWORD && u->kind == SECRET_SCRAM)
            usable &= ~(unsigned)AUTH_CRAM_MD5;
    }
    return usable;
}

static unsigned mechanisms_of(const struct node *list)
{
    static const unsigned bits[] = {
        [CHOICE_PLAIN] = AUTH_PLAIN,
        [CHOICE_LOGIN] = AUTH_LOGIN,
        [CHOICE_CRAM_MD5] = AUTH_CRAM_MD5,
        [CHOICE_SCRAM] = AUTH_SCRAM_SHA_256,
    };
    unsigned chosen = build_choices(list), mechanisms = 0;

    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
        if (chosen & (1u << i))
            mechanisms |= bits[i];
    return mechanisms;
}

static void set_mechanisms(struct build *b, const struct node *list, unsigned usable, struct conf_source *s)
{
    unsigned chosen = mechanisms_of(list);

    s->auth_mechanisms = chosen & usable;
    if (list->at.line == 0)
        return;
    if (chosen & ~usable & AUTH_SCRAM_SHA_256)
        finding_warning(b->findings, &list->at,
                        "auth_mechanisms: SCRAM-SHA-256 is not offered: some users have a hash or method "
                        "system, and could not use it");
    if (chosen & ~usable & AUTH_CRAM_MD5)
        finding_warning(b->findings, &list->at,
                        "auth_mechanisms: CRAM-MD5 is not offered: not every user has a plain password");
    if (!s->auth_mechanisms && chosen)
        finding_warning(b->findings, &list->at, "auth_mechanisms: none of them can be offered; nobody can log in from here");
}

static void set_tenant(struct build *b, const struct node *n, struct conf_source *s)
{
    const struct node *tenant = node_child(n, "tenant"), *trust = node_child(n, "always_allow_relaying");

    if (tenant && tenant->ok) {
        s->tenant = conf_tenant(b->conf, tenant->text);
        if (!s->tenant)
            finding_error(b->findings, &tenant->at, "sources: there is no tenant %s", tenant->text.p);
        else if (!s->always_allow_relaying)
            finding_warning(b->findings, &tenant->at, "sources: tenant means nothing without always_allow_relaying: true");
    }
    if (trust && trust->ok && trust->value.number && !s->tenant && !tenant)
        finding_error(b->findings, &trust->at, "always_allow_relaying: it needs the tenant that mail from here belongs to");
}

/* What an entry says, over what wider networks said. */
static void apply(struct build *b, const struct entry *e, unsigned usable, struct conf_source *s)
{
    const struct node *trust = node_child(e->node, "always_allow_relaying"), *auth = node_child(e->node, "require_auth");
    const struct node *mechanisms = node_child(e->node, "auth_mechanisms");

    s->network = e->net;
    s->at = e->node->at;
    parse_fill_set(b->parse, e->node, s);
    if (trust && trust->ok && trust->value.number && !auth)
        s->require_auth = false;
    if (auth && auth->ok && !auth->value.number && !s->always_allow_relaying)
        finding_warning(b->findings, &auth->at,
                        "require_auth: false alone lets nobody send: who does not log in is served from a "
                        "trusted source only (always_allow_relaying), and for relay_domains");
    if (mechanisms && mechanisms->ok)
        set_mechanisms(b, mechanisms, usable, s);
    set_tenant(b, e->node, s);
}

/* Wider networks first, so that each finds its nearest wider one done. */
static int by_width(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->net.prefix != y->net.prefix)
        return x->net.prefix - y->net.prefix;
    return memcmp(&x->net.addr, &y->net.addr, sizeof x->net.addr);
}

static struct entry *list_entries(struct build *b, int *ret_count)
{
    static const struct inet_net any[2] = { { .addr = { .family = 4 } }, { .addr = { .family = 6 } } };
    const struct node *list = node_child(b->root, "sources");
    struct entry *entries = arena_alloc(b->parse->scratch, sizeof *entries * 2 * (size_t)(list ? list->count : 0));
    int n = 0;

    *ret_count = 0;
    b->lost |= !entries;
    for (const struct node *c = entries && list && list->kind == NODE_LIST ? list->first : NULL; c; c = c->next) {
        const struct node *network = node_child(c, "network");

        if (!network || !network->ok)
            continue;
        if (network->value.object) {
            entries[n++] = (struct entry){ c, *(const struct inet_net *)network->value.object };
        } else {
            entries[n++] = (struct entry){ c, any[0] };
            entries[n++] = (struct entry){ c, any[1] };
        }
    }
    if (n)
        qsort(entries, (size_t)n, sizeof *entries, by_width);
    *ret_count = n;
    return entries;
}

void build_sources(struct build *b)
{
    struct conf_private *p = b->conf->private;
    unsigned usable = usable_mechanisms(b->conf);
    int count;
    struct entry *entries = list_entries(b, &count);
    struct conf_source *all = build_array(b, count, sizeof *all);

    parse_fill_defaults(b->parse, BLOCK_SOURCE, &p->strict);
    set_mechanisms(b, parse_value_of(b->parse, NULL, schema_find(BLOCK_SOURCE, SLICE("auth_mechanisms"))), usable, &p->strict);
    p->strict.index = -1;
    p->strict.at.file = "built-in";
    p->source_table = inet_table_new();
    b->lost |= !p->source_table;
    b->conf->sources = all;
    for (int i = 0; i < count && !b->lost; i++) {
        struct conf_source *s = &all[b->conf->source_count];
        const struct conf_source *wider = inet_table_find(p->source_table, &entries[i].net.addr);
        int rc;

        *s = wider ? *wider : p->strict;
        apply(b, &entries[i], usable, s);
        s->index = b->conf->source_count++;
        rc = inet_table_add(p->source_table, &s->network, s);
        b->lost |= rc == FL_ENOMEM;
        if (rc == FL_EEXIST)
            finding_error(b->findings, &s->at, "sources: this network stands there already (%s:%d)",
                          wider ? wider->at.file : "", wider ? wider->at.line : 0);
    }
}

void build_relay(struct build *b)
{
    struct conf *c = b->conf;
    const struct node *tenant = node_child(b->root, "relay_tenant"), *list = node_child(b->root, "relay_addresses");
    struct relay_address *all = build_array(b, list ? list->count : 0, sizeof *all);

    c->relay_domains = build_texts(b, node_child(b->root, "relay_domains"), &c->relay_domain_count);
    c->relay_addresses = all;
    for (const struct node *n = list && list->kind == NODE_LIST ? list->first : NULL; all && n; n = n->next) {
        struct relay_address r = { .at = n->at };

        if (!n->ok)
            continue;
        if (n->text.p[0] == '/')
            r.pattern = n->value.object;
        else
            r.exact = n->value.text;
        all[c->relay_address_count++] = r;
    }
    if (!tenant || !tenant->ok)
        return;
    c->relay_tenant = conf_tenant(c, tenant->text);
    if (!c->relay_tenant)
        finding_error(b->findings, &tenant->at, "relay_tenant: there is no tenant %s", tenant->text.p);
}
