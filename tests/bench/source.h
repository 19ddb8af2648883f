/* source.h: a load generator: what it was told, what it counts, and one of its sessions.
 * smtp-source knows neither TLS nor AUTH, and sends the same envelope each time; this one fills those gaps. One thread. */
#ifndef FL_SOURCE_H
#define FL_SOURCE_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum source_tls { SOURCE_PLAIN, SOURCE_STARTTLS, SOURCE_IMPLICIT };

enum { SOURCE_RECIPIENTS_MAX = 1000, SOURCE_LINE_MAX = 1024 };

struct source_options {
    struct sockaddr_in to;
    int sessions;
    uint64_t messages;       /* in all */
    uint64_t per_connection; /* messages, then QUIT and a new connection; 0: one connection for all */
    size_t size;             /* octets of content */
    int recipients;          /* a message */
    uint64_t domains;        /* recipient domains d0.test, d1.test, … in turn */
    int vmtas;               /* > 0: X-Fairlead-VMTA: v0, v1, … in turn */
    const char *vmta_prefix; /* before the number */
    const char *ledger;      /* a file for the numbers of accepted messages, or NULL */
    int64_t patience_us;     /* > 0: a connection that fails is made again after a pause, for so long without any success */
    double rate;             /* messages a second over all sessions, each at its own moment, whatever became of those before; 0: as
                              * fast as it goes */
    uint64_t users;          /* > 0: each connection logs in as USER0, USER1, … in turn, and names PREFIX<user>-<number> */
    const char *job;         /* X-Fairlead-Job, or NULL */
    bool waits;              /* all sessions log in, and send nothing before the end of stdin */
    enum source_tls tls;
    bool pipelining; /* MAIL, RCPT and DATA in one write, and with the final dot of the message before */
    bool verp;       /* a reverse-path of its own for each message */
    const char *user, *password; /* AUTH PLAIN, or NULL */
    const char *from_domain;
};

/* What all sessions share. */
struct source {
    const struct source_options *options;
    SSL_CTX *tls;
    char *content; /* with the final dot */
    size_t content_size;
    uint64_t begun, accepted, refused, failed_connections, connections, ready;
    bool released;   /* stdin ended, or nothing waits for it */
    int64_t began_us; /* the first message */
    int64_t success_us;   /* the last accepted message, or the start */
    FILE *ledger;
    uint32_t *latency_us; /* one for each accepted message: final dot written to 250 read; with a rate, and what the message was late
                           * in beginning, so that a stall counts for all that it held up */
};

struct source_session;

/* Begins to connect. NULL when it cannot; errno says why. */
struct source_session *source_session_new(struct source *s);
void source_session_free(struct source_session *x);
int source_session_fd(const struct source_session *x);
/* EPOLLIN and EPOLLOUT as it wants them. */
uint32_t source_session_events(const struct source_session *x);
/* Whether it waits for the rate to let one more message go. */
bool source_session_is_idle(const struct source_session *x);
/* Goes on after an event, or when the rate lets one more message go. False: it ended. */
bool source_session_go(struct source_session *x);

int64_t source_now_us(void);
/* Whether the rate lets one more message begin; counts it when it does, and says how late it is for its moment. */
bool source_may_begin(struct source *s, uint64_t *ret_number, int64_t *ret_late_us);

#endif
