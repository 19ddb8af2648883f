/* admin_call.h: one request on its way through the API: what was asked, decoded, and the ways to answer. Private to admin_*.c.
 * Loop thread. A call is made by admin_api.c and ends with its answer, by exactly one of the call_answer functions. */
#ifndef FL_ADMIN_CALL_H
#define FL_ADMIN_CALL_H

#include <jansson.h>

#include "admin_http.h"
#include "admin_ports.h"
#include "admin_query.h"
#include "relay_view.h"

struct admin_call {
    const struct admin_ports *ports;
    struct admin_request *q;
    struct arena *arena;
    struct admin_path path; /* "v1" is its first segment */
    struct admin_query query;
    struct slice who; /* the token's name; empty at the control socket, see call_who */
};

/* Each answers, frees the call, and is the last that is done with it. */
void call_answer_json(struct admin_call *c, int status, json_t *json); /* takes json; NULL: 500, no memory */
void call_answer_text(struct admin_call *c, const char *content_type, struct buf *body);
void call_answer_problem(struct admin_call *c, int status, struct slice detail);
void call_answer_error(struct admin_call *c, int rc, const char *text); /* an FL_E… code as the status that fits */

/* Who does it: the token's name, or the system user at the other end of the control socket. Lives as long as the call. */
struct slice call_who(struct admin_call *c);

/* The queue that the path names, its domain as queues have it, whatever case or alphabet was typed. NULL without memory. */
const char *call_queue_name(struct admin_call *c);

/* The routes, by the file that has them. GET: */
void call_queues(struct admin_call *c); /* admin_lists.c */
void call_queue(struct admin_call *c);
void call_jobs(struct admin_call *c);
void call_job(struct admin_call *c);
void call_tenants(struct admin_call *c);
void call_vmtas(struct admin_call *c);
void call_queue_messages(struct admin_call *c); /* admin_messages.c */
void call_message(struct admin_call *c);
void call_message_raw(struct admin_call *c);
void call_status(struct admin_call *c); /* admin_status.c */
void call_metrics(struct admin_call *c);
void call_healthz(struct admin_call *c);
void call_readyz(struct admin_call *c);
void call_task(struct admin_call *c); /* admin_orders.c */
/* POST: */
void call_actions(struct admin_call *c);
void call_explain(struct admin_call *c);
void call_reload(struct admin_call *c);
void call_drain(struct admin_call *c);

#endif
