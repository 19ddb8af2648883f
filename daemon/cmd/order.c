/* order.c: see order.h. Main thread. */
#include "order.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "print.h"
#include "ulid.h"
#include "units.h"

enum { POLL_NS = 300 * 1000 * 1000 };

struct selector {
    const char *key, *value;
};

enum { SELECTORS = 7 };

static void selectors_of(const struct order_options *o, struct selector ret[SELECTORS])
{
    const struct selector all[SELECTORS] = { { "tenant", o->tenant }, { "vmta", o->vmta },       { "domain", o->domain },
                                             { "state", o->state },   { "message", o->message }, { "job", o->job },
                                             { "older", o->older } };

    memcpy(ret, all, sizeof all);
}

/* Selects the mail of a queue, "tenant/vmta/domain". */
static int take_queue(const struct cmd *cmd, struct order_options *o, const char *queue)
{
    char *vmta, *domain;

    if (o->tenant || o->vmta || o->domain)
        return cmd_usage(cmd, "a queue's name says tenant, VMTA and domain; '%s' stands beside one of them", queue);
    if ((size_t)snprintf(o->queue, sizeof o->queue, "%s", queue) >= sizeof o->queue)
        return cmd_usage(cmd, "a queue's name is no longer than %d bytes", ORDER_QUEUE_MAX - 1);
    vmta = strchr(o->queue, '/');
    domain = vmta ? strchr(vmta + 1, '/') : NULL;
    if (!domain || vmta == o->queue || domain == vmta + 1 || !domain[1])
        return cmd_usage(cmd, "'%s' is no queue: those are named tenant/vmta/domain", queue);
    *vmta = *domain = '\0';
    o->tenant = o->queue;
    o->vmta = vmta + 1;
    o->domain = domain + 1;
    return CMD_DONE;
}

/* Whether the selectors make sense: at least one, or --all alone. */
static int check_selectors(const struct cmd *cmd, const struct order_options *o)
{
    static const char *const states[] = { "ready", "waiting", "held", "suspended", "sending", NULL };
    struct selector selectors[SELECTORS];
    const char *const *state = states;
    struct ulid id;
    int64_t span;
    int said = 0;

    selectors_of(o, selectors);
    for (int i = 0; i < SELECTORS; i++)
        said += selectors[i].value != NULL;
    if (!said && !o->all)
        return cmd_usage(cmd, "which mail? At least one selector is needed, or --all");
    if (said && o->all)
        return cmd_usage(cmd, "--all stands alone, without selectors");
    while (o->state && *state && strcmp(*state, o->state) != 0)
        state++;
    if (o->state && !*state)
        return cmd_usage(cmd, "--state: '%s' is none of ready, waiting, held, suspended, sending", o->state);
    if (o->older && (!units_span(slice_of(o->older), &span) || span <= 0))
        return cmd_usage(cmd, "--older: '%s' is no span such as 90m or 2d", o->older);
    if (o->job && !strchr(o->job, '/') && !o->tenant)
        return cmd_usage(cmd, "--job: '%s' is not TENANT/JOB", o->job);
    if (o->message && !ulid_parse(slice_of(o->message), &id)) {
        fprintf(stderr, "fairlead %s: '%s' is no message id\n", cmd->name, o->message);
        return CMD_WRONG;
    }
    return CMD_DONE;
}

/* A new reference; NULL without memory. */
static json_t *order_json(const char *what, const struct order_options *o, bool dry_run)
{
    struct selector selectors[SELECTORS];
    json_t *select = json_object(), *doc = json_object();
    int rc = 0;

    selectors_of(o, selectors);
    for (int i = 0; i < SELECTORS; i++)
        if (selectors[i].value)
            rc |= json_object_set_new(select, selectors[i].key, json_string(selectors[i].value));
    if (o->all)
        rc |= json_object_set_new(select, "all", json_true());
    rc |= json_object_set_new(doc, "do", json_string(what));
    rc |= json_object_set_new(doc, "select", select);
    if (o->to)
        rc |= json_object_set_new(doc, "to", json_string(o->to));
    if (o->dsn)
        rc |= json_object_set_new(doc, "dsn", json_true());
    if (o->refuse)
        rc |= json_object_set_new(doc, "refuse", json_true());
    if (dry_run)
        rc |= json_object_set_new(doc, "dry_run", json_true());
    if (rc == 0)
        return doc;
    json_decref(doc);
    return NULL;
}

static int ask(const struct client *c, const char *what, const struct order_options *o, bool dry_run, json_t **ret)
{
    json_t *body = order_json(what, o, dry_run);

    if (!body) { /* a text that is no UTF-8, or no memory */
        fprintf(stderr, "fairlead %s: an argument is no UTF-8 text\n", c->cmd->name);
        return CMD_USAGE;
    }
    return client_ask(c, "POST", "/v1/actions", body, ret);
}

static int64_t matched_of(const json_t *answer)
{
    return json_integer_value(json_object_get(answer, "matched"));
}

static bool is_confirmed(int64_t count, bool dsn)
{
    char line[16];

    fprintf(stderr, "Drop %lld recipient%s for good%s? [y/N] ", (long long)count, count == 1 ? "" : "s",
            dsn ? ", and tell the senders" : "");
    fflush(stderr);
    if (!fgets(line, sizeof line, stdin))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
}

/* Counts, and asks. CMD_DONE: go on; *ret_none: there is nothing to be done. */
static int confirm(const struct client *c, const char *what, const struct order_options *o, bool *ret_none)
{
    json_t *answer = NULL;
    int status = ask(c, what, o, true, &answer);

    if (status != CMD_DONE)
        return status;
    *ret_none = matched_of(answer) == 0;
    if (!*ret_none && !is_confirmed(matched_of(answer), o->dsn)) {
        fputs("Nothing was dropped.\n", stderr);
        status = CMD_WRONG;
    }
    json_decref(answer);
    return status;
}

/* Until the task has ended; shows how far it is where somebody looks. */
static int follow(const struct client *c, const char *task)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    bool shows = isatty(STDERR_FILENO), runs = true;
    int status = CMD_DONE;
    char target[64];

    snprintf(target, sizeof target, "/v1/tasks/%.40s", task);
    while (runs && status == CMD_DONE) {
        json_t *row = NULL;
        const char *state;

        status = client_get(c, target, &row);
        state = json_string_value(json_object_get(row, "state"));
        runs = state && strcmp(state, "running") == 0;
        if (status == CMD_DONE && shows)
            fprintf(stderr, "\r%lld of %lld done%s", (long long)json_integer_value(json_object_get(row, "done")),
                    (long long)matched_of(row), runs ? " " : "\n");
        json_decref(row);
        if (runs)
            nanosleep(&pause, NULL);
    }
    return status;
}

/* A bare 0 leaves people in doubt. */
static void explain_none(const struct order_options *o, bool is_rule)
{
    if (!isatty(STDERR_FILENO) || o->json)
        return;
    fprintf(stderr, "No mail matches now%s.\n", is_rule && !o->dry_run ? "; the hold stands, for mail that comes" : "");
}

static int report(const struct client *c, const char *what, const struct order_options *o, const json_t *answer)
{
    bool is_rule = strcmp(what, "hold") == 0 && !o->message && !o->older && !o->state;
    const char *task = json_string_value(json_object_get(answer, "task"));
    int status = CMD_DONE;

    if (o->json)
        print_json(answer);
    else
        printf("%lld\n", (long long)matched_of(answer));
    status = print_end();
    if (matched_of(answer) == 0)
        explain_none(o, is_rule);
    if (status == CMD_DONE && task && !o->dry_run && (o->wait || (isatty(STDERR_FILENO) && matched_of(answer))))
        status = follow(c, task);
    return status;
}

static int carry_out(const struct cmd_globals *globals, const struct cmd *cmd, const char *what, const struct order_options *o)
{
    struct client c;
    json_t *answer = NULL;
    bool none = false;
    int status = client_find(globals, cmd, o->socket, &c);

    if (status == CMD_DONE && strcmp(what, "drop") == 0 && !o->yes && !o->dry_run)
        status = confirm(&c, what, o, &none);
    if (status == CMD_DONE)
        status = ask(&c, what, o, o->dry_run || none, &answer);
    if (status == CMD_DONE)
        status = report(&c, what, o, answer);
    json_decref(answer);
    return status;
}

int order_main(const struct cmd_globals *globals, const struct cmd *cmd, const char *what, enum order_operand operand,
               struct order_options *o, const struct cmd_option *options, int argc, char **argv)
{
    static const char *const names[] = {
        [ORDER_OF_QUEUE] = NULL, /* not needed */
        [ORDER_OF_JOB] = "the job's name",
        [ORDER_OF_TENANT] = "the tenant's name",
        [ORDER_OF_VMTA] = "the VMTA's name",
    };
    const char *name = NULL;
    int status = cmd_option_parse(cmd, options, argc, argv, &name, 1, names[operand]);

    if (status != CMD_DONE)
        return status;
    if (operand == ORDER_OF_JOB)
        o->job = name;
    else if (operand == ORDER_OF_TENANT)
        o->tenant = name;
    else if (operand == ORDER_OF_VMTA)
        o->vmta = name;
    else if (name)
        status = take_queue(cmd, o, name);
    if (status == CMD_DONE && strcmp(what, "move") == 0 && !o->to)
        status = cmd_usage(cmd, "--to VMTA_OR_POOL is missing");
    if (status == CMD_DONE)
        status = check_selectors(cmd, o);
    return status == CMD_DONE ? carry_out(globals, cmd, what, o) : status;
}
