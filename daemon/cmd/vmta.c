/* vmta.c: `fairlead vmta …`: virtual MTAs. Main thread. */
#include "cmd_option.h"
#include "listing.h"
#include "order.h"

static const struct print_column columns[] = {
    { "VMTA", "vmta", PRINT_TEXT },
    { "STATE", "state", PRINT_STATE },
    { "HOSTNAME", "hostname", PRINT_TEXT },
    { "SOURCES", "sources", PRINT_TEXT },
    { "RECIPIENTS", "recipients", PRINT_NUMBER },
    { "OLDEST", "oldest_s", PRINT_AGE },
    { "CONNS", "connections", PRINT_NUMBER },
    { "PER MIN", "delivered_per_min", PRINT_NUMBER },
    { "DEFERRED", "deferred_per_min", PRINT_NUMBER },
    { "BOUNCED", "bounced_per_min", PRINT_NUMBER },
    { "LAST REPLY", "last_reply", PRINT_REPLY },
    { 0 },
};

static int vmta_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_vmta, "there is no 'vmta %s'", argv[1]);
    return cmd_usage(&cmd_vmta, "one of list, hold, release is missing");
}

const struct cmd cmd_vmta = {
    .name = "vmta",
    .summary = "virtual MTAs: list, hold, release",
    .help = "usage: fairlead vmta list | hold NAME | release NAME\n\n"
            "Example:\n"
            "  fairlead vmta list\n",
    .run = vmta_run,
};

static int list_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct listing_options o = { 0 };
    const struct cmd_option options[] = { LISTING_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_vmta_list, options, argc, argv, NULL, 0, NULL);

    return status == CMD_DONE ? listing_run(globals, &cmd_vmta_list, &o, "/v1/vmtas?", columns) : status;
}

const struct cmd cmd_vmta_list = {
    .name = "vmta list",
    .summary = "depth, rate, connections, last error of each VMTA",
    .help = "usage: fairlead vmta list [--limit N] [--json | --jsonl]\n\n"
            "Lists the VMTAs; rates are those of the last minute.\n\n" LISTING_HELP "\n"
            "Example:\n"
            "  fairlead vmta list\n",
    .run = list_run,
};

static int order(const struct cmd_globals *globals, const struct cmd *cmd, const char *what, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, cmd, what, ORDER_OF_VMTA, &o, options, argc, argv);
}

static int hold_run(const struct cmd_globals *globals, int argc, char **argv)
{
    return order(globals, &cmd_vmta_hold, "hold", argc, argv);
}

const struct cmd cmd_vmta_hold = {
    .name = "vmta hold",
    .summary = "nothing is delivered by a VMTA",
    .help = "usage: fairlead vmta hold NAME [--dry-run]\n\n"
            "Stops new attempts by a VMTA, until it is released. Prints how many recipients wait for it.\n\n" ORDER_OPTIONS_HELP
            "\n"
            "Example:\n"
            "  fairlead vmta hold mta1\n",
    .run = hold_run,
};

static int release_run(const struct cmd_globals *globals, int argc, char **argv)
{
    return order(globals, &cmd_vmta_release, "release", argc, argv);
}

const struct cmd cmd_vmta_release = {
    .name = "vmta release",
    .summary = "ends the hold on a VMTA",
    .help = "usage: fairlead vmta release NAME [--dry-run]\n\n"
            "Ends the hold on a VMTA.\n\n" ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead vmta release mta1\n",
    .run = release_run,
};
