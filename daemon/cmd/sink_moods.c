/* sink_moods.c: a file of moods (YAML) into a script. */
#include "sink_moods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "finding.h"
#include "yaml_nodes.h"

enum { NODES_FIRST = 4096, READ_AT_ONCE = 16 * 1024 };

static int read_file(const char *file, struct buf *ret, struct conf_findings *findings)
{
    const struct conf_place whole = { .file = file, .line = 1, .column = 1 };
    FILE *f = fopen(file, "re");
    int rc = 0;
    size_t n = 1;

    if (!f) {
        finding_error(findings, &whole, "cannot be read: %s", strerror(errno));
        return FL_EINVAL;
    }
    while (rc == 0 && n > 0) {
        char *p;

        rc = buf_reserve(ret, READ_AT_ONCE, &p);
        if (rc == FL_ELIMIT)
            finding_error(findings, &whole, "larger than %d bytes", SINK_MOODS_FILE_MAX);
        if (rc == 0) {
            n = fread(p, 1, READ_AT_ONCE, f);
            buf_grown(ret, n);
        }
    }
    if (rc == 0 && ferror(f)) {
        finding_error(findings, &whole, "cannot be read");
        rc = FL_EINVAL;
    }
    fclose(f);
    return rc;
}

/* The text of a key into *ret; what is no text is an error. */
static void take_text(const struct node *n, struct slice *ret, struct conf_findings *findings)
{
    if (n->kind == NODE_TEXT)
        *ret = n->text;
    else
        finding_error(findings, &n->at, "%.*s: %s, where a text is wanted", SLICE_ARG(n->name), node_kind_text(n));
}

/* `do`: a text, or a mapping with delay or rate. */
static void take_mood(const struct node *n, struct sink_rule_text *rule, struct conf_findings *findings)
{
    if (n->kind != NODE_MAP) {
        take_text(n, &rule->act, findings);
        return;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        if (slice_eq(c->name, SLICE("delay")))
            take_text(c, &rule->delay, findings);
        else if (slice_eq(c->name, SLICE("rate")))
            take_text(c, &rule->rate, findings);
        else
            finding_error(findings, &c->name_at, "unknown key '%.*s': delay and rate are known here", SLICE_ARG(c->name));
    }
}

static int take_rule(const struct node *n, struct sink_script *script, struct conf_findings *findings)
{
    struct sink_rule_text rule = { { 0 } };
    int before = findings->errors, rc;
    struct fl_err err;

    if (n->kind != NODE_MAP) {
        finding_error(findings, &n->at, "%s, where a rule {at: …, do: …} is wanted", node_kind_text(n));
        return 0;
    }
    rc = node_report_repeats(n, findings);
    for (const struct node *c = n->first; c && rc == 0; c = c->next) {
        if (slice_eq(c->name, SLICE("at")))
            take_text(c, &rule.at, findings);
        else if (slice_eq(c->name, SLICE("match")))
            take_text(c, &rule.match, findings);
        else if (slice_eq(c->name, SLICE("share")))
            take_text(c, &rule.share, findings);
        else if (slice_eq(c->name, SLICE("do")))
            take_mood(c, &rule, findings);
        else
            finding_error(findings, &c->name_at, "unknown key '%.*s': at, match, share and do are known", SLICE_ARG(c->name));
    }
    if (rc < 0 || findings->errors > before)
        return rc;
    rc = sink_script_add(script, &rule, &err);
    if (rc == FL_ENOMEM)
        return rc;
    if (rc < 0)
        finding_error(findings, &n->at, "%s", err.text);
    return 0;
}

static int take_rules(const struct node *root, struct sink_script *script, struct conf_findings *findings)
{
    int rc = 0;

    if (!root)
        return 0; /* an empty file: no moods */
    if (root->kind != NODE_LIST) {
        finding_error(findings, &root->at, "%s, where a list of rules is wanted", node_kind_text(root));
        return FL_EINVAL;
    }
    for (const struct node *n = root->first; n && rc == 0; n = n->next)
        rc = take_rule(n, script, findings);
    return rc == 0 && findings->errors ? FL_EINVAL : rc;
}

int sink_moods_read(const char *file, struct sink_script *ret, struct conf_findings *findings)
{
    struct arena *nodes = arena_new(NODES_FIRST);
    struct sink_script script = { 0 };
    struct node *root = NULL;
    struct buf text;
    int rc = nodes ? 0 : FL_ENOMEM;

    buf_init(&text, SINK_MOODS_FILE_MAX);
    if (rc == 0)
        rc = read_file(file, &text, findings);
    if (rc == 0)
        rc = yaml_parse(nodes, buf_slice(&text), file, findings, &root);
    if (rc == 0)
        rc = take_rules(root, &script, findings);
    if (rc == 0)
        *ret = script;
    else
        sink_script_free(&script);
    buf_free(&text);
    arena_free(nodes);
    return rc;
}
