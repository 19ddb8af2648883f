/* admin_api.h: what operators ask and order over HTTP: the routes of /v1, /metrics, /healthz and /readyz, who may use them, and
 * their JSON. Loop thread. The daemon makes one over its relay and hands it to admin_http (admin_api_begin, _handle are its
 * callbacks, with the API as arg). Reads tokens and open paths from the relay's present configuration, so a reload needs no word. */
#ifndef FL_ADMIN_API_H
#define FL_ADMIN_API_H

#include "admin_http.h"
#include "clock.h"
#include "metrics.h"
#include "relay.h"

struct admin_api;

/* rc 0: the new configuration is in force. FL_EINVAL: it is bad; findings has "FILE:LINE:COLUMN: error: …\n" lines. */
typedef void admin_reloaded(void *done_arg, int rc, struct slice findings);

struct admin_ports {
    struct relay *relay;
    struct store *store;
    struct metrics *metrics;
    const struct now *now;
    const struct log *log;
    int64_t started_ms; /* wall */
    void *arg;          /* of the functions below; all of them must be there */
    bool (*is_ready)(void *arg);           /* every port listens and recovery is done */
    int64_t (*sessions_in)(void *arg);
    int64_t (*conf_loaded_ms)(void *arg);  /* wall: when the present configuration was taken */
    void (*reload)(void *arg, admin_reloaded *done, void *done_arg); /* done runs once, now or later */
    /* What an operator should know: one sentence each. Configuration warnings are added by the API itself. */
    void (*warnings)(void *arg, void (*visit)(void *visit_arg, const char *text), void *visit_arg);
};

/* ports is copied. NULL without memory. */
struct admin_api *admin_api_new(const struct admin_ports *ports);
/* After admin_http_free. Takes NULL. */
void admin_api_free(struct admin_api *api);
void admin_api_begin(void *api, struct admin_request *q);
void admin_api_handle(void *api, struct admin_request *q);

#endif
