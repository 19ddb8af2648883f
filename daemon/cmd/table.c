/* table.c: all sub-commands, in the order in which `fairlead help` lists them. To add one: its file, a line in cmd.h, a line here. */
#include "cmd.h"

#include <stddef.h>

const struct cmd *const cmd_table[] = {
    &cmd_check,
    &cmd_sink,
    &cmd_version,
    &cmd_help,
    NULL,
};
