/* build_server.c: the sections that stand for themselves: server, store, dns, admin, accounting, log (build.h). */
#include <stdlib.h>

#include "build.h"
#include "domain.h"

enum { SOCKET_PATH_MAX = 107 }; /* sun_path of unix(7), without its NUL */

void build_server(struct build *b)
{
    struct conf *c = b->conf;
    const struct node *server = node_child(b->root, "server");

    parse_fill_defaults(b->parse, BLOCK_SERVER, c);
    parse_fill_set(b->parse, server, c);
    c->server.data_dir = parse_get(b->parse, server, BLOCK_SERVER, "data_dir")->value.text;
    if (!c->server.hostname)
        c->server.hostname = b->parse->machine_name;
    if (!c->server.postmaster)
        c->server.postmaster = arena_printf(b->arena, "postmaster@%s", c->server.hostname);
    b->lost |= !c->server.postmaster;
}

void build_store(struct build *b)
{
    parse_fill_defaults(b->parse, BLOCK_STORE, b->conf);
    parse_fill_set(b->parse, node_child(b->root, "store"), b->conf);
}

static void build_hosts(struct build *b, const struct node *hosts)
{
    int count, n = 0;
    const struct node **sorted = build_sorted(b, hosts, &count);
    struct conf_host *all = build_array(b, count, sizeof *all);

    for (int i = 0; all && i < count; i++) {
        const struct node *first = sorted[i]->kind == NODE_LIST ? sorted[i]->first : sorted[i];
        struct inet_addr *addrs = build_array(b, sorted[i]->kind == NODE_LIST ? sorted[i]->count : 1, sizeof *addrs);
        char name[DOMAIN_MAX];
        int m = 0;

        if (!addrs || !domain_canonical(sorted[i]->name, name))
            continue;
        for (const struct node *a = first; a; a = sorted[i]->kind == NODE_LIST ? a->next : NULL)
            if (a->ok && a->value.object)
                addrs[m++] = *(const struct inet_addr *)a->value.object;
        all[n++] = (struct conf_host){ .name = arena_text(b->arena, name), .addrs = addrs, .addr_count = m };
    }
    b->conf->dns.hosts = all;
    b->conf->dns.host_count = n;
}

/* Canonical names may sort otherwise than those in the file, and two may have become one. */
static int by_host_name(const void *a, const void *b)
{
    return strcmp(((const struct conf_host *)a)->name, ((const struct conf_host *)b)->name);
}

static void sort_hosts(struct build *b, const struct node *hosts)
{
    struct conf_host *all = (struct conf_host *)b->conf->dns.hosts;

    if (b->lost || b->conf->dns.host_count == 0)
        return;
    qsort(all, (size_t)b->conf->dns.host_count, sizeof *all, by_host_name);
    for (int i = 1; i < b->conf->dns.host_count; i++)
        if (strcmp(all[i].name, all[i - 1].name) == 0)
            finding_error(b->findings, &hosts->at, "hosts: the name %s stands there twice, in different letters", all[i].name);
}

void build_dns(struct build *b)
{
    const struct node *dns = node_child(b->root, "dns");
    const struct node *servers = parse_get(b->parse, dns, BLOCK_DNS, "servers");
    struct inet_endpoint *list = build_array(b, servers->count, sizeof *list);

    parse_fill_defaults(b->parse, BLOCK_DNS, b->conf);
    parse_fill_set(b->parse, dns, b->conf);
    for (const struct node *n = servers->first; list && n; n = n->next)
        if (n->ok)
            list[b->conf->dns.server_count++] = *(const struct inet_endpoint *)n->value.object;
    b->conf->dns.servers = list;
    build_hosts(b, node_child(dns, "hosts"));
    sort_hosts(b, node_child(dns, "hosts"));
}

/* RFC 6750 2.1: b64token. */
static bool is_bearer(const char *token)
{
    size_t n = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");

    return n > 0 && token[n + strspn(token + n, "=")] == '\0';
}

static void build_tokens(struct build *b, const struct node *tokens)
{
    struct conf_token *list = build_array(b, tokens ? tokens->count : 0, sizeof *list);
    int n = 0;

    for (const struct node *t = tokens && tokens->kind == NODE_LIST ? tokens->first : NULL; list && t; t = t->next) {
        const struct node *name = node_child(t, "name"), *token = node_child(t, "token");
        struct conf_token item = { .name = name && name->ok ? name->value.text : NULL, .token = build_secret(b, token) };

        if (!item.name || !item.token)
            continue;
        if (!is_bearer(item.token))
            finding_error(b->findings, &token->at,
                          "token: it cannot be sent in a header; allowed: letters, digits and -._~+/=");
        for (int i = 0; i < n; i++)
            if (strcmp(list[i].name, item.name) == 0)
                finding_error(b->findings, &name->at, "tokens: the name %s stands there twice", item.name);
        list[n++] = item;
    }
    b->conf->admin.tokens = list;
    b->conf->admin.token_count = n;
}

static void build_http(struct build *b, const struct node *http)
{
    const struct node *address = node_child(http, "address");
    struct conf *c = b->conf;

    build_tokens(b, node_child(http, "tokens"));
    c->admin.open = build_texts(b, parse_get(b->parse, http, BLOCK_HTTP, "open"), &c->admin.open_count);
    if (!address || !address->ok)
        return;
    c->admin.has_http = true;
    c->admin.http = *(const struct inet_endpoint *)address->value.object;
    if (!inet_is_loopback(&c->admin.http.addr))
        finding_warning(b->findings, &address->at,
                        "address: %s is reached from other machines, and HTTP sends the token in clear", address->text.p);
}

void build_admin(struct build *b)
{
    const struct node *admin = node_child(b->root, "admin");
    const struct node *socket = parse_get(b->parse, admin, BLOCK_ADMIN, "socket"), *http = node_child(admin, "http");
    struct conf *c = b->conf;

    c->admin.socket =
        socket->text.p[0] == '/' ? socket->value.text : arena_printf(b->arena, "%s/%s", c->server.data_dir, socket->text.p);
    b->lost |= !c->admin.socket;
    if (c->admin.socket && strlen(c->admin.socket) > SOCKET_PATH_MAX)
        finding_error(b->findings, &socket->at, "socket: %s is longer than the %d bytes that the path of a socket may have",
                      c->admin.socket, SOCKET_PATH_MAX);
    if (http && http->kind == NODE_MAP)
        build_http(b, http);
}

void build_accounting(struct build *b)
{
    const struct node *list = node_child(b->root, "accounting");
    struct conf_accounting *all = build_array(b, list ? list->count : 0, sizeof *all);
    int n = 0;

    for (const struct node *a = list && list->kind == NODE_LIST ? list->first : NULL; all && a; a = a->next) {
        const struct node *file = node_child(a, "file"), *events = node_child(a, "events");
        struct conf_accounting *item = &all[n];

        if (!file || !file->ok)
            continue;
        parse_fill_set(b->parse, a, item);
        item->file = file->value.text;
        item->at = a->at;
        item->events = events && events->ok ? build_choices(events) : (unsigned)ACCOUNTING_ALL_EVENTS;
        item->fields = build_texts(b, node_child(a, "fields"), &item->field_count);
        for (int i = 0; i < n; i++)
            if (strcmp(all[i].file, item->file) == 0)
                finding_error(b->findings, &file->at, "accounting: the file %s stands there twice", item->file);
        n++;
    }
    b->conf->accounting = all;
    b->conf->accounting_count = n;
}

void build_log(struct build *b)
{
    parse_fill_defaults(b->parse, BLOCK_LOG, b->conf);
    parse_fill_set(b->parse, node_child(b->root, "log"), b->conf);
}
