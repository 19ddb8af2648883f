/* yaml.c: see yaml_nodes.h. */
#include "yaml_nodes.h"

#include <yaml.h>

#include "finding.h"

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct slice text;
    const char *file;
    struct conf_findings *findings;
    struct node *open[YAML_DEPTH_MAX]; /* from the root inward */
    int depth;
    struct slice key; /* of the innermost mapping, when its value comes next */
    struct conf_place key_at;
    struct node *root;
    bool ended; /* one document was read */
};

static struct conf_place place_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct conf_place){ .file = r->file, .line = (int)mark.line + 1, .column = (int)mark.column + 1 };
}

/* libyaml gives errors of its reader (bytes that are no UTF-8, control characters) an offset and no line. */
static struct conf_place place_of_offset(const struct reader *r, size_t offset)
{
    struct conf_place at = { .file = r->file, .line = 1, .column = 1 };

    for (size_t i = 0; i < offset && i < r->text.n; i++) {
        at.column++;
        if (r->text.p[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return at;
}

static int report_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct conf_place at = place_of(r, p->problem_mark);

    if (p->error == YAML_MEMORY_ERROR)
        return FL_ENOMEM;
    if (p->error == YAML_READER_ERROR) {
        at = place_of_offset(r, p->problem_offset);
        finding_error(r->findings, &at, "no YAML: %s (byte 0x%02x)", p->problem, (unsigned)p->problem_value & 0xff);
        return FL_EINVAL;
    }
    finding_error(r->findings, &at, "no YAML: %s%s%s", p->context ? p->context : "", p->context ? ": " : "", p->problem);
    return FL_EINVAL;
}

static int refuse(struct reader *r, yaml_mark_t mark, const char *why)
{
    struct conf_place at = place_of(r, mark);

    finding_error(r->findings, &at, "%s", why);
    return FL_EINVAL;
}

/* Puts a finished or just opened node where it belongs. */
static int place_node(struct reader *r, struct node *n)
{
    struct node *parent = r->depth ? r->open[r->depth - 1] : NULL;

    if (!parent) {
        r->root = n;
        return 0;
    }
    if (parent->kind == NODE_MAP) {
        n->name = r->key;
        n->name_at = r->key_at;
        r->key = SLICE_NONE;
    }
    node_append(parent, n);
    return 0;
}

static bool wants_key(const struct reader *r)
{
    return r->depth && r->open[r->depth - 1]->kind == NODE_MAP && !r->key.p;
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
    struct slice text = slice_make(e->data.scalar.value, e->data.scalar.length);
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool nothing = plain && (text.n == 0 || slice_eq(text, SLICE("~")) || slice_eq(text, SLICE("null")));
    struct conf_place at = place_of(r, e->start_mark);
    struct node *n;

    if (e->data.scalar.tag)
        return refuse(r, e->start_mark, "a tag (!...) stands here; the configuration has none");
    if (text.n && memchr(text.p, '\0', text.n))
        return refuse(r, e->start_mark, "a NUL character stands in this text");
    if (wants_key(r)) {
        r->key = arena_copy(r->arena, text);
        r->key_at = at;
        return r->key.p ? 0 : FL_ENOMEM;
    }
    n = node_new(r->arena, nothing ? NODE_NOTHING : NODE_TEXT, &at, text);
    return n ? place_node(r, n) : FL_ENOMEM;
}

static int on_open(struct reader *r, const yaml_event_t *e, enum node_kind kind)
{
    struct conf_place at = place_of(r, e->start_mark);
    struct node *n;

    if (kind == NODE_MAP ? e->data.mapping_start.tag != NULL : e->data.sequence_start.tag != NULL)
        return refuse(r, e->start_mark, "a tag (!...) stands here; the configuration has none");
    if (wants_key(r))
        return refuse(r, e->start_mark, "a list or mapping stands where a key is expected");
    if (r->depth == YAML_DEPTH_MAX)
        return refuse(r, e->start_mark, "lists and mappings are nested more than 64 deep");
    n = node_new(r->arena, kind, &at, SLICE_NONE);
    if (!n)
        return FL_ENOMEM;
    place_node(r, n);
    r->open[r->depth++] = n;
    return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(r, e, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_open(r, e, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return 0;
    case YAML_MAPPING_END_EVENT:
        return node_report_repeats(r->open[--r->depth], r->findings);
    case YAML_ALIAS_EVENT:
        return refuse(r, e->start_mark, "an alias (*name) stands here; the configuration takes none: write the value out");
    case YAML_DOCUMENT_START_EVENT:
        return r->ended ? refuse(r, e->start_mark, "a second document begins here; a file holds one") : 0;
    case YAML_DOCUMENT_END_EVENT:
        r->ended = true;
        return 0;
    default:
        return 0;
    }
}

static int read_events(struct reader *r)
{
    bool more = true;
    int rc = 0;

    while (more && rc == 0) {
        yaml_event_t e;

        if (!yaml_parser_parse(&r->parser, &e))
            return report_syntax(r);
        rc = on_event(r, &e);
        more = e.type != YAML_STREAM_END_EVENT;
        if (e.type == YAML_SCALAR_EVENT && e.data.scalar.value)
            explicit_bzero(e.data.scalar.value, e.data.scalar.length); /* it may be a secret */
        yaml_event_delete(&e);
    }
    return rc;
}

/* Secrets of the file stand in libyaml's buffers too. */
static void delete_parser(yaml_parser_t *p)
{
    if (p->buffer.start)
        explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    if (p->raw_buffer.start)
        explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    yaml_parser_delete(p);
}

int yaml_parse(struct arena *arena, struct slice text, const char *file, struct conf_findings *findings, struct node **ret)
{
    static const struct slice byte_order_mark = { .p = "\xef\xbb\xbf", .n = 3 };
    struct reader r = { .arena = arena, .file = file, .findings = findings };
    int rc;

    /* libyaml would take it for a column of the first line, which then seems indented */
    if (slice_starts_nocase(text, byte_order_mark))
        text = slice_skip(text, byte_order_mark.n);
    r.text = text;
    if (!yaml_parser_initialize(&r.parser))
        return FL_ENOMEM;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    rc = read_events(&r);
    delete_parser(&r.parser);
    if (rc == 0 || rc == FL_EINVAL)
        *ret = r.root && r.root->kind != NODE_NOTHING ? r.root : NULL;
    return rc;
}
