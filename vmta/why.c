/* why.c: see why.h. From the widest reason to the narrowest: hold, its own clock, the paths, a limit, recipients' clocks. */
#include "why.h"

#include "delivery.h"
#include "hold.h"
#include "reply.h"

static int span(struct buf *out, int64_t ms)
{
    char text[CLOCK_SPAN];

    clock_span(ms < SECOND_MS ? SECOND_MS : ms / SECOND_MS * SECOND_MS, text);
    return buf_add_text(out, text);
}

static void next_try(struct buf *out, int64_t ms)
{
    if (ms <= 0) {
        buf_add_text(out, "; tried again now");
        return;
    }
    buf_add_text(out, "; next try in ");
    span(out, ms);
}

static void held(const struct mta *m, const struct queue *q, struct buf *out)
{
    char since[CLOCK_RFC3339];

    if (q->held_by_conf && !q->hold) {
        if (!q->tenant)
            buf_printf(out, "held by config: the configuration has no tenant \"%.*s\"", SLICE_ARG(q->key.tenant));
        else
            buf_printf(out, "held by config: tenant \"%.*s\" has no VMTA \"%.*s\"", SLICE_ARG(q->key.tenant), SLICE_ARG(q->key.vmta));
        return;
    }
    clock_rfc3339(q->hold->since_ms, since);
    buf_printf(out, "held by %.*s since %.16sZ", SLICE_ARG(q->hold->who), since);
    if (q->hold->domain.n)
        buf_printf(out, " (domain %.*s)", SLICE_ARG(q->hold->domain));
    else if (q->hold->vmta.n)
        buf_printf(out, " (VMTA %.*s)", SLICE_ARG(q->hold->vmta));
    else if (q->hold->tenant.n)
        buf_printf(out, " (tenant %.*s)", SLICE_ARG(q->hold->tenant));
    else
        buf_add_text(out, " (all mail)");
}

static void reply(const struct last_reply *r, struct buf *out)
{
    if (r->code)
        buf_printf(out, "%d ", r->code);
    if (r->enhanced.n)
        buf_printf(out, "%.*s ", SLICE_ARG(r->enhanced));
    buf_printf(out, "%.*s", SLICE_ARG(r->text));
}

/* "the name servers of X did not answer", "MX a.test said to MAIL: 451 4.7.1 later", … */
static void said(const struct last_reply *r, struct buf *out)
{
    if (r->mx.n && r->code)
        buf_printf(out, "%.*s answered at %s: ", SLICE_ARG(r->mx), reply_stage_name(r->stage));
    else if (r->mx.n)
        buf_printf(out, "%.*s at %s: ", SLICE_ARG(r->mx), reply_stage_name(r->stage));
    else if (r->stage != STAGE_NONE)
        buf_printf(out, "%s: ", reply_stage_name(r->stage));
    reply(r, out);
}

static int targets_of(const struct queue *q)
{
    int n = 0;

    for (int i = 0; i < q->turn_count; i++)
        n += path_target_count(q->turns[i].path);
    return n;
}

/* Every path waits: which one opens first, and what it heard last. */
static void paths_wait(const struct mta *m, const struct queue *q, int64_t until, struct buf *out)
{
    const struct turn *t = &q->turns[0];
    const struct last_reply *r;
    int hosts = targets_of(q);

    for (int i = 1; i < q->turn_count; i++)
        if (q->turns[i].path->clock.until_ms < t->path->clock.until_ms)
            t = &q->turns[i];
    if (setback_waits(&t->path->clock, m->now->mono_ms)) {
        r = &t->path->last.reply;
        if (r->stage == STAGE_CONNECT || r->stage == STAGE_BANNER || r->stage == STAGE_EHLO)
            buf_printf(out, "%d of %d MX failed: ", hosts, hosts);
    } else {
        r = &t->share->lane->last.reply;
        buf_add_text(out, "TLS or log-in as this queue wants it failed: ");
    }
    said(r, out);
    next_try(out, until - m->now->mono_ms);
}

/* Which limit lets nothing more begin. */
static bool limit_binds(const struct mta *m, const struct queue *q, struct buf *out)
{
    for (int i = 0; i < q->turn_count; i++) {
        const struct turn *t = &q->turns[i];
        const struct path *p = t->path;
        const struct path_tenant *pt = t->share->tenant;
        const struct party *tenant = &q->tenant_state->party, *vmta = &q->vmta_state->party;
        int own = delivery_of(m->delivery, q).connections;

        if (!ceiling_has_room(&pt->cap))
            buf_printf(out, "%lld of %lld connections that the tenant may have to this site are in use", (long long)pt->cap.used,
                       (long long)pt->cap.max);
        else if (!ceiling_has_room(&tenant->ceiling))
            buf_printf(out, "%lld of %lld connections of the tenant are in use", (long long)tenant->ceiling.used,
                       (long long)tenant->ceiling.max);
        else if (p->open >= p->max_connections)
            buf_printf(out, "%d of %lld connections to this site in use%s", p->open, (long long)p->max_connections,
                       own == 0 ? " by other mail" : "");
        else if (!ceiling_has_room(&vmta->ceiling))
            buf_printf(out, "%lld of %lld connections of the VMTA are in use", (long long)vmta->ceiling.used,
                       (long long)vmta->ceiling.max);
        else if (!ceiling_has_room(&m->sched.total))
            buf_add_text(out, "all outgoing connections of the relay are in use");
        else if (p->rate_until_ms > m->now->mono_ms || t->share->blocked_until_ms > m->now->mono_ms)
            buf_add_text(out, "the message rate is used up for the moment");
        else if (p->open >= p->window && p->one_more_ms)
            buf_printf(out, "the site refused a further connection: %d in use", p->open);
        else if (p->open >= p->window)
            buf_printf(out, "%d of %lld connections open so far: more are opened as mail goes through", p->open, (long long)p->window);
        else
            continue;
        return true;
    }
    return false;
}

static void recipients_wait(const struct mta *m, const struct queue *q, struct buf *out)
{
    buf_printf(out, "%lld recipient%s wait%s", (long long)q->recipients, q->recipients == 1 ? "" : "s", q->recipients == 1 ? "s" : "");
    if (q->last.reply.time_ms) {
        buf_add_text(out, ": last ");
        said(&q->last.reply, out);
    }
    next_try(out, q->next_due_ms == NEVER_MS ? 0 : q->next_due_ms - m->now->wall_ms);
}

int why_text(const struct mta *m, const struct queue *q, struct buf *out)
{
    int64_t until;

    if (queue_is_held(q)) {
        held(m, q, out);
    } else if (q->recipients == 0) {
        buf_add_text(out, "empty");
    } else if (queue_is_put_aside(q)) {
        buf_printf(out, "held: %lld recipient%s, one by one or by a job", (long long)q->recipients, q->recipients == 1 ? "" : "s");
    } else if (!queue_is_due(q, m->now->wall_ms)) {
        said(&q->last.reply, out);
        next_try(out, q->next_attempt_ms - m->now->wall_ms);
    } else if (q->turn_count > 0 && !queue_has_open_path(q, m->now->mono_ms, &until)) {
        paths_wait(m, q, until, out);
    } else if (m->sched.stopped) {
        buf_add_text(out, m->shutting_down ? "the relay is shutting down" : "the store cannot commit: nothing is delivered meanwhile");
    } else if (q->resolve == RESOLVE_ASKING) {
        buf_add_text(out, "waiting for the name servers");
    } else if (q->ready_entries > 0) {
        if (!limit_binds(m, q, out))
            buf_add_text(out, q->sending > 0 ? "being delivered" : "about to be delivered");
    } else if (q->busy_rcpts > 0) {
        if (delivery_of(m->delivery, q).riding == 0 || !limit_binds(m, q, out))
            buf_add_text(out, "being delivered");
        if (queue_parked(q) > 0 && q->last.reply.time_ms) {
            buf_add_text(out, "; last ");
            said(&q->last.reply, out);
        }
    } else {
        recipients_wait(m, q, out);
    }
    return 0;
}

int64_t why_next_attempt(const struct mta *m, const struct queue *q)
{
    int64_t until;

    if (queue_is_held(q) || q->recipients == 0)
        return 0;
    if (!queue_is_due(q, m->now->wall_ms))
        return q->next_attempt_ms;
    if (q->turn_count > 0 && !queue_has_open_path(q, m->now->mono_ms, &until))
        return until == NEVER_MS ? 0 : m->now->wall_ms + until - m->now->mono_ms;
    if (queue_in_memory(q) > 0)
        return m->now->wall_ms;
    return q->next_due_ms == NEVER_MS || q->next_due_ms == HELD_DUE_MS ? 0 : q->next_due_ms;
}
