/* explain.c: `fairlead explain`: asks the daemon, or the configuration itself when none runs. Main thread. */
#include <stdlib.h>
#include <time.h>

#include "admin_explain.h"
#include "cmd_option.h"
#include "listing.h"
#include "load.h"

struct explain_options {
    const char *tenant, *user, *from, *to, *socket;
    struct cmd_option_list headers;
    bool json;
};

static const struct print_column setting_columns[] = {
    { "SETTING", "key", PRINT_TEXT },
    { "VALUE", "value", PRINT_TEXT },
    { "SET AT", "at", PRINT_TEXT },
    { 0 },
};
static const struct print_column head_columns[] = {
    { "tenant", "tenant", PRINT_TEXT },
    { "user", "user", PRINT_TEXT },
    { "queue", "queue", PRINT_TEXT },
    { 0 },
};
static const struct print_column refused_columns[] = {
    { "tenant", "tenant", PRINT_TEXT },
    { "user", "user", PRINT_TEXT },
    { "refused", "refused", PRINT_TEXT },
    { 0 },
};
static const struct print_column route_columns[] = {
    { "vmta", "vmta", PRINT_TEXT },
    { "pool", "pool", PRINT_TEXT },
    { "because", "because", PRINT_TEXT },
    { "set at", "at", PRINT_TEXT },
    { 0 },
};

/* "Name: value" as [name, value]; NULL: it is none. */
static json_t *header_pair(const char *text)
{
    const char *colon = strchr(text, ':'), *value = colon ? colon + 1 : NULL;
    json_t *pair;

    if (!colon || colon == text)
        return NULL;
    value += strspn(value, " \t");
    pair = json_array();
    if (json_array_append_new(pair, json_stringn(text, (size_t)(colon - text))) < 0 ||
        json_array_append_new(pair, json_string(value)) < 0) {
        json_decref(pair);
        return NULL;
    }
    return pair;
}

/* The body of the request; NULL after having said what is wrong. */
static json_t *question(const struct explain_options *o)
{
    json_t *headers = json_array(), *doc;

    for (int i = 0; i < o->headers.count; i++) {
        if (json_array_append_new(headers, header_pair(o->headers.item[i])) < 0) {
            cmd_usage(&cmd_explain, "--header: '%s' is not 'Name: value'", o->headers.item[i]);
            json_decref(headers);
            return NULL;
        }
    }
    doc = json_pack("{s:s, s:s*, s:s, s:s, s:o}", "tenant", o->tenant, "user", o->user, "from", o->from, "to", o->to, "headers",
                    headers);
    if (!doc)
        cmd_usage(&cmd_explain, "an argument is no UTF-8 text");
    return doc;
}

static void print_findings(const struct conf_findings *f)
{
    struct buf text;

    buf_init(&text, 0);
    for (int i = 0; i < f->count; i++)
        if (!f->items[i].is_warning)
            conf_finding_text(&f->items[i], &text);
    fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_free(&text);
}

/* No daemon runs: what it would say after a start. */
static int ask_configuration(const struct cmd_globals *globals, const json_t *doc, json_t **ret)
{
    struct conf_findings findings = { 0 };
    struct explain_question q;
    struct conf *conf = NULL;
    struct fl_err err = { 0 };
    int rc = conf_load(globals->config, &conf, &findings);

    if (rc < 0) {
        print_findings(&findings);
        if (!findings.count)
            fprintf(stderr, "fairlead explain: no daemon runs, and %s cannot be loaded\n", globals->config);
        conf_findings_free(&findings);
        return CMD_WRONG;
    }
    conf_findings_free(&findings);
    rc = explain_question_parse(doc, &q, &err);
    if (rc == 0) {
        q.seed = (uint64_t)time(NULL);
        rc = explain(conf, &q, ret, &err);
    }
    conf_unref(conf);
    if (rc < 0)
        fprintf(stderr, "fairlead explain: %s\n", err.text);
    return rc == 0 ? CMD_DONE : rc == FL_EINVAL ? CMD_USAGE : CMD_WRONG;
}

static void print_answer(const json_t *answer)
{
    struct print_table settings = { .columns = setting_columns };

    if (json_object_get(answer, "refused")) {
        print_object(refused_columns, answer);
        return;
    }
    print_object(head_columns, answer);
    puts("\nRoute:");
    print_object(route_columns, json_object_get(answer, "route"));
    puts("");
    print_rows(&settings, json_object_get(answer, "settings"));
}

static int explain_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct explain_options o = { 0 };
    const struct cmd_option options[] = { { "tenant", .text = &o.tenant },  { "user", .text = &o.user },
                                          { "from", .text = &o.from, .may_be_empty = true }, { "to", .text = &o.to },
                                          { "header", .list = &o.headers }, { "socket", .text = &o.socket },
                                          { "json", .flag = &o.json },      { 0 } };
    int status = cmd_option_parse(&cmd_explain, options, argc, argv, NULL, 0, NULL);
    json_t *doc, *answer = NULL;
    struct client c;

    if (status == CMD_DONE && (!o.tenant || !o.from || !o.to))
        return cmd_usage(&cmd_explain, "--tenant, --from and --to are needed");
    if (status == CMD_DONE)
        status = client_find(globals, &cmd_explain, o.socket, &c);
    if (status != CMD_DONE)
        return status;
    doc = question(&o);
    if (!doc)
        return CMD_USAGE;
    if (client_is_answered(&c))
        status = client_ask(&c, "POST", "/v1/explain", json_incref(doc), &answer);
    else
        status = ask_configuration(globals, doc, &answer);
    json_decref(doc);
    if (status != CMD_DONE)
        return status;
    if (o.json)
        print_json(answer);
    else
        print_answer(answer);
    json_decref(answer);
    return print_end();
}

const struct cmd cmd_explain = {
    .name = "explain",
    .summary = "which route, VMTA and settings a message would get, and why",
    .help =
        "usage: fairlead explain --tenant T [--user U] --from A --to B [--header 'N: V']… [--json]\n\n"
        "Shows what would become of a message: route and VMTA with the reason, the queue, and each setting in force with\n"
        "the line that set it; or why it would be refused. Asks the running daemon, or the file when none runs.\n\n"
        "  --tenant T       who sends\n"
        "  --user U         the log-in, where routes ask for it\n"
        "  --from A         the reverse-path; '' or '<>' for the null one\n"
        "  --to B           the recipient\n"
        "  --header 'N: V'  a field of the message's header; any number of times\n" OBJECT_HELP "\n"
        "Example:\n"
        "  fairlead explain --tenant acme --from news@acme.example --to someone@example.com --header 'X-Campaign: spring'\n",
    .run = explain_run,
};
