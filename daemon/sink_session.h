/* sink_session.h: the server's side of one conversation with a test MX, which takes everything that its script does not refuse.
 * Pure; one thread at a time. A driver (cmd/sink_uv.c) puts what it reads into sink_session_room(), then pulls:
 *   sink_session_next() until SINK_WAIT -> send sink_session_output().
 * It is not the relay's server: it checks little, so that tests see what a client really sends. */
#ifndef FL_SINK_SESSION_H
#define FL_SINK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "rand.h"
#include "sink_script.h"
#include "slice.h"

enum {
    SINK_LINE_MAX = 64 * 1024,
    SINK_RECIPIENTS_MAX = 10000,
    SINK_MESSAGE_MAX = 256 * 1024 * 1024, /* what SIZE says; larger ones are read and refused */
};

struct sink_session;

struct sink_rules {
    const struct sink_script *script; /* borrowed, as hostname and dice */
    const char *hostname;             /* in the banner */
    struct rand *dice;
    bool offer_starttls;
    bool keep_content; /* else messages are counted only */
};

enum sink_action_type {
    SINK_WAIT,      /* nothing to do before more input, or sink_session_resume() */
    SINK_START_TLS, /* send the output, then shake hands, then sink_session_secured(); what else was read was dropped */
    SINK_MESSAGE,   /* one was taken: action.message, until the next call */
    SINK_PAUSE,     /* send the output; sink_session_resume() after action.ms */
    SINK_SLOW,      /* from now on read action.bytes_per_s */
    SINK_CLOSE,     /* send the output, then close */
    SINK_DROP,      /* close at once */
};

struct sink_message {
    struct slice ehlo; /* as said; empty when it was not */
    struct slice from;
    const struct slice *to;
    size_t to_count;
    struct slice content; /* as the sender meant it: dots unstuffed, the last CRLF included; empty unless kept */
    uint64_t size;        /* its octets, kept or not */
};

struct sink_action {
    enum sink_action_type type;
    int64_t ms;
    int64_t bytes_per_s;
    struct sink_message message;
};

/* client_ip is copied. NULL without memory. */
struct sink_session *sink_session_new(const struct sink_rules *rules, struct slice client_ip);
void sink_session_free(struct sink_session *s);

/* Room for at most n more octets of input at *ret (the caller writes there, then says how many). FL_ENOMEM, FL_ELIMIT. */
int sink_session_room(struct sink_session *s, size_t n, char **ret);
void sink_session_filled(struct sink_session *s, size_t n);
/* Whether it wants to read: false while paused, so that the peer feels it. */
bool sink_session_reads(const struct sink_session *s);

enum sink_action_type sink_session_next(struct sink_session *s, struct sink_action *ret);
/* All reply bytes since the last sink_session_sent(). Borrowed until the next call. */
struct slice sink_session_output(struct sink_session *s);
void sink_session_sent(struct sink_session *s, size_t n);

void sink_session_resume(struct sink_session *s);
/* The handshake is done: the client starts again with EHLO (RFC 3207 4.2). */
void sink_session_secured(struct sink_session *s);

#endif
