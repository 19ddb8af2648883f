/* sink.c: `fairlead sink`: the command line of the test MX. */
#include "sink.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "sink_moods.h"

#define SINK_LISTEN_DEFAULT "127.0.0.1:2526"

static int add_listener(struct sink_options *o, const char *text)
{
    if (o->listeners == SINK_LISTENERS_MAX)
        return cmd_usage(&cmd_sink, "more than %d listeners", SINK_LISTENERS_MAX);
    if (!inet_endpoint_parse(slice_of(text), &o->listen[o->listeners]))
        return cmd_usage(&cmd_sink, "--listen: '%s' is no address and port, such as 127.0.0.1:2526 or [::1]:2526", text);
    o->listeners++;
    return CMD_DONE;
}

static int set_tls(struct sink_options *o, const char *text)
{
    static const char *const names[] = { [SINK_TLS_OFF] = "off", [SINK_TLS_ON] = "on", [SINK_TLS_BROKEN] = "broken" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            o->tls = (enum sink_tls)i;
            return CMD_DONE;
        }
    }
    return cmd_usage(&cmd_sink, "--tls: '%s' is none of on, off, broken", text);
}

/* The options into *o, and the script's file name into *ret_script. */
static int parse_options(int argc, char **argv, struct sink_options *o, const char **ret_script)
{
    static const struct option options[] = {
        { "listen", required_argument, NULL, 'l' }, { "script", required_argument, NULL, 's' },
        { "mbox", required_argument, NULL, 'm' },   { "eml", required_argument, NULL, 'e' },
        { "tls", required_argument, NULL, 't' },    { "quiet", no_argument, NULL, 'q' },
        { "human", no_argument, NULL, 'h' },        { 0 },
    };
    int c, status = CMD_DONE;

    opterr = 0;
    while (status == CMD_DONE && (c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (c) {
        case 'l':
            status = add_listener(o, optarg);
            break;
        case 's':
            *ret_script = optarg;
            break;
        case 'm':
            o->mbox = optarg;
            break;
        case 'e':
            o->eml = optarg;
            break;
        case 't':
            status = set_tls(o, optarg);
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'h':
            o->human = true;
            break;
        case ':':
            return cmd_usage(&cmd_sink, "%s needs a value", argv[optind - 1]);
        default:
            return cmd_usage(&cmd_sink, "unknown option '%s'", argv[optind - 1]);
        }
    }
    if (status == CMD_DONE && optind < argc)
        status = cmd_usage(&cmd_sink, "unexpected '%s'", argv[optind]);
    if (status == CMD_DONE && !o->listeners)
        status = add_listener(o, SINK_LISTEN_DEFAULT);
    return status;
}

static int read_moods(const char *file, struct sink_script *ret)
{
    struct conf_findings findings = { 0 };
    struct buf text;
    int rc = sink_moods_read(file, ret, &findings);

    buf_init(&text, 0);
    for (int i = 0; i < findings.count; i++)
        conf_finding_text(&findings.items[i], &text);
    if (buf_len(&text))
        fwrite(buf_slice(&text).p, 1, buf_len(&text), stderr);
    if (rc < 0 && !findings.count)
        fprintf(stderr, "fairlead sink: %s: out of memory\n", file);
    buf_free(&text);
    conf_findings_free(&findings);
    return rc < 0 ? CMD_WRONG : CMD_DONE;
}

static int sink_run(const struct cmd_globals *globals, int argc, char **argv)
{
    struct sink_options o = { .tls = SINK_TLS_OFF };
    const char *script = NULL;
    int status = parse_options(argc, argv, &o, &script);

    if (status == CMD_DONE && script)
        status = read_moods(script, &o.script);
    if (status == CMD_DONE)
        status = sink_serve(&o);
    sink_script_free(&o.script);
    return status;
}

const struct cmd cmd_sink = {
    .name = "sink",
    .summary = "a test MX with moods: takes mail, tells what it saw",
    .help = "usage: fairlead sink [--listen A:P]... [--script FILE] [--mbox FILE] [--eml DIR] [--tls on|off|broken]\n"
            "                     [--quiet | --human]\n\n"
            "Takes every message that its script does not refuse, and prints one JSON line a message:\n"
            "time client_ip ehlo tls from to[] size sha256. Ends at SIGTERM or Ctrl-C.\n\n"
            "  --listen A:P   listens there; any number of times (default " SINK_LISTEN_DEFAULT ")\n"
            "  --script FILE  moods in YAML, the first that matches wins:\n"
            "                 - {at: connect|ehlo|starttls|mail|rcpt|data|dot, match: '/re/', share: 10%,\n"
            "                    do: \"451 4.7.1 text\" | drop | {delay: 5s} | {rate: 10B/s}}\n"
            "                 match is compared with the client's address (connect), its EHLO name (ehlo, starttls), the\n"
            "                 address without brackets (mail, rcpt), sender and recipients (data), and those and the\n"
            "                 content (dot)\n"
            "  --mbox FILE    appends every message to an mbox\n"
            "  --eml DIR      writes every message to a file of its own\n"
            "  --tls WHAT     on: offers STARTTLS with a certificate made at the start; broken: offers it, and the\n"
            "                 handshake fails; off (the default)\n"
            "  --quiet        no line a message, only counts at the end: for benchmarks\n"
            "  --human        a line for people instead of JSON\n\n"
            "Example:\n"
            "  fairlead sink --listen 127.0.0.1:2526 --tls on --script moods.yaml\n",
    .run = sink_run,
};
