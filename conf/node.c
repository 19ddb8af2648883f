/* node.c: see node.h. */
#include "node.h"

#include <stdlib.h>

#include "finding.h"

struct node *node_new(struct arena *arena, enum node_kind kind, const struct conf_place *at, struct slice text)
{
    struct node *n = arena_alloc(arena, sizeof *n);

    if (!n)
        return NULL;
    n->kind = kind;
    n->at = *at;
    n->text = arena_copy(arena, text);
    return n->text.p ? n : NULL;
}

void node_append(struct node *parent, struct node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

struct node *node_child(const struct node *n, const char *name)
{
    struct slice wanted = slice_of(name);

    if (!n || n->kind != NODE_MAP)
        return NULL;
    for (struct node *c = n->first; c; c = c->next)
        if (slice_eq(c->name, wanted))
            return c;
    return NULL;
}

const struct conf_place *node_place(const struct node *n)
{
    return n->name.p ? &n->name_at : &n->at;
}

const char *node_kind_text(const struct node *n)
{
    static const char *const texts[] = {
        [NODE_NOTHING] = "nothing", [NODE_TEXT] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a mapping"
    };

    return texts[n->kind];
}

static int by_name(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int c = slice_cmp(x->name, y->name);

    if (c == 0)
        c = strcmp(x->name_at.file, y->name_at.file);
    if (c == 0)
        c = (x->name_at.line > y->name_at.line) - (x->name_at.line < y->name_at.line);
    return c ? c : (x->name_at.column > y->name_at.column) - (x->name_at.column < y->name_at.column);
}

static void report_repeat(const struct node *first, const struct node *again, struct conf_findings *findings)
{
    finding_error(findings, &again->name_at, "%s: stands here again; it is at %s:%d already", again->name.p,
                  first->name_at.file, first->name_at.line);
}

int node_report_repeats(const struct node *map, struct conf_findings *findings)
{
    enum { FEW = 8 }; /* below, comparing each with each is cheaper than sorting */
    const struct node **sorted;
    int n = 0;

    if (map->count <= FEW) {
        for (const struct node *a = map->first; a; a = a->next)
            for (const struct node *b = a->next; b; b = b->next)
                if (slice_eq(a->name, b->name))
                    report_repeat(a, b, findings);
        return 0;
    }
    sorted = calloc((size_t)map->count, sizeof *sorted);
    if (!sorted)
        return FL_ENOMEM;
    for (const struct node *c = map->first; c; c = c->next)
        sorted[n++] = c;
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    for (int i = 1; i < n; i++)
        if (slice_eq(sorted[i]->name, sorted[i - 1]->name))
            report_repeat(sorted[i - 1], sorted[i], findings);
    free(sorted);
    return 0;
}
