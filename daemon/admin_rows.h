/* admin_rows.h: the relay's view rows as JSON objects: one function a kind, its fields in the order of the documentation.
 * Pure; loop thread. Each returns a new reference, or NULL without memory. */
#ifndef FL_ADMIN_ROWS_H
#define FL_ADMIN_ROWS_H

#include <jansson.h>

#include "relay_view.h"

json_t *admin_queue_row(const struct view_queue *q, int64_t now_ms);
/* `queue show`: the row with limits and the last protocol lines. */
json_t *admin_queue_details(const struct view_queue *q, const struct view_details *d, int64_t now_ms);
json_t *admin_message_row(const struct view_message *m);
/* `message show`: the object without its recipients and headers, and one recipient of it. */
json_t *admin_message_object(const struct envelope *env);
json_t *admin_recipient_row(const struct view_message *m);
/* An array of [name, value], unfolded, from a header block in wire form. */
json_t *admin_header_list(struct slice block);
json_t *admin_job_row(const struct view_job *j);
json_t *admin_vmta_row(const struct view_stream *s, int64_t now_ms);
json_t *admin_tenant_row(const struct view_stream *s, int64_t now_ms);
json_t *admin_task_row(const struct view_task *t);

#endif
