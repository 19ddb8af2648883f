/* quota.c: see quota.h. */
#include "quota.h"

#include <stdlib.h>
#include <uthash.h>

#include "limit.h"

/* Of a tenant by name, or of a network by its text: both outlive reloads. */
struct quota {
    char *name;
    struct bucket rate;
    int64_t pending_recipients, pending_bytes;
    UT_hash_handle hh;
};

struct quotas {
    struct quota *tenants, *networks;
};

struct quotas *quotas_new(void)
{
    return calloc(1, sizeof(struct quotas));
}

static void table_free(struct quota **table)
{
    struct quota *q, *next;

    HASH_ITER(hh, *table, q, next) {
        HASH_DELETE(hh, *table, q);
        free(q->name);
        free(q);
    }
}

void quotas_free(struct quotas *qs)
{
    if (!qs)
        return;
    table_free(&qs->tenants);
    table_free(&qs->networks);
    free(qs);
}

static struct quota *get(struct quota **table, struct slice name, struct rate rate, int64_t now_ms)
{
    struct quota *q;

    HASH_FIND(hh, *table, name.p, name.n, q);
    if (!q) {
        q = calloc(1, sizeof *q);
        if (q)
            q->name = slice_dup(name);
        if (!q || !q->name) {
            free(q);
            return NULL;
        }
        bucket_init(&q->rate, rate, now_ms);
        HASH_ADD_KEYPTR(hh, *table, q->name, name.n, q);
        if (!q->hh.tbl) {
            free(q->name);
            free(q);
            return NULL;
        }
    }
    bucket_set_rate(&q->rate, rate, now_ms);
    return q;
}

struct pair {
    struct quota *tenant, *network; /* network NULL: no rate there */
};

static bool find(struct quotas *qs, const struct quota_request *r, struct pair *ret)
{
    *ret = (struct pair){ get(&qs->tenants, slice_of(r->tenant->name), r->tenant->max_accept_rate, r->now_ms), NULL };
    if (r->source && !rate_is_unlimited(r->source->max_message_rate)) {
        char name[INET_ENDPOINT_TEXT];

        inet_net_text(&r->source->network, name);
        ret->network = get(&qs->networks, slice_of(name), r->source->max_message_rate, r->now_ms);
        if (!ret->network)
            return false;
    }
    return ret->tenant != NULL;
}

static bool passes(int64_t limit, int64_t queued, int64_t pending, int64_t more)
{
    return limit == INT64_MAX || queued + pending + more <= limit;
}

static enum quota_result judge(const struct pair *p, const struct quota_request *r)
{
    if (p->network && bucket_room(&p->network->rate, 1, r->now_ms) < 1)
        return QUOTA_SOURCE_RATE;
    if (bucket_room(&p->tenant->rate, 1, r->now_ms) < 1)
        return QUOTA_TENANT_RATE;
    if (!passes(r->tenant->max_queued_recipients, r->queued_recipients, p->tenant->pending_recipients, r->recipients))
        return QUOTA_RECIPIENTS;
    if (!passes(r->tenant->max_queued_bytes, r->queued_bytes, p->tenant->pending_bytes, r->bytes))
        return QUOTA_BYTES;
    return QUOTA_OK;
}

enum quota_result quota_peek(struct quotas *qs, const struct quota_request *r)
{
    struct pair p;

    return find(qs, r, &p) ? judge(&p, r) : QUOTA_NO_MEMORY;
}

enum quota_result quota_take(struct quotas *qs, const struct quota_request *r)
{
    enum quota_result result;
    struct pair p;

    if (!find(qs, r, &p))
        return QUOTA_NO_MEMORY;
    result = judge(&p, r);
    if (result != QUOTA_OK)
        return result;
    bucket_take(&p.tenant->rate, 1, r->now_ms);
    if (p.network)
        bucket_take(&p.network->rate, 1, r->now_ms);
    p.tenant->pending_recipients += r->recipients;
    p.tenant->pending_bytes += r->bytes;
    return QUOTA_OK;
}

void quota_done(struct quotas *qs, const struct quota_request *r, bool stored)
{
    struct pair p;

    if (!find(qs, r, &p))
        return;
    p.tenant->pending_recipients -= r->recipients;
    p.tenant->pending_bytes -= r->bytes;
    if (stored)
        return;
    bucket_give_back(&p.tenant->rate, 1);
    if (p.network)
        bucket_give_back(&p.network->rate, 1);
}
