/* order.h: commands that do something to mail: which mail (selectors), and the order to the daemon. Main thread. */
#ifndef FL_ORDER_H
#define FL_ORDER_H

#include "client.h"
#include "cmd_option.h"

enum { ORDER_QUEUE_MAX = 768 };

struct order_options {
    /* which mail */
    const char *tenant, *vmta, *domain, *state, *message, *job, *older;
    bool all;
    char queue[ORDER_QUEUE_MAX]; /* holds tenant, vmta and domain where they were said as a queue's name */
    /* what, and how */
    const char *to, *socket;
    bool dsn, refuse, dry_run, yes, wait, json;
};

#define ORDER_SELECTORS(o)                                                                                 \
    { "tenant", .text = &(o).tenant }, { "vmta", .text = &(o).vmta }, { "domain", .text = &(o).domain },   \
        { "state", .text = &(o).state }, { "message", .text = &(o).message }, { "job", .text = &(o).job }, \
        { "older", .text = &(o).older },                                                                   \
    {                                                                                                      \
        "all", .flag = &(o).all                                                                            \
    }
#define ORDER_OPTIONS(o)                                                                               \
    { "dry-run", .flag = &(o).dry_run }, { "wait", .flag = &(o).wait }, { "json", .flag = &(o).json }, \
    {                                                                                                  \
        "socket", .text = &(o).socket                                                                  \
    }

#define ORDER_SELECTORS_HELP                                                        \
    "Selectors; all that are said must match:\n"                                    \
    "  QUEUE            mail of this queue: tenant/vmta/domain\n"                   \
    "  --tenant T       mail of this tenant\n"                                      \
    "  --vmta V         that goes by this VMTA\n"                                   \
    "  --domain D       to this recipient domain; *.example.com: to any below it\n" \
    "  --state S        that is ready, waiting, held or suspended\n"                \
    "  --message ID     of one message\n"                                           \
    "  --job T/J        of one job\n"                                               \
    "  --older SPAN     accepted longer ago than this: 90m, 2d\n"                   \
    "  --all            all mail there is\n"
#define ORDER_OPTIONS_HELP                                                      \
    "  --dry-run        changes nothing, prints how many recipients match\n"    \
    "  --wait           returns when it is done for all of them\n"              \
    "  --json           prints {\"task\", \"matched\"} instead of the number\n" \
    "  --socket PATH    the daemon's control socket\n"

/* What the one operand of a command names. */
enum order_operand {
    ORDER_OF_QUEUE,  /* tenant/vmta/domain; may be left out where other selectors stand */
    ORDER_OF_JOB,
    ORDER_OF_TENANT,
    ORDER_OF_VMTA,
};

/* A whole command: reads options (whose values go into *o) and operand, sees whether they make sense, and does it: prints how many
 * recipients matched. A drop asks first unless o->yes. Returns an exit status; what is wrong was said. */
int order_main(const struct cmd_globals *globals, const struct cmd *cmd, const char *what, enum order_operand operand,
               struct order_options *o, const struct cmd_option *options, int argc, char **argv);

#endif
