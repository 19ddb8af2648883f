/* admin_api.h: what operators ask and order over HTTP: the routes of /v1, /metrics, /healthz and /readyz, who may use them, and
 * their JSON. Loop thread. The daemon makes one over its relay and hands it to admin_http (admin_api_begin, _handle are its
 * callbacks, with the API as arg). Reads tokens and open paths from the relay's present configuration, so a reload needs no
 * word. */
#ifndef FL_ADMIN_API_H
#define FL_ADMIN_API_H

#include "admin_http.h"
#include "admin_ports.h"

struct admin_api;

/* ports is copied. NULL without memory. */
struct admin_api *admin_api_new(const struct admin_ports *ports);
/* After admin_http_free. Takes NULL. */
void admin_api_free(struct admin_api *api);
void admin_api_begin(void *api, struct admin_request *q);
void admin_api_handle(void *api, struct admin_request *q);

#endif
