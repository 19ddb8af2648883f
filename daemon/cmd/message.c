/* message.c: `fairlead message show`: one message. Main thread. */
#include "cmd_option.h"
#include "listing.h"
#include "ulid.h"

static const struct print_column show_columns[] = {
    { "message", "message", PRINT_TEXT },   { "tenant", "tenant", PRINT_TEXT },   { "user", "user", PRINT_TEXT },
    { "client", "client_ip", PRINT_TEXT },  { "job", "job", PRINT_TEXT },         { "from", "from", PRINT_TEXT },
    { "envelope id", "envid", PRINT_TEXT }, { "return", "ret", PRINT_TEXT },      { "size", "size", PRINT_BYTES },
    { "received", "received", PRINT_TIME }, { "expires", "expires", PRINT_TIME }, { 0 },
};

static const struct print_column recipient_columns[] = {
    { "TO", "to", PRINT_TEXT },
    { "VMTA", "vmta", PRINT_TEXT },
    { "STATE", "state", PRINT_STATE },
    { "TRIES", "attempts", PRINT_NUMBER },
    { "NEXT", "next_attempt", PRINT_TIME },
    { "NOTIFY", "notify", PRINT_TEXT },
    { "LAST REPLY", "last_reply", PRINT_REPLY },
    { 0 },
};

static int message_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_message, "there is no 'message %s'", argv[1]);
    return cmd_usage(&cmd_message, "'show' is missing");
}

const struct cmd cmd_message = {
    .name = "message",
    .summary = "one message: show",
    .help = "usage: fairlead message show ID\n\n"
            "Example:\n"
            "  fairlead message show 01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
    .run = message_run,
};

static void print_details(const json_t *message)
{
    const json_t *headers = json_object_get(message, "headers");
    struct print_table recipients = { .columns = recipient_columns };

    puts("\nRecipients:");
    print_rows(&recipients, json_object_get(message, "recipients"));
    if (json_array_size(headers))
        puts("\nHeader:");
    for (size_t i = 0; i < json_array_size(headers); i++) {
        const json_t *pair = json_array_get(headers, i);
        struct buf line;

        buf_init(&line, 0);
        if (buf_printf(&line, "%s: %s", json_string_value(json_array_get(pair, 0)),
                       json_string_value(json_array_get(pair, 1))) == 0 &&
            buf_add_char(&line, '\0') == 0)
            print_line("  ", line.p);
        buf_free(&line);
    }
}

static int show_raw(const struct cmd_globals *globals, const char *socket, const char *target)
{
    struct client c;
    int status = client_find(globals, &cmd_message_show, socket, &c);

    if (status == CMD_DONE)
        status = client_copy(&c, target, stdout);
    return status == CMD_DONE ? print_end() : status;
}

static int show_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    bool raw = false;
    const struct cmd_option options[] = { { "raw", .flag = &raw }, OBJECT_OPTIONS(o), { 0 } };
    const char *id;
    int status = cmd_option_parse(&cmd_message_show, options, argc, argv, &id, 1, "the message's id");
    struct ulid parsed;
    char target[80];

    if (status != CMD_DONE)
        return status;
    if (raw && o.json)
        return cmd_usage(&cmd_message_show, "--raw and --json exclude each other");
    if (!ulid_parse(slice_of(id), &parsed)) {
        fprintf(stderr, "fairlead %s: '%s' is no message id\n", cmd_message_show.name, id);
        return CMD_WRONG;
    }
    snprintf(target, sizeof target, "/v1/messages/%.26s%s", id, raw ? "/raw" : "");
    if (raw)
        return show_raw(globals, o.socket, target);
    return object_run(globals, &cmd_message_show, &o, target, show_columns, print_details);
}

const struct cmd cmd_message_show = {
    .name = "message show",
    .summary = "envelope, recipients, headers, or the message itself",
    .help = "usage: fairlead message show ID [--raw | --json]\n\n"
            "Shows a message that is still queued: its envelope, each recipient's state and last reply, and its header. ID is\n"
            "what the 250 reply said.\n\n"
            "  --raw            prints the message itself, and nothing else\n" OBJECT_HELP "\n"
            "Examples:\n"
            "  fairlead message show 01ARZ3NDEKTSV4RRFFQ69G5FAV\n"
            "  fairlead message show 01ARZ3NDEKTSV4RRFFQ69G5FAV --raw >message.eml\n",
    .run = show_run,
};
