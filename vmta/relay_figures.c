/* relay_figures.c: see relay_figures.h. */
#include "relay_figures.h"

static int bucket_of(uint64_t value, int first_bit)
{
    int i = 0;

    while (i < FIGURES_BUCKETS - 1 && value >= UINT64_C(1) << (i + first_bit))
        i++;
    return i;
}

void figures_accepted(struct figures *f, int64_t us)
{
    uint64_t v = us > 0 ? (uint64_t)us : 0;

    f->accept_us_bucket[bucket_of(v, 7)]++;
    f->accept_us_sum += v;
    f->accept_count++;
}

static void count_party(struct party *p, enum event_kind kind, uint32_t n, int64_t mono_ms)
{
    struct meter *m = kind == EVENT_DELIVERED  ? &p->delivered
                      : kind == EVENT_DEFERRED ? &p->deferred
                      : kind == EVENT_BOUNCED  ? &p->bounced
                      : kind == EVENT_ACCEPTED ? &p->accepted
                      : kind == EVENT_REJECTED ? &p->rejected
                                               : NULL;

    if (m)
        meter_add(m, n, mono_ms);
}

static void count_delivery(struct figures *f, const struct event *e)
{
    uint64_t v = e->queued_ms > 0 ? (uint64_t)e->queued_ms : 0;

    f->delivery_ms_bucket[bucket_of(v, 1)]++;
    f->delivery_ms_sum += v;
    f->delivery_count++;
}

void figures_event(struct mta *m, struct event *e, struct queue *q, int64_t n)
{
    e->id = ulid_next(&m->ids, m->now->wall_ms);
    e->time_ms = m->now->wall_ms;
    if (q) {
        q->counters->results[e->kind] += (uint64_t)n;
        count_party(&q->tenant_state->party, e->kind, (uint32_t)n, m->now->mono_ms);
        count_party(&q->vmta_state->party, e->kind, (uint32_t)n, m->now->mono_ms);
        if (e->kind == EVENT_DELIVERED)
            meter_add(&q->delivered, (uint32_t)n, m->now->mono_ms);
    } else if (e->tenant.n) {
        struct tenant_state *t = tenancy_tenant(&m->tenancy, e->tenant);

        if (t)
            count_party(&t->party, e->kind, (uint32_t)n, m->now->mono_ms);
    }
    if (e->kind == EVENT_DELIVERED)
        count_delivery(m->figures, e);
    m->event(m->arg, e);
}

void figures_path_deferred(struct mta *m, struct queue *q, const struct last_reply *why, int attempt)
{
    struct event e = {
        .kind = EVENT_PATH_DEFERRED, .tenant = q->key.tenant, .vmta = q->key.vmta, .queue = slice_of(q->name),
        .recipients = q->recipients, .stage = slice_of(reply_stage_name(why->stage)), .code = why->code,
        .enhanced = why->enhanced, .text = why->text, .mx = why->mx, .attempt = attempt, .queued_ms = -1, .delivery_ms = -1, .size = -1,
    };

    figures_event(m, &e, q, q->recipients);
}
