/* job.c: `fairlead job …`: campaigns. Main thread. */
#include "cmd_option.h"
#include "listing.h"
#include "order.h"

static const struct print_column job_columns[] = {
    { "TENANT", "tenant", PRINT_TEXT },     { "JOB", "job", PRINT_TEXT },
    { "READY", "ready", PRINT_NUMBER },     { "WAITING", "waiting", PRINT_NUMBER },
    { "HELD", "held", PRINT_NUMBER },       { "DELIVERED", "delivered", PRINT_NUMBER },
    { "BOUNCED", "bounced", PRINT_NUMBER }, { "EXPIRED", "expired", PRINT_NUMBER },
    { "DROPPED", "dropped", PRINT_NUMBER }, { "PER MIN", "delivered_per_min", PRINT_NUMBER },
    { "ETA", "eta", PRINT_TIME },           { 0 },
};

static const struct print_column show_columns[] = {
    { "tenant", "tenant", PRINT_TEXT },
    { "job", "job", PRINT_TEXT },
    { "ready", "ready", PRINT_NUMBER },
    { "waiting", "waiting", PRINT_NUMBER },
    { "held", "held", PRINT_NUMBER },
    { "delivered", "delivered", PRINT_NUMBER },
    { "bounced", "bounced", PRINT_NUMBER },
    { "expired", "expired", PRINT_NUMBER },
    { "dropped", "dropped", PRINT_NUMBER },
    { "size", "bytes", PRINT_BYTES },
    { "first accepted", "first_accepted", PRINT_TIME },
    { "delivered per minute", "delivered_per_min", PRINT_NUMBER },
    { "estimated end", "eta", PRINT_TIME },
    { 0 },
};

static int job_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_job, "there is no 'job %s'", argv[1]);
    return cmd_usage(&cmd_job, "one of list, show, hold, release, drop is missing");
}

const struct cmd cmd_job = {
    .name = "job",
    .summary = "campaigns: list, show, hold, release, drop",
    .help = "usage: fairlead job list|show|hold|release|drop …\n\n"
            "A job is what a client named by the header X-Fairlead-Job; it is named tenant/job here. Each sub-command has\n"
            "its own --help.\n\n"
            "Examples:\n"
            "  fairlead job list --tenant acme\n"
            "  fairlead job show acme/spring-1\n",
    .run = job_run,
};

static int list_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct listing_options o = { 0 };
    const char *tenant = NULL;
    const struct cmd_option options[] = { { "tenant", .text = &tenant }, LISTING_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_job_list, options, argc, argv, NULL, 0, NULL);
    struct buf target;

    if (status != CMD_DONE)
        return status;
    buf_init(&target, 0);
    if (buf_add_text(&target, "/v1/jobs?") < 0 || (tenant && buf_add_text(&target, "tenant=") < 0) ||
        (tenant && client_escape(tenant, &target) < 0) || buf_add_char(&target, '\0') < 0)
        status = CMD_WRONG;
    else
        status = listing_run(globals, &cmd_job_list, &o, target.p, job_columns);
    buf_free(&target);
    return status;
}

const struct cmd cmd_job_list = {
    .name = "job list",
    .summary = "one row a job",
    .help = "usage: fairlead job list [--tenant T] [--limit N] [--json | --jsonl]\n\n"
            "Lists jobs with their recipients by state. A job is kept for 7 days.\n\n"
            "  --tenant T       of this tenant\n" LISTING_HELP "\n"
            "Example:\n"
            "  fairlead job list --tenant acme\n",
    .run = list_run,
};

static int show_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    const struct cmd_option options[] = { OBJECT_OPTIONS(o), { 0 } };
    const char *name;
    int status = cmd_option_parse(&cmd_job_show, options, argc, argv, &name, 1, "the job's name");
    struct buf target;

    buf_init(&target, 0);
    if (status == CMD_DONE)
        status = target_of_name(&cmd_job_show, "/v1/jobs", name, 2, &target);
    if (status == CMD_DONE && buf_add_char(&target, '\0') == 0)
        status = object_run(globals, &cmd_job_show, &o, target.p, show_columns, NULL);
    buf_free(&target);
    return status;
}

const struct cmd cmd_job_show = {
    .name = "job show",
    .summary = "one job: counts by state, rate, estimated end",
    .help =
        "usage: fairlead job show TENANT/JOB [--json]\n\n"
        "Shows how many recipients of a job are in which state, how fast it goes, and when it should end.\n\n" OBJECT_HELP "\n"
        "Example:\n"
        "  fairlead job show acme/spring-1\n",
    .run = show_run,
};

static int hold_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_job_hold, "hold", ORDER_OF_JOB, &o, options, argc, argv);
}

const struct cmd cmd_job_hold = {
    .name = "job hold",
    .summary = "no new attempts for a job",
    .help =
        "usage: fairlead job hold TENANT/JOB [--dry-run]\n\n"
        "Stops new attempts for the mail of a job, also for what comes later, until it is released.\n\n" ORDER_OPTIONS_HELP "\n"
        "Example:\n"
        "  fairlead job hold acme/spring-1\n",
    .run = hold_run,
};

static int release_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_job_release, "release", ORDER_OF_JOB, &o, options, argc, argv);
}

const struct cmd cmd_job_release = {
    .name = "job release",
    .summary = "ends the hold on a job",
    .help = "usage: fairlead job release TENANT/JOB [--dry-run]\n\n"
            "Ends the hold on a job.\n\n" ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead job release acme/spring-1\n",
    .run = release_run,
};

static int drop_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct order_options o = { 0 };
    const struct cmd_option options[] = { { "dsn", .flag = &o.dsn }, { "yes", .flag = &o.yes }, ORDER_OPTIONS(o), { 0 } };

    return order_main(globals, &cmd_job_drop, "drop", ORDER_OF_JOB, &o, options, argc, argv);
}

const struct cmd cmd_job_drop = {
    .name = "job drop",
    .summary = "removes the mail of a job for good",
    .help = "usage: fairlead job drop TENANT/JOB [--dsn] [--yes] [--dry-run]\n\n"
            "Removes what is left of a job for good. Asks before it does so.\n\n"
            "  --dsn            bounces it: the senders are told, and it counts as bounced\n"
            "  --yes            does not ask\n" ORDER_OPTIONS_HELP "\n"
            "Example:\n"
            "  fairlead job drop acme/spring-1 --yes\n",
    .run = drop_run,
};
