/* main.c: the program `fairlead`: what stands before the command, and which command it is. Main thread. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

/* How many words of argv name this command: 0 when they name another. */
static int words_of(const struct cmd *cmd, int argc, char **argv)
{
    const char *blank = strchr(cmd->name, ' ');
    size_t first = blank ? (size_t)(blank - cmd->name) : strlen(cmd->name);

    if (strlen(argv[0]) != first || strncmp(argv[0], cmd->name, first) != 0)
        return 0;
    if (!blank)
        return 1;
    return argc > 1 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

/* The command with the longest name that argv begins with. */
static const struct cmd *find_command(int argc, char **argv, int *ret_words)
{
    const struct cmd *found = NULL;

    *ret_words = 0;
    for (const struct cmd *const *c = cmd_table; *c; c++) {
        int words = words_of(*c, argc, argv);

        if (words > *ret_words) {
            *ret_words = words;
            found = *c;
        }
    }
    return found;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int complain(const char *what, const char *word)
{
    fprintf(stderr, "fairlead: %s%s\n`fairlead --help` lists the commands.\n", what, word);
    return CMD_USAGE;
}

static int run_command(const struct cmd_globals *globals, int argc, char **argv)
{
    int words;
    const struct cmd *cmd = find_command(argc, argv, &words);

    if (!cmd)
        return complain("there is no command ", argv[0]);
    if (asks_for_help(argc - words + 1, argv + words - 1)) {
        fputs(cmd->help, stdout);
        return CMD_DONE;
    }
    return cmd->run(globals, argc - words + 1, argv + words - 1);
}

int main(int argc, char **argv)
{
    struct cmd_globals globals = { .config = CMD_CONFIG_DEFAULT };
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            globals.config = argv[++i];
            globals.config_given = true;
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            globals.config = argv[i] + 9;
            globals.config_given = true;
        } else if (strcmp(argv[i], "--config") == 0) {
            return complain("--config needs the name of a file", "");
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return cmd_help.run(&globals, 1, argv);
        } else if (strcmp(argv[i], "--version") == 0) {
            return cmd_version.run(&globals, 1, argv);
        } else {
            return complain("unknown option ", argv[i]);
        }
    }
    if (i == argc)
        return complain("no command was given", "");
    return run_command(&globals, argc - i, argv + i);
}
