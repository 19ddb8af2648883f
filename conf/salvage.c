/* salvage.c: see salvage.h. */
#include "salvage.h"

#include <string.h>

#include "yaml_nodes.h"

/* A key at the margin begins a section; what else may stand there continues the one before it, or says nothing. */
static bool begins_section(struct slice line)
{
    return line.n && !strchr(" \t#\r\n-.]},", line.p[0]);
}

/* Cuts the next section off, with the lines that stand before it. */
static struct slice cut_section(struct slice *rest)
{
    struct slice whole = *rest;
    bool begun = false;

    while (rest->n && !(begun && begins_section(*rest))) {
        begun |= begins_section(*rest);
        slice_cut(rest, '\n');
    }
    return slice_head(whole, whole.n - rest->n);
}

struct node *salvage_sections(struct arena *arena, struct slice text, const char *file)
{
    struct conf_place at = { .file = file, .line = 1, .column = 1 };
    struct node *all = node_new(arena, NODE_MAP, &at, SLICE_NONE);

    while (all && text.n) {
        struct conf_findings unsaid = { 0 }; /* check says what is wrong */
        struct node *section = NULL, *next;
        int rc = yaml_parse(arena, cut_section(&text), file, &unsaid, &section);

        conf_findings_free(&unsaid);
        if (rc == FL_ENOMEM)
            return NULL;
        for (struct node *n = section && section->kind == NODE_MAP ? section->first : NULL; n; n = next) {
            next = n->next;
            node_append(all, n);
        }
    }
    return all;
}
