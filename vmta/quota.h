/* quota.h: what a tenant, and a network of clients, may hand in: rates of messages, recipients and bytes in the queue. Checked and
 * counted in one step at acceptance; what is under way to the store counts already, and is given back when it fails.
 * Pure; loop thread. */
#ifndef FL_QUOTA_H
#define FL_QUOTA_H

#include "conf.h"
#include "inet.h"

struct quotas;

enum quota_result {
    QUOTA_OK,
    QUOTA_SOURCE_RATE,  /* sources: max_message_rate */
    QUOTA_TENANT_RATE,  /* max_accept_rate */
    QUOTA_RECIPIENTS,   /* max_queued.recipients */
    QUOTA_BYTES,        /* max_queued.bytes */
    QUOTA_NO_MEMORY,
};

struct quota_request {
    const struct conf_tenant *tenant;
    const struct conf_source *source;   /* NULL: made by ourselves, no rate of a source */
    int64_t recipients, bytes;          /* of this message */
    int64_t queued_recipients, queued_bytes; /* durable, of the tenant */
    int64_t now_ms;                     /* mono */
};

struct quotas *quotas_new(void);
void quotas_free(struct quotas *qs);
/* Takes all or nothing. */
enum quota_result quota_take(struct quotas *qs, const struct quota_request *r);
/* Whether it would be taken now; takes nothing. */
enum quota_result quota_peek(struct quotas *qs, const struct quota_request *r);
/* The message is durable (and counted in the queue) or it is not: what was taken as pending is given back; rates only when not. */
void quota_done(struct quotas *qs, const struct quota_request *r, bool stored);

#endif
