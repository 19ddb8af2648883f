/* queue.c: `fairlead queue …`: looking at queues. What is done to them is in queue_order.c. Main thread. */
#include "cmd_option.h"
#include "err.h"
#include "listing.h"

static const struct print_column queue_columns[] = {
    { "QUEUE", "queue", PRINT_TEXT },
    { "STATE", "state", PRINT_STATE },
    { "MESSAGES", "messages", PRINT_NUMBER },
    { "RECIPIENTS", "recipients", PRINT_NUMBER },
    { "SIZE", "bytes", PRINT_BYTES },
    { "OLDEST", "oldest_s", PRINT_AGE },
    { "NEXT", "next_attempt", PRINT_TIME },
    { "PER MIN", "delivered_per_min", PRINT_NUMBER },
    { "WHY", "why", PRINT_TEXT },
    { 0 },
};

static const struct print_column message_columns[] = {
    { "MESSAGE", "message", PRINT_TEXT },
    { "TO", "to", PRINT_TEXT },
    { "FROM", "from", PRINT_TEXT },
    { "JOB", "job", PRINT_TEXT },
    { "STATE", "state", PRINT_STATE },
    { "TRIES", "attempts", PRINT_NUMBER },
    { "SIZE", "size", PRINT_BYTES },
    { "NEXT", "next_attempt", PRINT_TIME },
    { "LAST REPLY", "last_reply", PRINT_REPLY },
    { 0 },
};

static const struct print_column show_columns[] = {
    { "queue", "queue", PRINT_TEXT },
    { "state", "state", PRINT_STATE },
    { "why", "why", PRINT_TEXT },
    { "messages", "messages", PRINT_NUMBER },
    { "recipients", "recipients", PRINT_NUMBER },
    { "size", "bytes", PRINT_BYTES },
    { "oldest", "oldest_s", PRINT_AGE },
    { "next attempt", "next_attempt", PRINT_TIME },
    { "connections", "connections", PRINT_NUMBER },
    { "in flight", "in_flight", PRINT_NUMBER },
    { "delivered per minute", "delivered_per_min", PRINT_NUMBER },
    { "last reply", "last_reply", PRINT_REPLY },
    { 0 },
};

static const struct print_column limit_columns[] = {
    { "LIMIT", "name", PRINT_TEXT },  { "USED", "used", PRINT_TEXT }, { "OF", "limit", PRINT_TEXT },
    { "BINDS", "binds", PRINT_TEXT }, { "SET AT", "at", PRINT_TEXT }, { 0 },
};

static const struct print_column without_tls_columns[] = {
    { "MX IP", "mx_ip", PRINT_TEXT },
    { "UNTIL", "until", PRINT_TIME },
    { 0 },
};

static int queue_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_queue, "there is no 'queue %s'", argv[1]);
    return cmd_usage(&cmd_queue, "one of list, show, messages, hold, release, retry, move, drop is missing");
}

const struct cmd cmd_queue = {
    .name = "queue",
    .summary = "what waits: list, show, messages, hold, release, retry, move, drop",
    .help = "usage: fairlead queue list|show|messages|hold|release|retry|move|drop …\n\n"
            "A queue holds the mail of one tenant that goes by one VMTA to one recipient domain, and is named\n"
            "tenant/vmta/domain. Each sub-command has its own --help.\n\n"
            "Examples:\n"
            "  fairlead queue list --state waiting\n"
            "  fairlead queue show acme/mta1/example.com\n"
            "  fairlead queue retry --domain example.com\n",
    .run = queue_run,
};

/* ---------------------------------------------------------------- list */
static int add_filter(struct buf *target, const char *key, const char *value)
{
    if (!value)
        return 0;
    return buf_printf(target, "%s%s=", listing_separator(buf_slice(target)), key) < 0 || client_escape(value, target) < 0
               ? FL_ENOMEM
               : 0;
}

static bool is_state(const char *text)
{
    static const char *const states[] = { "ready", "waiting", "held", "suspended", NULL };

    for (const char *const *s = states; *s; s++)
        if (strcmp(*s, text) == 0)
            return true;
    return false;
}

static int list_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct listing_options o = { 0 };
    const char *tenant = NULL, *vmta = NULL, *domain = NULL, *state = NULL;
    const struct cmd_option options[] = {
        { "tenant", .text = &tenant }, { "vmta", .text = &vmta }, { "domain", .text = &domain },
        { "state", .text = &state },   LISTING_OPTIONS(o),        { 0 }
    };
    int status = cmd_option_parse(&cmd_queue_list, options, argc, argv, NULL, 0, NULL);
    struct buf target;

    if (status != CMD_DONE)
        return status;
    if (state && !is_state(state))
        return cmd_usage(&cmd_queue_list, "--state: '%s' is none of ready, waiting, held, suspended", state);
    buf_init(&target, 0);
    if (buf_add_text(&target, "/v1/queues?") < 0 || add_filter(&target, "tenant", tenant) < 0 ||
        add_filter(&target, "vmta", vmta) < 0 || add_filter(&target, "domain", domain) < 0 ||
        add_filter(&target, "state", state) < 0 || buf_add_char(&target, '\0') < 0)
        status = CMD_WRONG;
    else
        status = listing_run(globals, &cmd_queue_list, &o, target.p, queue_columns);
    buf_free(&target);
    return status;
}

const struct cmd cmd_queue_list = {
    .name = "queue list",
    .summary = "one row a queue",
    .help = "usage: fairlead queue list [--tenant T] [--vmta V] [--domain D] [--state S] [--limit N] [--json | --jsonl]\n\n"
            "Lists the queues that hold mail, and those that a hold names, in the order of their names.\n\n"
            "  --tenant T       of this tenant\n"
            "  --vmta V         of this VMTA\n"
            "  --domain D       to this recipient domain; *.example.com: to any below it\n"
            "  --state S        ready, waiting, held or suspended\n" LISTING_HELP "\n"
            "Example:\n"
            "  fairlead queue list --tenant acme --state waiting\n",
    .run = list_run,
};

/* ---------------------------------------------------------------- show */
static void print_details(const json_t *queue)
{
    const json_t *lines = json_object_get(queue, "protocol");
    struct print_table limits = { .columns = limit_columns }, without_tls = { .columns = without_tls_columns };

    if (json_array_size(json_object_get(queue, "limits"))) {
        puts("\nLimits in force:");
        print_rows(&limits, json_object_get(queue, "limits"));
    }
    if (json_array_size(json_object_get(queue, "without_tls"))) {
        puts("\nHosts spoken to without TLS, since their handshake failed:");
        print_rows(&without_tls, json_object_get(queue, "without_tls"));
    }
    if (json_array_size(lines))
        puts("\nThe last failed session:");
    for (size_t i = 0; i < json_array_size(lines); i++)
        print_line("  ", json_string_value(json_array_get(lines, i)));
}

static int show_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    const struct cmd_option options[] = { OBJECT_OPTIONS(o), { 0 } };
    const char *name;
    int status = cmd_option_parse(&cmd_queue_show, options, argc, argv, &name, 1, "the queue's name");
    struct buf target;

    buf_init(&target, 0);
    if (status == CMD_DONE)
        status = target_of_name(&cmd_queue_show, "/v1/queues", name, 3, &target);
    if (status == CMD_DONE && buf_add_char(&target, '\0') == 0)
        status = object_run(globals, &cmd_queue_show, &o, target.p, show_columns, print_details);
    buf_free(&target);
    return status;
}

const struct cmd cmd_queue_show = {
    .name = "queue show",
    .summary = "why a queue waits, its limits, its last session",
    .help = "usage: fairlead queue show QUEUE [--json]\n\n"
            "Shows one queue: why it waits, the limits in force with the lines that set them, the last reply, and the last\n"
            "20 protocol lines of the last failed session. QUEUE is tenant/vmta/domain.\n\n" OBJECT_HELP "\n"
            "Example:\n"
            "  fairlead queue show acme/mta1/example.com\n",
    .run = show_run,
};

/* ---------------------------------------------------------------- messages */
static int messages_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct listing_options o = { 0 };
    const struct cmd_option options[] = { LISTING_OPTIONS(o), { 0 } };
    const char *name;
    int status = cmd_option_parse(&cmd_queue_messages, options, argc, argv, &name, 1, "the queue's name");
    struct buf target;

    buf_init(&target, 0);
    if (status == CMD_DONE)
        status = target_of_name(&cmd_queue_messages, "/v1/queues", name, 3, &target);
    if (status == CMD_DONE && buf_add_text(&target, "/messages?") == 0 && buf_add_char(&target, '\0') == 0)
        status = listing_run(globals, &cmd_queue_messages, &o, target.p, message_columns);
    buf_free(&target);
    return status;
}

const struct cmd cmd_queue_messages = {
    .name = "queue messages",
    .summary = "one row a recipient in a queue",
    .help = "usage: fairlead queue messages QUEUE [--limit N] [--json | --jsonl]\n\n"
            "Lists all mail of one queue, one row a recipient, as it comes. QUEUE is tenant/vmta/domain.\n\n" LISTING_HELP "\n"
            "Example:\n"
            "  fairlead queue messages acme/mta1/example.com --limit 20\n",
    .run = messages_run,
};
