/* status.c: `fairlead status`. Main thread. */
#include "cmd_option.h"
#include "listing.h"

static const struct print_column columns[] = {
    { "version", "version", PRINT_TEXT },
    { "SQLite", "sqlite", PRINT_TEXT },
    { "process", "pid", PRINT_NUMBER },
    { "started", "started", PRINT_TIME },
    { "accepting", "accepting", PRINT_TEXT },
    { "draining", "draining", PRINT_TEXT },
    { 0 },
};

/* Objects of the status, each a block of its own. */
static const struct {
    const char *title, *key;
    struct print_column columns[4];
} parts[] = {
    { "Configuration",
      "config",
      { { "  file", "file", PRINT_TEXT },
        { "  loaded", "loaded", PRINT_TIME },
        { "  generation", "generation", PRINT_NUMBER } } },
    { "Sessions", "sessions", { { "  in", "in", PRINT_NUMBER }, { "  out", "out", PRINT_NUMBER } } },
    { "Queued",
      "queued",
      { { "  messages", "messages", PRINT_NUMBER },
        { "  recipients", "recipients", PRINT_NUMBER },
        { "  size", "bytes", PRINT_BYTES } } },
    { "Store",
      "store",
      { { "  state", "state", PRINT_STATE }, { "  log", "wal_bytes", PRINT_BYTES }, { "  free", "free_bytes", PRINT_BYTES } } },
};

static void print_parts(const json_t *status)
{
    const json_t *warnings = json_object_get(status, "warnings");

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        printf("%s\n", parts[i].title);
        print_object(parts[i].columns, json_object_get(status, parts[i].key));
    }
    if (json_array_size(warnings))
        puts("Warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++)
        print_line("  ", json_string_value(json_array_get(warnings, i)));
}

static int status_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct object_options o = { 0 };
    const struct cmd_option options[] = { OBJECT_OPTIONS(o), { 0 } };
    int status = cmd_option_parse(&cmd_status, options, argc, argv, NULL, 0, NULL);

    return status == CMD_DONE ? object_run(globals, &cmd_status, &o, "/v1/status", columns, print_parts) : status;
}

const struct cmd cmd_status = {
    .name = "status",
    .summary = "how the daemon is",
    .help =
        "usage: fairlead status [--json]\n\n"
        "Shows the running daemon: version, configuration, sessions, what is queued, the store, and warnings.\n\n" OBJECT_HELP
        "\n"
        "Example:\n"
        "  fairlead status\n",
    .run = status_run,
};
