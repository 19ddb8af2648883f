/* check.c: `fairlead check`: all errors and warnings of a configuration, before a daemon meets them. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "finding.h"
#include "load.h"
#include "network.h"
#include "schema.h"

static int print_reference(void)
{
    struct buf out;
    int rc;

    buf_init(&out, 0);
    rc = schema_reference(&out);
    if (rc == 0)
        fwrite(buf_slice(&out).p, 1, buf_len(&out), stdout);
    buf_free(&out);
    return rc == 0 ? CMD_DONE : CMD_WRONG;
}

static void print_findings(const struct conf_findings *findings)
{
    struct buf line;

    buf_init(&line, 0);
    for (int i = 0; i < findings->count; i++) {
        buf_clear(&line);
        if (conf_finding_text(&findings->items[i], &line) == 0)
            fwrite(buf_slice(&line).p, 1, buf_len(&line), stderr);
    }
    buf_free(&line);
}

static int check(const char *file, bool network)
{
    struct conf_findings findings;
    struct conf *conf = NULL;
    int rc = conf_load(file, &conf, &findings);

    if (rc == 0 && network) {
        network_try(conf, &findings);
        findings_sort(&findings, file);
    }
    print_findings(&findings);
    if (rc == FL_ENOMEM || findings.lost)
        fprintf(stderr, "fairlead: out of memory\n");
    if (findings.errors > 0 || findings.lost)
        rc = FL_EINVAL;
    conf_findings_free(&findings);
    conf_unref(conf);
    return rc == 0 ? CMD_DONE : CMD_WRONG;
}

static int check_run(const struct cmd_globals *globals, int argc, char **argv)
{
    bool network = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--network") == 0)
            network = true;
        else if (strcmp(argv[i], "--reference") == 0)
            return print_reference();
        else
            return cmd_usage(&cmd_check, "unexpected '%s'", argv[i]);
    }
    return check(globals->config, network);
}

const struct cmd cmd_check = {
    .name = "check",
    .summary = "finds all errors and warnings of a configuration",
    .help = "usage: fairlead [--config FILE] check [--network]\n\n"
            "Prints every error and warning of FILE and of what it includes on stderr, as FILE:LINE:COLUMN: error: text.\n"
            "Ends with 0 when there are no errors, warnings or not, else with 1.\n\n"
            "  --network    also tries whether this machine has the source addresses, and looks up the EHLO names\n"
            "  --reference  prints the documentation of every key on stdout instead, as Markdown\n\n"
            "Example:\n"
            "  fairlead --config /etc/fairlead/fairlead.yaml check --network\n",
    .run = check_run,
};
