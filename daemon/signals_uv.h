/* signals_uv.h: SIGTERM and SIGINT (stop), SIGHUP as callbacks on the loop. SIGPIPE is ignored for good. Loop
 * thread. */
#ifndef FL_SIGNALS_UV_H
#define FL_SIGNALS_UV_H

#include <uv.h>

struct signals;

/* NULL without memory. */
struct signals *signals_new(uv_loop_t *uv, void (*stop)(void *arg), void (*hangup)(void *arg), void *arg);
/* Memory goes once the loop has run the last uv_close callback. Takes NULL. */
void signals_free(struct signals *s);

#endif
