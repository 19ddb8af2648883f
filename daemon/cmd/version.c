/* version.c: `fairlead version`: what this binary is, and whether the SQLite below it is one that loses data. */
#include "cmd.h"

#include <stdio.h>

#include "sqlite_version.h"

static int version_run(const struct cmd_globals *globals, int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage(&cmd_version, "unexpected '%s'", argv[1]);
    printf("fairlead %s\nSQLite %s\n", FAIRLEAD_VERSION, sqlite_version());
    if (sqlite_version_warning())
        fprintf(stderr, "warning: %s\n", sqlite_version_warning());
    return CMD_DONE;
}

const struct cmd cmd_version = {
    .name = "version",
    .summary = "prints the version, and that of SQLite",
    .help = "usage: fairlead version\n\n"
            "Prints the version of Fairlead and of the SQLite library that it uses, with a warning on stderr when that\n"
            "library has a known defect.\n\n"
            "Example:\n"
            "  fairlead version\n",
    .run = version_run,
};
