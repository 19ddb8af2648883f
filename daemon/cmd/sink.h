/* sink.h: a test MX: what `fairlead sink` was told on its command line, and the program that does it.
 * Main thread; cmd/sink.c fills it in, cmd/sink_uv.c runs it. */
#ifndef FL_SINK_H
#define FL_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "inet.h"
#include "sink_script.h"

enum sink_tls { SINK_TLS_OFF, SINK_TLS_ON, SINK_TLS_BROKEN };

enum { SINK_LISTENERS_MAX = 256 };

struct sink_options {
    struct inet_endpoint listen[SINK_LISTENERS_MAX];
    size_t listeners;
    struct sink_script script;
    const char *mbox; /* every message is appended to this file, or NULL */
    const char *eml;  /* every message becomes a file in this folder, or NULL */
    enum sink_tls tls;
    bool quiet; /* no line a message, but one line of counts at the end */
    bool human; /* lines for people instead of JSON */
};

/* Listens and answers until SIGTERM or SIGINT. Options are borrowed meanwhile. Returns an enum cmd_status. */
int sink_serve(const struct sink_options *options);

#endif
