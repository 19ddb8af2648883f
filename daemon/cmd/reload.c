/* reload.c: `fairlead reload`. Main thread. */
#include "cmd_option.h"
#include "listing.h"

static int reload_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    const struct cmd_option options[] = { OBJECT_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_reload, options, argc, argv, NULL, 0, NULL);
    const char *warnings;
    json_t *answer = NULL;
    struct client c;

    if (status == CMD_DONE)
        status = client_find(globals, &cmd_reload, o.socket, &c);
    if (status == CMD_DONE)
        status = client_ask(&c, "POST", "/v1/reload", NULL, &answer);
    if (status != CMD_DONE)
        return status;
    warnings = json_string_value(json_object_get(answer, "warnings"));
    if (warnings)
        fputs(warnings, stderr);
    if (o.json)
        print_json(answer);
    else
        fprintf(stderr, "Generation %lld is in force.\n", (long long)json_integer_value(json_object_get(answer, "generation")));
    json_decref(answer);
    return print_end();
}

const struct cmd cmd_reload = {
    .name = "reload",
    .summary = "lets the daemon read its configuration again",
    .help = "usage: fairlead reload [--json]\n\n"
            "Lets the daemon read its configuration again. A file with errors changes nothing: they are printed as\n"
            "`fairlead check` does, with exit status 1.\n\n" OBJECT_HELP "\n"
            "Example:\n"
            "  fairlead reload\n",
    .run = reload_run,
};
