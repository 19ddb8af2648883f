/* cmd_option.h: the options of a sub-command, read against a table. Main thread.
 * Stricter than getopt: no abbreviations, and what may be said once is refused when it stands twice. */
#ifndef FL_CMD_OPTION_H
#define FL_CMD_OPTION_H

#include "cmd.h"

enum { CMD_OPTION_LIST_MAX = 64 };

struct cmd_option_list {
    const char *item[CMD_OPTION_LIST_MAX];
    int count;
};

/* Exactly one of flag, text and list is set. */
struct cmd_option {
    const char *name; /* without its dashes; NULL ends the table */
    bool *flag;
    const char **text;            /* --name VALUE or --name=VALUE */
    bool may_be_empty;            /* the text */
    struct cmd_option_list *list; /* the same, any number of times */
};

/* Reads options and operands, in any order; "--" ends the options. Exactly `operands` operands are wanted, or,
 * without an operand_name, at most so many; the name says what they are. CMD_DONE, or CMD_USAGE after having said why. */
int cmd_option_parse(const struct cmd *cmd, const struct cmd_option *options, int argc, char **argv, const char **ret_operands,
                     int operands, const char *operand_name);

#endif
