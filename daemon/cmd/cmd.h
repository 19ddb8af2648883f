/* cmd.h: what a sub-command of `fairlead` is. main.c holds the table of all; each command is one entry and lives in one file.
 * Main thread. */
#ifndef FL_CMD_H
#define FL_CMD_H

#include <stdbool.h>

/* How a command ends: the process's exit status (scripts depend on the numbers). */
enum cmd_status {
    CMD_DONE = 0,
    CMD_WRONG = 1,       /* the thing asked about is wrong or missing: a bad configuration, an unknown id */
    CMD_USAGE = 2,       /* wrong usage */
    CMD_UNREACHABLE = 3, /* the daemon cannot be reached */
};

/* What stood before the command's name. */
struct cmd_globals {
    const char *config; /* --config FILE, or CMD_CONFIG_DEFAULT */
    bool config_given;
};

#define CMD_CONFIG_DEFAULT "/etc/fairlead/fairlead.yaml"

struct cmd {
    const char *name;    /* as typed: "sink", or two words: "queue hold" (found before "queue") */
    const char *summary; /* a few words for the list that `fairlead help` prints */
    const char *help;    /* what `--help` prints: usage, options, and an example last */
    /* Runs it; argv[0] is the last word of its name, and --help was not among the rest. Returns an enum cmd_status. */
    int (*run)(const struct cmd_globals *globals, int argc, char **argv);
};

/* Says on stderr what is wrong with the command line, and how to get help. Returns CMD_USAGE. */
int cmd_usage(const struct cmd *cmd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The table, in the order of `fairlead help`; ends with NULL. */
extern const struct cmd *const cmd_table[];

extern const struct cmd cmd_check;
extern const struct cmd cmd_run;
extern const struct cmd cmd_drain;
extern const struct cmd cmd_explain;
extern const struct cmd cmd_help;
extern const struct cmd cmd_job;
extern const struct cmd cmd_job_drop;
extern const struct cmd cmd_job_hold;
extern const struct cmd cmd_job_list;
extern const struct cmd cmd_job_release;
extern const struct cmd cmd_job_show;
extern const struct cmd cmd_message;
extern const struct cmd cmd_message_show;
extern const struct cmd cmd_passwd;
extern const struct cmd cmd_queue;
extern const struct cmd cmd_queue_drop;
extern const struct cmd cmd_queue_hold;
extern const struct cmd cmd_queue_list;
extern const struct cmd cmd_queue_messages;
extern const struct cmd cmd_queue_move;
extern const struct cmd cmd_queue_release;
extern const struct cmd cmd_queue_retry;
extern const struct cmd cmd_queue_show;
extern const struct cmd cmd_reload;
extern const struct cmd cmd_sink;
extern const struct cmd cmd_status;
extern const struct cmd cmd_tenant;
extern const struct cmd cmd_tenant_hold;
extern const struct cmd cmd_tenant_list;
extern const struct cmd cmd_tenant_release;
extern const struct cmd cmd_version;
extern const struct cmd cmd_vmta;
extern const struct cmd cmd_vmta_hold;
extern const struct cmd cmd_vmta_list;
extern const struct cmd cmd_vmta_release;

#endif
