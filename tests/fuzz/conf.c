/* Fuzzes the configuration's way from bytes to values (conf/yaml.c, parse.c, value.c, the builders and checks): whatever the
 * text, it ends, every finding has a place and a sentence of one line, and only what has no error is built whole. Nothing
 * outside is asked. */
#include <assert.h>

#include "build.h"
#include "check.h"
#include "err.h"
#include "yaml_nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build_it(struct parse *p, struct node *root)
{
    struct build b = { .parse = p, .conf = p->conf, .arena = p->conf->private->arena, .findings = p->findings, .root = root };

    build_all(&b);
    assert(!b.lost);
    check_all(p->conf, root, p->findings);
}

static void check_findings(const struct conf_findings *f)
{
    for (int i = 0; i < f->count; i++) {
        const struct conf_finding *item = &f->items[i];

        assert(item->at.line >= 1 && item->at.column >= 1 && item->text[0]);
        for (const char *c = item->text; *c; c++)
            assert((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *nodes = arena_new(4096);
    struct conf_findings findings = { 0 };
    struct parse p = {
        .scratch = nodes, .conf = conf_new(), .findings = &findings, .folder = "/conf", .machine_name = "localhost"
    };
    struct node *root = NULL;

    if (yaml_parse(nodes, slice_make(data, size), "fuzz", &findings, &root) == 0 && root && root->kind == NODE_MAP &&
        parse_root(&p, root) == 0)
        build_it(&p, root);
    check_findings(&findings);
    conf_findings_free(&findings);
    conf_unref(p.conf);
    arena_wipe(nodes);
    return 0;
}
