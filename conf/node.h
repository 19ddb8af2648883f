/* node.h: a configuration file as a tree: texts, lists and mappings, each with the place where it stands. Pure; one thread.
 * Made by yaml.c, given values by parse.c, read by the builders; it lives in one arena, which is wiped when the load is
 * over, since secrets may stand in it. */
#ifndef FL_NODE_H
#define FL_NODE_H

#include "arena.h"
#include "finding.h"

enum node_kind { NODE_NOTHING, NODE_TEXT, NODE_LIST, NODE_MAP };

/* What the schema made of a text. */
union node_value {
    int64_t number;    /* also flags, choices, milliseconds, bytes, thousandths */
    double factor;
    struct rate rate;
    const char *text;  /* in the configuration's arena */
    const void *object; /* struct inet_net, struct pattern …, as its type says; in the configuration's arena */
};

struct node {
    struct node *next;         /* in its list or mapping */
    struct node *first, *last; /* of its own children */
    int count;
    enum node_kind kind;
    bool ok;                   /* parse.c found it right, and `value` holds for a text */
    struct slice text;         /* NUL-terminated */
    struct conf_place at;
    struct slice name;         /* its key, when it stands in a mapping; NUL-terminated */
    struct conf_place name_at;
    const struct schema_key *key; /* what it is, once parse.c knows */
    union node_value value;
};

/* NULL without memory. The text is copied. */
struct node *node_new(struct arena *arena, enum node_kind kind, const struct conf_place *at, struct slice text);
void node_append(struct node *parent, struct node *child);
/* The child of that name, or NULL (also when n is NULL or no mapping). */
struct node *node_child(const struct node *n, const char *name);
/* Where to point when something is missing in it: its key, or itself. */
const struct conf_place *node_place(const struct node *n);
/* "a list", "nothing" …: for messages. */
const char *node_kind_text(const struct node *n);
/* Reports every key of a mapping that stands in it twice. FL_ENOMEM, or 0. */
int node_report_repeats(const struct node *map, struct conf_findings *findings);

#endif
