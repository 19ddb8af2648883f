/* queue_order.c: `fairlead queue hold, release, retry, move, drop`: what is done to mail that selectors name. Main thread. */
#include "order.h"

static int hold_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_SELECTORS(o), ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_queue_hold, "hold", ORDER_OF_QUEUE, &o, options, argc, argv);
}

const struct cmd cmd_queue_hold = {
    .name = "queue hold",
    .summary = "no new attempts for the selected mail",
    .help = "usage: fairlead queue hold SELECTOR… [--dry-run]\n\n"
            "Stops new attempts for the selected mail; what is being sent ends and counts. A hold by tenant, VMTA, domain\n"
            "or job is a standing rule: it also covers mail that comes later, and survives a restart. Held mail does not\n"
            "expire. Prints how many recipients matched.\n\n" ORDER_SELECTORS_HELP ORDER_OPTIONS_HELP "\n"
            "Examples:\n"
            "  fairlead queue hold acme/mta1/example.com\n"
            "  fairlead queue hold --domain example.com\n"
            "  fairlead queue hold --tenant acme --vmta mta1\n",
    .run = hold_run,
};

static int release_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_SELECTORS(o), ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_queue_release, "release", ORDER_OF_QUEUE, &o, options, argc, argv);
}

const struct cmd cmd_queue_release = {
    .name = "queue release",
    .summary = "ends a hold",
    .help =
        "usage: fairlead queue release SELECTOR… [--dry-run]\n\n"
        "Ends the hold on the selected mail, and the standing rule of the same selectors. Released mail gets at least\n"
        "one attempt before it may expire. Prints how many recipients matched.\n\n" ORDER_SELECTORS_HELP ORDER_OPTIONS_HELP "\n"
        "Example:\n"
        "  fairlead queue release --domain example.com\n",
    .run = release_run,
};

static int retry_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_SELECTORS(o), ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_queue_retry, "retry", ORDER_OF_QUEUE, &o, options, argc, argv);
}

const struct cmd cmd_queue_retry = {
    .name = "queue retry",
    .summary = "tries the selected mail now",
    .help = "usage: fairlead queue retry SELECTOR… [--dry-run]\n\n"
            "Makes the selected mail due now, and lets what it waits for (a path, a host, a log-in) be tried at once. Held\n"
            "mail stays held. Prints how many recipients matched.\n\n" ORDER_SELECTORS_HELP ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead queue retry acme/mta1/example.com\n"
            "  fairlead queue retry --tenant acme --domain example.com\n",
    .run = retry_run,
};

static int move_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { { "to", .text = &o.to }, ORDER_SELECTORS(o), ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_queue_move, "move", ORDER_OF_QUEUE, &o, options, argc, argv);
}

const struct cmd cmd_queue_move = {
    .name = "queue move",
    .summary = "lets the selected mail go by another VMTA or pool",
    .help = "usage: fairlead queue move --to VMTA_OR_POOL SELECTOR… [--dry-run]\n\n"
            "Moves the selected mail to another VMTA or pool, which must be granted to its tenant. Prints how many\n"
            "recipients matched.\n\n"
            "  --to NAME        a VMTA or a pool\n" ORDER_SELECTORS_HELP ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead queue move --to mta2 --tenant acme --domain example.com\n",
    .run = move_run,
};

static int drop_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = {
        { "dsn", .flag = &o.dsn }, { "yes", .flag = &o.yes }, ORDER_SELECTORS(o), ORDER_OPTIONS(o), { 0 }
    };

    return order_main(globals, &cmd_queue_drop, "drop", ORDER_OF_QUEUE, &o, options, argc, argv);
}

const struct cmd cmd_queue_drop = {
    .name = "queue drop",
    .summary = "removes the selected mail for good",
    .help = "usage: fairlead queue drop SELECTOR… [--dsn] [--yes] [--dry-run]\n\n"
            "Removes the selected mail for good; what is being sent ends first. Asks before it does so, and prints how many\n"
            "recipients matched.\n\n"
            "  --dsn            bounces it: the senders are told, and it counts as bounced\n"
            "  --yes            does not ask\n" ORDER_SELECTORS_HELP ORDER_OPTIONS_HELP "\n"
            "Examples:\n"
            "  fairlead queue drop --job acme/spring-1 --dry-run\n"
            "  fairlead queue drop --job acme/spring-1 --yes\n",
    .run = drop_run,
};
