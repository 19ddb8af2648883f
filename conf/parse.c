/* parse.c: see parse.h. */
#include "parse.h"

#include <stdlib.h>

#include "domain.h"

static void parse_key(struct parse *p, const struct schema_key *key, struct node *n);

static void report_form(struct parse *p, const struct schema_key *key, const struct node *n)
{
    struct buf allowed;

    buf_init(&allowed, 0);
    if (schema_allowed(key, &allowed) < 0)
        p->lost = true;
    else if (n->kind == NODE_TEXT && key->type != VALUE_SECRET && !(key->of == BLOCK_PASSWORD))
        finding_error(p->findings, &n->at, "%s: the single value \"%.80s\" was found; allowed: %.*s", key->name, n->text.p,
                      SLICE_ARG(buf_slice(&allowed)));
    else
        finding_error(p->findings, &n->at, "%s: %s was found; allowed: %.*s", key->name, node_kind_text(n),
                      SLICE_ARG(buf_slice(&allowed)));
    buf_free(&allowed);
}

enum { SLIPS_TAKEN = 2 }; /* an unknown key this near to a required one stands for it: one slip is told once */

static void report_unknown(struct parse *p, enum schema_block block, const struct node *n, bool *seen)
{
    int slips;
    const struct schema_key *nearest = schema_nearest(block, n->name, &slips);

    finding_error(p->findings, &n->name_at, "unknown key \"%.80s\"; the nearest known one is \"%s\"", n->name.p, nearest->name);
    if (slips <= SLIPS_TAKEN)
        seen[nearest - schema_keys] = true;
}

static void report_missing(struct parse *p, const struct schema_key *key, const struct node *map)
{
    struct buf allowed;

    buf_init(&allowed, 0);
    if (schema_allowed(key, &allowed) < 0)
        p->lost = true;
    else
        finding_error(p->findings, node_place(map), "%.80s%s%s is missing; it is required: %.*s",
                      map->name.p ? map->name.p : "", map->name.p ? ": " : "", key->name, SLICE_ARG(buf_slice(&allowed)));
    buf_free(&allowed);
}

static void parse_block(struct parse *p, enum schema_block block, struct node *map)
{
    bool *seen = calloc((size_t)schema_key_count, sizeof *seen);

    if (!seen) {
        p->lost = true;
        return;
    }
    map->ok = true;
    for (struct node *c = map->first; c; c = c->next) {
        const struct schema_key *key = schema_find(block, c->name);

        if (!key) {
            report_unknown(p, block, c, seen);
            continue;
        }
        seen[key - schema_keys] = true;
        parse_key(p, key, c);
    }
    for (const struct schema_key *k = NULL; (k = schema_next(block, k)) != NULL;)
        if ((k->flags & KEY_REQUIRED) && !seen[k - schema_keys])
            report_missing(p, k, map);
    free(seen);
}

static bool name_is_right(enum name_type type, struct slice name)
{
    char canonical[DOMAIN_MAX + 2];

    switch (type) {
    case NAME_PLAIN:
        return value_is_name(name, false);
    case NAME_USER:
        return value_is_name(name, true);
    case NAME_DOMAIN_PATTERN:
        return domain_pattern_canonical(name, canonical);
    case NAME_HOST:
        return domain_canonical(name, canonical);
    case NAME_HEADER:
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
                return false;
        return name.n > 0;
    }
    return false;
}

static void parse_name(struct parse *p, const struct schema_key *key, const struct node *n)
{
    static const char *const allowed[] = {
        [NAME_PLAIN] = "letters, digits, '.', '_' and '-', at most 64, not beginning with '.'",
        [NAME_USER] = "letters, digits, '.', '_', '-', '@' and '+', at most 255, not beginning with '.'",
        [NAME_DOMAIN_PATTERN] = "a domain, *.suffix (the wildcard stands only at the front), or *",
        [NAME_HOST] = "a host name",
        [NAME_HEADER] = "the name of a header field",
    };

    if (!name_is_right(key->names, n->name))
        finding_error(p->findings, &n->name_at, "%s: the name \"%.80s\" was found; allowed: %s", key->name, n->name.p,
                      allowed[key->names]);
}

/* One element of a list of texts, or the value of a name. */
static void parse_item(struct parse *p, const struct schema_key *key, struct node *n)
{
    if (n->kind == NODE_TEXT)
        value_parse(p, key, n);
    else
        report_form(p, key, n);
}

static void parse_list(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->key = key;
    n->ok = true;
    for (struct node *c = n->first; c; c = c->next)
        parse_item(p, key, c);
}

static void parse_blocks(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->ok = true;
    for (struct node *c = n->first; c; c = c->next) {
        c->key = key;
        if (key->forms & FORM_NAMED_BLOCKS)
            parse_name(p, key, c);
        if (c->kind == NODE_MAP)
            parse_block(p, key->of, c);
        else
            report_form(p, key, c);
    }
}

static void parse_named(struct parse *p, const struct schema_key *key, struct node *n)
{
    n->ok = true;
    for (struct node *c = n->first; c; c = c->next) {
        parse_name(p, key, c);
        if (c->kind == NODE_LIST && (key->forms & FORM_NAMED_LISTS))
            parse_list(p, key, c);
        else
            parse_item(p, key, c);
    }
}

static void remember_outside(struct parse *p, struct node *n)
{
    struct outside *o = arena_alloc(p->scratch, sizeof *o);

    if (!o) {
        p->lost = true;
        return;
    }
    o->node = n;
    *p->outside_end = o;
    p->outside_end = &o->next;
}

static void parse_map(struct parse *p, const struct schema_key *key, struct node *n)
{
    unsigned forms = schema_forms(key);

    if (forms & FORM_BLOCK) {
        parse_block(p, key->of, n);
        if (key->of == BLOCK_SECRET)
            remember_outside(p, n);
    } else if (forms & FORM_NAMED_BLOCKS) {
        parse_blocks(p, key, n);
    } else if (forms & (FORM_NAMED | FORM_NAMED_LISTS)) {
        parse_named(p, key, n);
    } else {
        report_form(p, key, n);
    }
}

static void parse_key(struct parse *p, const struct schema_key *key, struct node *n)
{
    unsigned forms = schema_forms(key);

    n->key = key;
    if (n->kind == NODE_NOTHING && (key->flags & KEY_MAY_BE_NULL)) {
        n->ok = true;
    } else if (n->kind == NODE_TEXT && (forms & FORM_ONE)) {
        value_parse(p, key, n);
    } else if (n->kind == NODE_LIST && (forms & FORM_LIST)) {
        parse_list(p, key, n);
    } else if (n->kind == NODE_LIST && (forms & FORM_BLOCKS)) {
        parse_blocks(p, key, n);
    } else if (n->kind == NODE_MAP) {
        parse_map(p, key, n);
    } else {
        report_form(p, key, n);
    }
    if (n->ok && (key->flags & KEY_NOT_EMPTY) && n->kind != NODE_TEXT && n->count == 0) {
        finding_error(p->findings, &n->at, "%s: it is empty; at least one entry is needed", key->name);
        n->ok = false;
    }
}

int parse_root(struct parse *p, struct node *root)
{
    p->outside_end = &p->outside;
    p->defaults = arena_alloc(p->scratch, sizeof *p->defaults * (size_t)schema_key_count);
    if (!p->defaults)
        return FL_ENOMEM;
    parse_block(p, BLOCK_ROOT, root);
    return p->lost ? FL_ENOMEM : 0;
}

/* The default as a node: a text, a list of texts, an empty mapping, or nothing. */
static struct node *default_node(struct parse *p, const struct schema_key *key)
{
    static const struct conf_place built_in = { .file = "built-in" };
    struct slice rest = slice_of(key->fallback);
    enum node_kind kind = NODE_TEXT;
    struct node *n;

    if (rest.n > 0 && rest.p[0] == '[')
        kind = NODE_LIST;
    else if (slice_eq(rest, SLICE("{}")))
        kind = NODE_MAP;
    else if (slice_eq(rest, SLICE("null")))
        kind = NODE_NOTHING;
    n = node_new(p->scratch, kind, &built_in, rest);
    rest = slice_skip(slice_head(rest, rest.n ? rest.n - 1 : 0), 1); /* between the brackets */
    while (n && kind == NODE_LIST && rest.n) {
        struct node *item = node_new(p->scratch, NODE_TEXT, &built_in, slice_trim(slice_cut(&rest, ',')));

        if (!item)
            return NULL;
        node_append(n, item);
    }
    return n;
}

static const struct node *default_of(struct parse *p, const struct schema_key *key)
{
    struct node **slot = &p->defaults[key - schema_keys];

    if (!key->fallback)
        return NULL;
    if (!*slot) {
        *slot = default_node(p, key);
        if (!*slot) {
            p->lost = true;
            return NULL;
        }
        parse_key(p, key, *slot);
    }
    return *slot;
}

const struct node *parse_value_of(struct parse *p, const struct node *n, const struct schema_key *key)
{
    return n && n->ok ? n : default_of(p, key);
}

const struct node *parse_get(struct parse *p, const struct node *map, enum schema_block block, const char *name)
{
    return parse_value_of(p, node_child(map, name), schema_find(block, slice_of(name)));
}

static void put(const struct schema_key *key, const struct node *n, void *target)
{
    char *to = (char *)target + key->offset;

    switch (key->type) {
    case VALUE_FLAG:
        *(bool *)to = n->value.number != 0;
        break;
    case VALUE_CHOICE:
        if (key->flags & KEY_AS_FLAG)
            *(bool *)to = n->value.number != 0;
        else
            *(int *)to = (int)n->value.number;
        break;
    case VALUE_PERCENT:
        *(int *)to = (int)n->value.number;
        break;
    case VALUE_RATE:
        *(struct rate *)to = n->value.rate;
        break;
    case VALUE_FACTOR:
        *(double *)to = n->value.factor;
        break;
    case VALUE_NUMBER:
    case VALUE_SPAN:
    case VALUE_SIZE:
        *(int64_t *)to = n->value.number;
        break;
    default:
        *(const char **)to = n->value.text;
    }
}

void parse_fill_defaults(struct parse *p, enum schema_block block, void *target)
{
    for (const struct schema_key *k = NULL; (k = schema_next(block, k)) != NULL;) {
        const struct node *n = k->offset ? default_of(p, k) : NULL;

        if (n)
            put(k, n, target);
        if (k->flags & KEY_INLINE)
            parse_fill_defaults(p, k->of, target);
    }
}

void parse_fill_set(struct parse *p, const struct node *map, void *target)
{
    if (!map || map->kind != NODE_MAP)
        return;
    for (const struct node *c = map->first; c; c = c->next) {
        if (c->key && c->ok && c->key->offset)
            put(c->key, c, target);
        if (c->key && (c->key->flags & KEY_INLINE))
            parse_fill_set(p, c, target);
    }
}
