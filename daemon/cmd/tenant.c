/* tenant.c: `fairlead tenant …`: customers. Main thread. */
#include "cmd_option.h"
#include "listing.h"
#include "order.h"

static const struct print_column columns[] = {
    { "TENANT", "tenant", PRINT_TEXT },
    { "STATE", "state", PRINT_STATE },
    { "MESSAGES", "messages", PRINT_NUMBER },
    { "RECIPIENTS", "recipients", PRINT_NUMBER },
    { "SIZE", "bytes", PRINT_BYTES },
    { "OLDEST", "oldest_s", PRINT_AGE },
    { "CONNS", "connections", PRINT_NUMBER },
    { "ACCEPTED", "accepted_per_min", PRINT_NUMBER },
    { "PER MIN", "delivered_per_min", PRINT_NUMBER },
    { "DEFERRED", "deferred_per_min", PRINT_NUMBER },
    { "BOUNCED", "bounced_per_min", PRINT_NUMBER },
    { "LAST REPLY", "last_reply", PRINT_REPLY },
    { 0 },
};

static int tenant_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_tenant, "there is no 'tenant %s'", argv[1]);
    return cmd_usage(&cmd_tenant, "one of list, hold, release is missing");
}

const struct cmd cmd_tenant = {
    .name = "tenant",
    .summary = "customers: list, hold, release",
    .help = "usage: fairlead tenant list | hold NAME [--refuse] | release NAME\n\n"
            "Example:\n"
            "  fairlead tenant list\n",
    .run = tenant_run,
};

static int list_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct listing_options o = { 0 };
    const struct cmd_option options[] = { LISTING_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_tenant_list, options, argc, argv, NULL, 0, NULL);

    return status == CMD_DONE ? listing_run(globals, &cmd_tenant_list, &o, "/v1/tenants?", columns) : status;
}

const struct cmd cmd_tenant_list = {
    .name = "tenant list",
    .summary = "depth, rate, connections, last error of each tenant",
    .help = "usage: fairlead tenant list [--limit N] [--json | --jsonl]\n\n"
            "Lists the tenants; rates are those of the last minute.\n\n" LISTING_HELP "\n"
            "Example:\n"
            "  fairlead tenant list\n",
    .run = list_run,
};

static int hold_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { { "refuse", .flag = &o.refuse }, ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_tenant_hold, "hold", ORDER_OF_TENANT, &o, options, argc, argv);
}

const struct cmd cmd_tenant_hold = {
    .name = "tenant hold",
    .summary = "nothing of a tenant is delivered",
    .help = "usage: fairlead tenant hold NAME [--refuse] [--dry-run]\n\n"
            "Stops new attempts for the mail of a tenant, until it is released. Prints how many recipients wait.\n\n"
            "  --refuse         also answers new submissions 450 4.7.1\n" ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead tenant hold acme --refuse\n",
    .run = hold_run,
};

static int release_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_tenant_release, "release", ORDER_OF_TENANT, &o, options, argc, argv);
}

const struct cmd cmd_tenant_release = {
    .name = "tenant release",
    .summary = "ends the hold on a tenant",
    .help = "usage: fairlead tenant release NAME [--dry-run]\n\n"
            "Ends the hold on a tenant, and takes its submissions again.\n\n" ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead tenant release acme\n",
    .run = release_run,
};
