/* admission.h: from an accepted socket to a session: the PROXY header where one must come, the counts of access.h, and the
 * hand-over. Loop thread; the listeners call it, daemon.c makes one. */
#ifndef FL_ADMISSION_H
#define FL_ADMISSION_H

#include "access.h"
#include "conf.h"
#include "log.h"
#include "session.h"
#include "stream_uv.h"

struct admission;

struct admission_options { /* all borrowed */
    struct streams *streams;
    struct session_context *sessions; /* its `closed` must be admission_closed, its arg what admission_new gave */
    struct timers *timers;
    const struct now *now;
    const struct log *log;
};

enum { ADMISSION_PROXY_MS = 5000 }; /* for a PROXY header to come: the balancer is near */

/* NULL without memory. */
struct admission *admission_new(const struct admission_options *options);
/* After the sessions. Takes NULL. */
void admission_free(struct admission *a);
/* A connection on listener l of conf: fd is taken. */
void admission_take(struct admission *a, struct conf *conf, int fd, const struct inet_endpoint *peer,
                    const struct conf_listener *l);
/* session_context.closed. */
void admission_closed(void *admission, void *token);
/* Those that wait for their header are closed: at shutdown. */
void admission_shutdown(struct admission *a);
/* Connections that count, those that wait for a header among them. */
int64_t admission_count(const struct admission *a);

#endif
