/* run.c: `fairlead run`: the daemon, in the foreground. */
#include "cmd.h"

#include <stdio.h>

#include "daemon.h"
#include "load.h"

static void print_findings(const struct conf_findings *findings)
{
    struct buf line;

    buf_init(&line, 0);
    for (int i = 0; i < findings->count; i++) {
        buf_clear(&line);
        if (!findings->items[i].is_warning && conf_finding_text(&findings->items[i], &line) == 0)
            fwrite(buf_slice(&line).p, 1, buf_len(&line), stderr);
    }
    buf_free(&line);
}

static int run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct conf_findings findings;
    struct conf *conf = NULL;
    bool lost;
    int rc;

    if (argc > 1)
        return cmd_usage(&cmd_run, "unexpected '%s'", argv[1]);
    rc = conf_load(globals->config, &conf, &findings);
    print_findings(&findings); /* warnings go into the log */
    lost = findings.lost;
    conf_findings_free(&findings);
    if (rc == 0)
        rc = daemon_main(conf, globals->config);
    conf_unref(conf);
    if (rc == FL_ENOMEM || lost) /* there may have been none to say it in the log */
        fprintf(stderr, "fairlead: out of memory\n");
    return rc == 0 ? CMD_DONE : CMD_WRONG;
}

const struct cmd cmd_run = {
    .name = "run",
    .summary = "runs the daemon in the foreground",
    .help = "usage: fairlead [--config FILE] run\n\n"
            "Loads the configuration, binds its ports, becomes server.user, recovers what is stored, says `ready` in its log,\n"
            "and accepts and delivers mail until SIGTERM (a second one does not wait for server.shutdown_grace). SIGHUP reads\n"
            "the configuration again. Errors of the configuration are printed as `fairlead check` prints them; then the\n"
            "status is 1.\n\n"
            "Example:\n"
            "  fairlead --config /etc/fairlead/fairlead.yaml run\n",
    .run = run,
};
