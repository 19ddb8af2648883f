/* cmd_option.c: see cmd_option.h. Main thread. */
#include "cmd_option.h"

#include <string.h>

static const struct cmd_option *find(const struct cmd_option *options, const char *name, size_t n)
{
    for (; options->name; options++)
        if (strlen(options->name) == n && memcmp(options->name, name, n) == 0)
            return options;
    return NULL;
}

static int set_flag(const struct cmd *cmd, const struct cmd_option *o, const char *value)
{
    if (value)
        return cmd_usage(cmd, "--%s takes no value", o->name);
    *o->flag = true;
    return CMD_DONE;
}

static int set_value(const struct cmd *cmd, const struct cmd_option *o, const char *value)
{
    if (o->text) {
        if (*o->text)
            return cmd_usage(cmd, "--%s stands twice", o->name);
        if (!*value && !o->may_be_empty)
            return cmd_usage(cmd, "--%s: its value is empty", o->name);
        *o->text = value;
        return CMD_DONE;
    }
    if (o->list->count == CMD_OPTION_LIST_MAX)
        return cmd_usage(cmd, "--%s more than %d times", o->name, CMD_OPTION_LIST_MAX);
    o->list->item[o->list->count++] = value;
    return CMD_DONE;
}

/* Reads the option at argv[*i], its value included. */
static int take_option(const struct cmd *cmd, const struct cmd_option *options, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(argv[*i], '='), *value = equals ? equals + 1 : NULL;
    const struct cmd_option *o = NULL;

    if (argv[*i][1] == '-')
        o = find(options, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!o)
        return cmd_usage(cmd, "unknown option '%s'", argv[*i]);
    if (o->flag)
        return set_flag(cmd, o, value);
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    return value ? set_value(cmd, o, value) : cmd_usage(cmd, "--%s needs a value", o->name);
}

int cmd_option_parse(const struct cmd *cmd, const struct cmd_option *options, int argc, char **argv, const char **ret_operands,
                     int operands, const char *operand_name)
{
    bool only_operands = false;
    int count = 0;

    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            int status = take_option(cmd, options, argc, argv, &i);

            if (status != CMD_DONE)
                return status;
        } else if (count == operands) {
            return cmd_usage(cmd, "unexpected '%s'", argv[i]);
        } else {
            ret_operands[count++] = argv[i];
        }
    }
    return count == operands || !operand_name ? CMD_DONE : cmd_usage(cmd, "%s is missing", operand_name);
}
