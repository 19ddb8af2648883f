/* listing.c: see listing.h. Main thread. */
#include "listing.h"

#include <string.h>
#include <unistd.h>

enum { PAGE = 1000 };

struct listing {
    const struct listing_options *options;
    const char *target;
    struct print_table table;
    uint64_t left; /* rows that may still be printed */
    bool has_row;
};

static void print_page(struct listing *l, const json_t *items)
{
    if (!l->options->json && !l->options->jsonl) {
        print_rows(&l->table, items);
        return;
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (l->options->json)
            fputs(l->has_row ? "," : "[", stdout);
        l->has_row = true;
        print_json(json_array_get(items, i));
    }
}

const char *listing_separator(struct slice target)
{
    return target.n && target.p[target.n - 1] == '?' ? "" : "&";
}

/* Takes one page behind `after` ("": the first). ret_next: the key of the next one; empty: there is none. */
static int take_page(const struct client *c, struct listing *l, const struct buf *after, struct buf *ret_next)
{
    struct buf target;
    json_t *doc = NULL;
    const json_t *items;
    const char *next;
    int status;

    buf_init(&target, 0);
    buf_printf(&target, "%s%slimit=%d", l->target, listing_separator(slice_of(l->target)),
               (int)(l->left < PAGE ? l->left : PAGE));
    if (buf_len(after))
        buf_printf(&target, "&after=%.*s", SLICE_ARG(buf_slice(after)));
    buf_add_char(&target, '\0');
    status = client_get(c, target.p, &doc);
    buf_free(&target);
    buf_clear(ret_next);
    if (status != CMD_DONE)
        return status;
    items = json_object_get(doc, "items");
    print_page(l, items);
    l->left -= json_array_size(items) < l->left ? json_array_size(items) : l->left;
    next = json_string_value(json_object_get(doc, "next"));
    if (next && json_array_size(items) && client_escape(next, ret_next) < 0)
        status = CMD_WRONG;
    json_decref(doc);
    return status;
}

static int run(const struct client *c, struct listing *l)
{
    struct buf after, next;
    int status;

    buf_init(&after, 0);
    buf_init(&next, 0);
    do {
        struct buf swap = after;

        after = next;
        next = swap;
        status = take_page(c, l, &after, &next);
    } while (status == CMD_DONE && buf_len(&next) && l->left);
    buf_free(&after);
    buf_free(&next);
    return status;
}

int listing_run(const struct cmd_globals *globals, const struct cmd *cmd, const struct listing_options *o, const char *target,
                const struct print_column *columns)
{
    struct listing l = { .options = o, .target = target, .table.columns = columns, .left = UINT64_MAX };
    struct client c;
    int status;

    if (o->json && o->jsonl)
        return cmd_usage(cmd, "--json and --jsonl exclude each other");
    if (o->limit && (!slice_to_u64(slice_of(o->limit), INT64_MAX, &l.left) || !l.left))
        return cmd_usage(cmd, "--limit: '%s' is no number above 0", o->limit);
    status = client_find(globals, cmd, o->socket, &c);
    if (status == CMD_DONE)
        status = run(&c, &l);
    if (status == CMD_DONE && !o->json && !o->jsonl && !l.table.has_title && isatty(STDERR_FILENO))
        fputs("There is nothing to list.\n", stderr);
    if (status == CMD_DONE && o->json)
        puts(l.has_row ? "]" : "[]");
    else if (l.has_row && o->json)
        puts("]"); /* what came is a whole document all the same */
    return status == CMD_DONE ? print_end() : status;
}

int object_run(const struct cmd_globals *globals, const struct cmd *cmd, const struct object_options *o, const char *target,
               const struct print_column *columns, void (*more)(const json_t *object))
{
    struct client c;
    json_t *doc = NULL;
    int status = client_find(globals, cmd, o->socket, &c);

    if (status == CMD_DONE)
        status = client_get(&c, target, &doc);
    if (status != CMD_DONE)
        return status;
    if (o->json) {
        print_json(doc);
    } else {
        print_object(columns, doc);
        if (more)
            more(doc);
    }
    json_decref(doc);
    return print_end();
}

int target_of_name(const struct cmd *cmd, const char *base, const char *name, int parts, struct buf *out)
{
    buf_add_text(out, base);
    for (int i = 0; i < parts; i++) {
        const char *slash = i + 1 < parts ? strchr(name, '/') : NULL;
        size_t n = slash ? (size_t)(slash - name) : strlen(name);
        char part[512];

        if (!n || n >= sizeof part || (i + 1 < parts && !slash))
            return cmd_usage(cmd, "'%s' does not have %d parts, each behind a slash", name, parts);
        memcpy(part, name, n);
        part[n] = '\0';
        buf_add_char(out, '/');
        client_escape(part, out);
        name += n + (slash ? 1 : 0);
    }
    return CMD_DONE;
}
