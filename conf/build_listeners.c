/* build_listeners.c: certificates, and where clients connect (build.h). */
#include "build.h"

enum { LISTEN_MAX = 256 }; /* addresses that one entry may make */

void build_tls(struct build *b)
{
    const struct node *tls = node_child(b->root, "tls"), *list = node_child(tls, "certificates");
    const struct node *ciphers = parse_get(b->parse, tls, BLOCK_TLS, "ciphers"), *ca = node_child(tls, "client_ca");
    struct conf_certificate *all = build_array(b, list ? list->count : 0, sizeof *all);
    struct conf *c = b->conf;

    parse_fill_defaults(b->parse, BLOCK_TLS, c);
    parse_fill_set(b->parse, tls, c);
    c->tls_ciphers = strcmp(ciphers->value.text, "default") == 0 ? NULL : ciphers->value.text;
    c->tls_client_ca = ca && ca->ok ? ca->value.text : NULL;
    c->certificates = all;
    for (const struct node *n = list && list->kind == NODE_LIST ? list->first : NULL; all && n; n = n->next) {
        const struct node *certificate = node_child(n, "certificate"), *key = node_child(n, "key");

        if (certificate && certificate->ok && key && key->ok)
            all[c->certificate_count++] = (struct conf_certificate){ certificate->value.text, key->value.text, n->at };
    }
}

static void build_proxies(struct build *b, const struct node *n, struct conf_listener *l)
{
    const struct node *from = node_child(n, "from");
    struct inet_net *nets = build_array(b, from ? from->count : 0, sizeof *nets);

    l->proxy_required = n != NULL;
    l->proxy_from = nets;
    for (const struct node *c = from && from->kind == NODE_LIST ? from->first : NULL; nets && c; c = c->next)
        if (c->ok)
            nets[l->proxy_from_count++] = *(const struct inet_net *)c->value.object;
}

static void add_listener(struct build *b, const struct node *address, const struct conf_listener *like, struct inet_addr addr,
                         struct conf_listener *all)
{
    struct conf_listener *l = &all[b->conf->listener_count];

    *l = *like;
    l->endpoint.addr = addr;
    for (int i = 0; i < b->conf->listener_count; i++)
        if (all[i].endpoint.port == l->endpoint.port && inet_addr_eq(&all[i].endpoint.addr, &addr)) {
            finding_error(b->findings, &address->at, "listeners: %s is listened on already (%s:%d)", address->text.p,
                          all[i].at.file, all[i].at.line);
            return;
        }
    b->conf->listener_count++;
}

static void add_listeners(struct build *b, const struct node *address, const struct conf_listener *like,
                          struct conf_listener *all)
{
    const struct listen_address *listen = address->value.object;
    static const struct inet_addr any[2] = { { .family = 4 }, { .family = 6 } };

    if (listen->any) {
        add_listener(b, address, like, any[0], all);
        add_listener(b, address, like, any[1], all);
        return;
    }
    for (int i = 0; i < listen->addr_count; i++)
        add_listener(b, address, like, listen->addrs[i], all);
    for (uint32_t i = 0; !listen->name && i < inet_net_count(&listen->net); i++)
        add_listener(b, address, like, inet_net_nth(&listen->net, i), all);
}

/* How many addresses an entry makes; 0 when it has errors. */
static int size_of(struct build *b, const struct node *address)
{
    const struct listen_address *listen = address && address->ok ? address->value.object : NULL;
    uint32_t size;

    if (!listen)
        return 0;
    if (listen->any)
        return 2;
    size = listen->name ? (uint32_t)listen->addr_count : inet_net_count(&listen->net);
    if (size <= LISTEN_MAX)
        return (int)size;
    finding_error(b->findings, &address->at, "address: %s makes more than %d addresses", address->text.p, LISTEN_MAX);
    return 0;
}

void build_listeners(struct build *b)
{
    const struct node *list = node_child(b->root, "listeners");
    struct conf_listener *all;
    int total = 0;

    if (!list || list->kind != NODE_LIST)
        return;
    for (const struct node *n = list->first; n; n = n->next)
        total += size_of(b, node_child(n, "address"));
    all = build_array(b, total, sizeof *all);
    b->conf->listeners = all;
    for (const struct node *n = list->first; all && n; n = n->next) {
        const struct node *address = node_child(n, "address");
        struct conf_listener like = { .at = n->at };

        if (!address || !address->ok ||
            inet_net_count(&((const struct listen_address *)address->value.object)->net) > LISTEN_MAX)
            continue;
        parse_fill_defaults(b->parse, BLOCK_LISTENER, &like);
        parse_fill_set(b->parse, n, &like);
        like.endpoint.port = ((const struct listen_address *)address->value.object)->port;
        build_proxies(b, node_child(n, "proxy_protocol"), &like);
        add_listeners(b, address, &like, all);
    }
}
