/* listener_uv.h: the ports that clients connect to: bound from the configuration, accepted from in batches, opened and closed
 * by a reload. Loop thread; daemon.c makes one set, admission.c takes what is accepted. */
#ifndef FL_LISTENER_UV_H
#define FL_LISTENER_UV_H

#include <uv.h>

#include "activation.h"
#include "conf.h"
#include "err.h"
#include "log.h"
#include "timer.h"

struct listeners;

struct listeners_options {
    uv_loop_t *uv;         /* these three borrowed for its life */
    struct timers *timers;
    const struct log *log;
    struct activation *activation; /* borrowed; may be NULL */
    /* A connection: fd is non-blocking, close-on-exec, with TCP_NODELAY, and given; l is in the present configuration. */
    void (*accepted)(void *arg, int fd, const struct inet_endpoint *peer, const struct conf_listener *l);
    void *arg;
};

int listeners_new(const struct listeners_options *options, struct listeners **ret, struct fl_err *err);
/* Binds (or takes from systemd) and listens on what conf has and is not bound yet, and closes what it has no more; a reference of conf is taken.
 * Nothing is accepted before listeners_start. On an error (address and reason in the text) all is as it was. */
int listeners_set_conf(struct listeners *ls, struct conf *conf, struct fl_err *err);
void listeners_start(struct listeners *ls);
/* Closes all ports; what was accepted stays. */
void listeners_close(struct listeners *ls);
/* Memory goes once the loop has run the last uv_close callback. Takes NULL. */
void listeners_free(struct listeners *ls);
int listeners_count(const struct listeners *ls);

#endif
