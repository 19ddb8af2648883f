/* admin_http_uv.h: the operators' HTTP in a libuv loop: polls what admin_http_fds names, and wakes it when its time has come.
 * Loop thread. */
#ifndef FL_ADMIN_HTTP_UV_H
#define FL_ADMIN_HTTP_UV_H

#include <uv.h>

#include "admin_http.h"

struct admin_http_uv;

/* http is borrowed. */
int admin_http_uv_start(uv_loop_t *loop, struct admin_http *http, struct admin_http_uv **ret, struct fl_err *err);
/* While it runs, for a reload that changed admin.http: listens on this endpoint instead of the present one (NULL: on none).
 * When the new one cannot be had, there is none. */
int admin_http_uv_set_tcp(struct admin_http_uv *u, const struct inet_endpoint *endpoint, struct fl_err *err);
/* Before admin_http_close. Freed by the loop, which must turn once more. Takes NULL. */
void admin_http_uv_stop(struct admin_http_uv *u);

#endif
