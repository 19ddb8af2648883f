/* admin_http_uv.h: the operators' HTTP in a libuv loop: polls what admin_http_fds names, and wakes it when its time has come.
 * Loop thread. */
#ifndef FL_ADMIN_HTTP_UV_H
#define FL_ADMIN_HTTP_UV_H

#include <uv.h>

#include "admin_http.h"

struct admin_http_uv;

/* http is borrowed. */
int admin_http_uv_start(uv_loop_t *loop, struct admin_http *http, struct admin_http_uv **ret, struct fl_err *err);
/* After admin_http_add_tcp, _remove_tcp or an answer given outside of it: follows the listeners, and runs it once. */
void admin_http_uv_kick(struct admin_http_uv *u);
/* Before admin_http_close. Freed by the loop, which must turn once more. Takes NULL. */
void admin_http_uv_stop(struct admin_http_uv *u);

#endif
