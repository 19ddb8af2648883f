/* resolve.c: see resolve.h. */
#include "resolve.h"

#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain.h"

enum { ADDRS_MAX = 16 }; /* of one name: a listener's host has one or two */

const char *resolve_machine_name(struct arena *arena)
{
    char name[DOMAIN_MAX] = "", canonical[DOMAIN_MAX];

    if (gethostname(name, sizeof name - 1) < 0 || !domain_canonical(slice_of(name), canonical))
        return arena_text(arena, "localhost");
    return arena_text(arena, canonical);
}

static int from_hosts(const struct node *hosts, const char *name, struct inet_addr *ret)
{
    const struct node *host = NULL;
    char canonical[DOMAIN_MAX];
    int n = 0;

    if (!hosts || hosts->kind != NODE_MAP)
        return 0;
    for (const struct node *c = hosts->first; c && !host; c = c->next)
        if (domain_canonical(c->name, canonical) && strcmp(canonical, name) == 0)
            host = c;
    for (const struct node *a = host && host->kind == NODE_LIST ? host->first : host; a && n < ADDRS_MAX;
         a = host->kind == NODE_LIST ? a->next : NULL)
        if (a->ok && a->value.object)
            ret[n++] = *(const struct inet_addr *)a->value.object;
    return n;
}

static int from_system(const char *name, struct inet_addr *ret, const char **ret_why)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    int n = 0, rc = getaddrinfo(name, NULL, &hints, &list);

    *ret_why = rc ? gai_strerror(rc) : "it has no address";
    if (rc)
        return 0;
    for (const struct addrinfo *a = list; a && n < ADDRS_MAX; a = a->ai_next) {
        struct inet_endpoint e = inet_from_sockaddr(a->ai_addr);

        if (e.addr.family)
            ret[n++] = e.addr;
    }
    freeaddrinfo(list);
    return n;
}

void resolve_listeners(struct parse *p, const struct node *root)
{
    const struct node *list = node_child(root, "listeners"), *hosts = node_child(node_child(root, "dns"), "hosts");

    for (const struct node *n = list && list->kind == NODE_LIST ? list->first : NULL; n; n = n->next) {
        struct node *address = node_child(n, "address");
        struct listen_address *listen = address && address->ok ? (struct listen_address *)address->value.object : NULL;
        struct inet_addr addrs[ADDRS_MAX];
        const char *why = "";
        int count;

        if (!listen || !listen->name)
            continue;
        count = from_hosts(hosts, listen->name, addrs);
        if (count == 0)
            count = from_system(listen->name, addrs, &why);
        listen->addrs = arena_alloc(p->scratch, sizeof addrs);
        p->lost |= !listen->addrs;
        if (count == 0)
            finding_error(p->findings, &address->at, "address: the name %s cannot be found: %s", listen->name, why);
        else if (listen->addrs)
            memcpy(listen->addrs, addrs, sizeof *addrs * (size_t)count);
        listen->addr_count = listen->addrs ? count : 0;
    }
}

void resolve_user(struct parse *p, const struct node *root)
{
    const struct node *server = node_child(root, "server"), *user = node_child(server, "user");
    const char *name = parse_get(p, server, BLOCK_SERVER, "user")->value.text;
    struct conf_place whole = { .file = root->at.file, .line = 1, .column = 1 };
    struct passwd room, *found = NULL;
    char texts[4096];

    if (!name[0] || (getpwnam_r(name, &room, texts, sizeof texts, &found) == 0 && found))
        return;
    finding_warning(p->findings,
                    user     ? &user->at
                    : server ? node_place(server)
                             : &whole,
                    "user: this machine has no user %s; run would refuse to start", name);
}

static void want_folder_of(struct parse *p, const struct node *file)
{
    const char *slash = file && file->ok && file->value.text ? strrchr(file->value.text, '/') : NULL;
    char folder[PATH_MAX];
    struct stat st;

    if (!slash || slash == file->value.text || (size_t)(slash - file->value.text) >= sizeof folder)
        return;
    memcpy(folder, file->value.text, (size_t)(slash - file->value.text));
    folder[slash - file->value.text] = '\0';
    if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
        finding_warning(p->findings, &file->at, "%.*s: there is no folder %s; run would refuse to start", SLICE_ARG(file->name),
                        folder);
}

void resolve_folders(struct parse *p, const struct node *root)
{
    const struct node *accounting = node_child(root, "accounting");

    want_folder_of(p, node_child(node_child(root, "server"), "data_dir"));
    for (const struct node *n = accounting && accounting->kind == NODE_LIST ? accounting->first : NULL; n; n = n->next)
        want_folder_of(p, node_child(n, "file"));
}
