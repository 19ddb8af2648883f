/* help.c: `fairlead help`: lists the commands, or shows one of them. */
#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int list_commands(FILE *out)
{
    fprintf(out, "usage: fairlead [--config FILE] COMMAND [OPTION]...\n\n"
                 "A multi-tenant SMTP relay. FILE is %s unless said.\n\nCommands:\n",
            CMD_CONFIG_DEFAULT);
    for (const struct cmd *const *c = cmd_table; *c; c++)
        fprintf(out, "  %-18s %s\n", (*c)->name, (*c)->summary);
    fputs("\n`fairlead COMMAND --help` shows its options and an example.\n", out);
    return CMD_DONE;
}

static int help_run(const struct cmd_globals *globals, int argc, char **argv)
{
    char name[64];

    if (argc == 1)
        return list_commands(stdout);
    snprintf(name, sizeof name, "%s%s%s", argv[1], argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    for (const struct cmd *const *c = cmd_table; *c; c++) {
        if (argc <= 3 && strcmp((*c)->name, name) == 0) {
            fputs((*c)->help, stdout);
            return CMD_DONE;
        }
    }
    return cmd_usage(&cmd_help, "there is no command '%s'", name);
}

const struct cmd cmd_help = {
    .name = "help",
    .summary = "lists the commands, or shows the help of one",
    .help = "usage: fairlead help [COMMAND]\n\n"
            "Lists the commands, or prints what `fairlead COMMAND --help` prints.\n\n"
            "Example:\n"
            "  fairlead help sink\n",
    .run = help_run,
};

int cmd_usage(const struct cmd *cmd, const char *format, ...)
{
    va_list ap;

    fprintf(stderr, "fairlead %s: ", cmd->name);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\nTry 'fairlead %s --help'.\n", cmd->name);
    return CMD_USAGE;
}
