/* drain.c: `fairlead drain`. Main thread. */
#include "cmd_option.h"
#include "listing.h"

static int drain_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    bool off = false;
    const struct cmd_option options[] = { { "off", .flag = &off }, OBJECT_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_drain, options, argc, argv, NULL, 0, NULL);
    json_t *answer = NULL;
    struct client c;

    if (status == CMD_DONE)
        status = client_find(globals, &cmd_drain, o.socket, &c);
    if (status == CMD_DONE)
        status = client_ask(&c, "POST", "/v1/drain", json_pack("{s:b}", "off", off), &answer);
    if (status != CMD_DONE)
        return status;
    if (o.json)
        print_json(answer);
    else
        fputs(off ? "Mail is accepted again.\n" : "No mail is accepted any more; what is queued is delivered.\n", stderr);
    json_decref(answer);
    return print_end();
}

const struct cmd cmd_drain = {
    .name = "drain",
    .summary = "accept nothing, deliver on",
    .help = "usage: fairlead drain [--off] [--json]\n\n"
            "New connections and new mail are answered 421; what is queued is delivered on. /readyz answers 503 meanwhile.\n\n"
            "  --off            accepts mail again\n" OBJECT_HELP "\n"
            "Examples:\n"
            "  fairlead drain\n"
            "  fairlead drain --off\n",
    .run = drain_run,
};
