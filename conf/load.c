/* load.c: see load.h. */
#include "load.h"

#include "build.h"
#include "certificate.h"
#include "check.h"
#include "finding.h"
#include "include.h"
#include "resolve.h"
#include "secret.h"

enum { NODES_ARENA = 65536 };

/* Nodes → conf, with all that can be found wrong on the way. */
static int make(struct parse *p, struct node *root, bool broken)
{
    struct build b = { .parse = p, .conf = p->conf, .arena = p->conf->private->arena, .findings = p->findings, .root = root };

    if (parse_root(p, root) < 0)
        return FL_ENOMEM;
    if (broken)
        return FL_EINVAL; /* a file could not be read: that its names are missing is no error of the others */
    secret_fetch_all(p);
    resolve_listeners(p, root);
    resolve_user(p, root);
    resolve_folders(p, root);
    if (p->lost)
        return FL_ENOMEM;
    build_all(&b);
    if (p->lost || b.lost)
        return FL_ENOMEM;
    check_all(p->conf, root, p->findings);
    certificate_examine(p, root);
    return p->lost ? FL_ENOMEM : 0;
}

static int keep_warnings(struct conf *c, const struct conf_findings *f)
{
    const char **list = arena_alloc(c->private->arena, sizeof *list * (size_t)f->count);

    c->warnings = list;
    for (int i = 0; list && i < f->count; i++) {
        const struct conf_finding *w = &f->items[i];
        char *text = arena_printf(c->private->arena, "%s:%d:%d: warning: %s", w->at.file, w->at.line, w->at.column, w->text);

        if (!text)
            return FL_ENOMEM;
        list[c->warning_count++] = text;
    }
    return list ? 0 : FL_ENOMEM;
}

static int load(const char *file, struct arena *nodes, struct conf *c, struct conf_findings *findings)
{
    struct parse p = { .scratch = nodes, .conf = c, .findings = findings };
    struct node *root;
    int rc;

    c->file = arena_text(c->private->arena, file);
    p.machine_name = resolve_machine_name(c->private->arena);
    if (!c->file || !p.machine_name)
        return FL_ENOMEM;
    rc = include_read(file, false, nodes, c->private->arena, findings, &root, &p.folder);
    if (rc < 0 && rc != FL_EINVAL)
        return rc;
    c->folder = p.folder;
    rc = make(&p, root, rc == FL_EINVAL);
    if (rc == 0 && findings->errors)
        rc = FL_EINVAL;
    findings_sort(findings, file);
    if (rc == 0)
        rc = keep_warnings(c, findings);
    return findings->lost ? FL_ENOMEM : rc;
}

int conf_load(const char *file, struct conf **ret, struct conf_findings *findings)
{
    struct arena *nodes = arena_new(NODES_ARENA);
    struct conf *c = conf_new();
    int rc = FL_ENOMEM;

    *findings = (struct conf_findings){ 0 };
    if (nodes && c)
        rc = load(file, nodes, c, findings);
    arena_wipe(nodes);
    if (rc < 0)
        conf_unref(c);
    else
        *ret = c;
    return rc;
}

/* The rest of the file may be wrong in any way that leaves these two keys to be read. */
int conf_load_socket(const char *file, struct buf *ret_path)
{
    struct arena *nodes = arena_new(NODES_ARENA);
    struct conf_findings findings = { 0 };
    struct node *root, *socket, *data_dir;
    const char *folder, *dir = "/var/lib/fairlead";
    int rc = nodes ? include_read(file, true, nodes, nodes, &findings, &root, &folder) : FL_ENOMEM;

    conf_findings_free(&findings);
    if (rc == 0 || rc == FL_EINVAL) {
        socket = node_child(node_child(root, "admin"), "socket");
        data_dir = node_child(node_child(root, "server"), "data_dir");
        if (data_dir && data_dir->kind == NODE_TEXT)
            dir = data_dir->text.p;
        if (!socket || socket->kind != NODE_TEXT || socket->text.n == 0)
            rc = FL_ENOENT;
        else if (socket->text.p[0] == '/')
            rc = buf_add(ret_path, socket->text);
        else
            rc = buf_printf(ret_path, "%s%s%s/%s", dir[0] == '/' ? "" : folder, dir[0] == '/' ? "" : "/", dir, socket->text.p);
    }
    arena_wipe(nodes);
    return rc;
}
