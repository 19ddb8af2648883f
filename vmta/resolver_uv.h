/* resolver_uv.h: the resolver on libunbound: how a loop makes it. Loop thread; libunbound works on a thread of its own. */
#ifndef FL_RESOLVER_UV_H
#define FL_RESOLVER_UV_H

#include <uv.h>

#include "conf.h"
#include "err.h"
#include "resolver.h"
#include "timer.h"

/* Uses conf->dns (a reference is taken). uv and timers are borrowed for its life. FL_ENOMEM; FL_EIO when libunbound does not
 * start. */
int resolver_new(uv_loop_t *uv, struct timers *timers, struct conf *conf, struct resolver **ret, struct fl_err *err);
/* New servers, hosts and time-out: look-ups under way end as they began. An error leaves all as it was. */
int resolver_set_conf(struct resolver *r, struct conf *conf, struct fl_err *err);
/* Cancels what is left. Its memory goes once the loop has run the last uv_close callback. Takes NULL. */
void resolver_free(struct resolver *r);

#endif
