/* sink_client_uv.h: one connection to the test MX. Main thread, on the loop of sink_uv.c, which accepts them. */
#ifndef FL_SINK_CLIENT_UV_H
#define FL_SINK_CLIENT_UV_H

#include <uv.h>

#include "rand.h"
#include "sink.h"
#include "sink_record.h"
#include "sink_session.h"
#include "tls.h"

enum { SINK_READ_SIZE = 32 * 1024 };

struct sink_counts {
    uint64_t sessions, messages, recipients, bytes;
};

struct sink_client;

/* What all connections share. */
struct sink {
    uv_loop_t loop;
    const struct sink_options *options;
    struct sink_rules rules;
    struct sink_record record;
    struct rand dice;
    struct sink_counts counts;
    struct sink_client *clients;       /* all that are open */
    struct tls_engine *tls;            /* NULL: no TLS, or a broken one */
    struct tls_server server;
    char encrypted[SINK_READ_SIZE];    /* what was read last under TLS */
    int status;
};

/* Takes the connection that waits at the listener. */
void sink_client_accept(struct sink *k, uv_stream_t *listener);
/* Closes it, now; it frees itself once libuv lets go of its handles. */
void sink_client_close(struct sink_client *c);
/* Ends the loop with this status. */
void sink_end(struct sink *k, int status);

#endif
