/* session.h: one client of ours: the driver between its stream, the SMTP server core (smtp_server.h), log-ins (auth.h) and the
 * one way in (ingest.h). Loop thread. daemon/listener_uv.c starts sessions once the PROXY header is read and access.c has its
 * say; they end by themselves.
 * A session outlives its connection while something it asked for is on its way (a spool file being closed, a log-in in the
 * pool). */
#ifndef FL_SESSION_H
#define FL_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "auth.h"
#include "auth_guard.h"
#include "clock.h"
#include "conf.h"
#include "log.h"
#include "relay.h"
#include "replies.h"
#include "stream.h"
#include "timer.h"

struct session;
LIST_HEAD(session_list, session);

/* One per loop; all pointers borrowed as long as sessions live. Zero it, fill in the ports, then session_context_init. */
struct session_context {
    struct relay *relay;             /* its conf, generation and drain are asked at each MAIL */
    struct store *store;             /* large content is spooled there */
    struct body_budget *budget;
    struct tls_server *tls;          /* NULL: no certificate, STARTTLS is not offered */
    struct auth *auth;
    struct auth_guard *auth_guard;
    struct timers *timers;
    const struct now *now;           /* kept up by the loop */
    const struct log *log;
    /* The connection is gone: its counts may be given back (access.h). token: of session_start. */
    void (*closed)(void *arg, void *token);
    void *arg;
    /* private to session.c */
    struct session_list sessions;    /* connected */
    int64_t count;
};

void session_context_init(struct session_context *cx);

/* Takes the stream (accepted, with its real peer set) and greets. listener: where it came in, copied as far as needed; its
 * `tls: implicit` shakes hands first. refusal: SAY_TOO_MANY_CONNECTIONS when the listener's counts are full, else SAYS; the
 * session itself looks at drain and auth_guard. token goes to closed(), exactly once, also when this fails. */
void session_start(struct session_context *cx, struct stream *stream, const struct conf_listener *listener,
                   enum smtp_say refusal, void *token);

/* Ends all sessions that have no message under way with 421, the others after their reply. At shutdown, after the listeners. */
void session_context_shutdown(struct session_context *cx);
/* Aborts what is left, without a word. */
void session_context_abort(struct session_context *cx);
int64_t session_count(const struct session_context *cx);

#endif
