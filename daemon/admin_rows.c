/* admin_rows.c: rows → JSON. Pure. */
#include "admin_rows.h"

#include "admin_json.h"
#include "clock.h"
#include "header.h"

json_t *admin_queue_row(const struct view_queue *q, int64_t now_ms)
{
    struct admin_object o = admin_object();

    admin_put(&o, "queue", admin_text(q->name));
    admin_put(&o, "tenant", admin_text(q->tenant));
    admin_put(&o, "vmta", admin_text(q->vmta));
    admin_put(&o, "domain", admin_text(q->domain));
    admin_put(&o, "state", json_string(view_state_name(q->state)));
    admin_put(&o, "messages", json_integer(q->messages));
    admin_put(&o, "recipients", json_integer(q->recipients));
    admin_put(&o, "bytes", json_integer(q->bytes));
    admin_put(&o, "oldest_s", admin_age_s(q->oldest_ms, now_ms));
    admin_put(&o, "next_attempt", admin_time(q->next_attempt_ms));
    admin_put(&o, "connections", json_integer(q->connections));
    admin_put(&o, "in_flight", json_integer(q->in_flight));
    admin_put(&o, "delivered_per_min", json_integer(q->delivered_per_min));
    admin_put(&o, "why", admin_text_or_null(q->why));
    admin_put(&o, "last_reply", admin_reply(&q->last_reply));
    return admin_object_end(&o);
}

/* FILE:LINE, or "built-in". */
static json_t *place(const struct conf_place *at)
{
    return at->line > 0 && at->file ? json_sprintf("%s:%d", at->file, at->line) : json_string("built-in");
}

static json_t *limit_row(const struct view_limit *l)
{
    struct admin_object o = admin_object();

    admin_put(&o, "name", admin_text(slice_of(l->name)));
    admin_put(&o, "used", admin_text_or_null(l->used));
    admin_put(&o, "limit", admin_text_or_null(l->limit));
    admin_put(&o, "at", place(&l->at));
    admin_put(&o, "binds", json_boolean(l->binds));
    return admin_object_end(&o);
}

static json_t *protocol_lines(struct slice protocol)
{
    json_t *lines = json_array();

    while (lines && protocol.n) {
        const char *lf = memchr(protocol.p, '\n', protocol.n);
        struct slice line = slice_head(protocol, lf ? (size_t)(lf - protocol.p) : protocol.n);

        if (json_array_append_new(lines, admin_text(line)) < 0) {
            json_decref(lines);
            return NULL;
        }
        protocol = slice_skip(protocol, line.n + 1);
    }
    return lines;
}

static json_t *without_tls_row(const struct view_without_tls *w)
{
    struct admin_object o = admin_object();
    char ip[INET_TEXT];

    inet_addr_text(&w->mx_ip, ip);
    admin_put(&o, "mx_ip", json_string(ip));
    admin_put(&o, "until", admin_time(w->until_ms));
    return admin_object_end(&o);
}

json_t *admin_queue_details(const struct view_queue *q, const struct view_details *d, int64_t now_ms)
{
    struct admin_object o = { admin_queue_row(q, now_ms), false };
    json_t *limits = json_array(), *without_tls = json_array();

    o.has_failed = !o.json;
    for (int i = 0; i < d->limit_count; i++)
        if (json_array_append_new(limits, limit_row(&d->limits[i])) < 0)
            o.has_failed = true;
    for (int i = 0; i < d->without_tls_count; i++)
        if (json_array_append_new(without_tls, without_tls_row(&d->without_tls[i])) < 0)
            o.has_failed = true;
    admin_put(&o, "limits", limits);
    admin_put(&o, "without_tls", without_tls);
    admin_put(&o, "protocol", protocol_lines(d->protocol));
    return admin_object_end(&o);
}

json_t *admin_message_row(const struct view_message *m)
{
    const struct envelope *e = m->env;
    struct admin_object o = admin_object();

    admin_put(&o, "message", admin_ulid(&e->id));
    admin_put(&o, "tenant", admin_text(e->tenant));
    admin_put(&o, "vmta", admin_text(m->rcpt->queue.vmta));
    admin_put(&o, "domain", admin_text(m->rcpt->queue.domain));
    admin_put(&o, "job", admin_text_or_null(e->job));
    admin_put(&o, "from", admin_text(e->reverse_path));
    admin_put(&o, "to", admin_text(m->rcpt->address));
    admin_put(&o, "state", json_string(view_state_name(m->state)));
    admin_put(&o, "attempts", json_integer(m->attempts));
    admin_put(&o, "next_attempt", admin_time(m->next_attempt_ms));
    admin_put(&o, "received", admin_time(e->received_ms));
    admin_put(&o, "expires", admin_time(e->expires_ms));
    admin_put(&o, "size", json_integer(e->size));
    admin_put(&o, "last_reply", admin_reply(&m->last_reply));
    return admin_object_end(&o);
}

json_t *admin_message_object(const struct envelope *e)
{
    static const char *const rets[] = { [RET_DEFAULT] = "", [RET_FULL] = "FULL", [RET_HDRS] = "HDRS" };
    struct admin_object o = admin_object();

    admin_put(&o, "message", admin_ulid(&e->id));
    admin_put(&o, "tenant", admin_text(e->tenant));
    admin_put(&o, "user", admin_text_or_null(e->user));
    admin_put(&o, "client_ip", admin_text_or_null(e->client_ip));
    admin_put(&o, "job", admin_text_or_null(e->job));
    admin_put(&o, "from", admin_text(e->reverse_path));
    admin_put(&o, "envid", admin_text_or_null(e->envid));
    admin_put(&o, "ret", admin_text_or_null(slice_of(rets[e->ret])));
    admin_put(&o, "size", json_integer(e->size));
    admin_put(&o, "received", admin_time(e->received_ms));
    admin_put(&o, "expires", admin_time(e->expires_ms));
    return admin_object_end(&o);
}

/* As in RCPT: "NEVER", or a list of SUCCESS, FAILURE, DELAY (RFC 3461 4.1); null when nothing was said. */
static json_t *notify_text(unsigned notify)
{
    char text[32] = "";

    if (notify == NOTIFY_DEFAULT)
        return json_null();
    if (notify & NOTIFY_NEVER)
        return json_string("NEVER");
    if (notify & NOTIFY_SUCCESS)
        strcat(text, ",SUCCESS");
    if (notify & NOTIFY_FAILURE)
        strcat(text, ",FAILURE");
    if (notify & NOTIFY_DELAY)
        strcat(text, ",DELAY");
    return json_string(text + (text[0] == ','));
}

json_t *admin_recipient_row(const struct view_message *m)
{
    struct admin_object o = admin_object();

    admin_put(&o, "to", admin_text(m->rcpt->address));
    admin_put(&o, "vmta", admin_text(m->rcpt->queue.vmta));
    admin_put(&o, "domain", admin_text(m->rcpt->queue.domain));
    admin_put(&o, "state", json_string(view_state_name(m->state)));
    admin_put(&o, "attempts", json_integer(m->attempts));
    admin_put(&o, "next_attempt", admin_time(m->next_attempt_ms));
    admin_put(&o, "last_reply", admin_reply(&m->last_reply));
    admin_put(&o, "notify", notify_text(m->rcpt->notify));
    admin_put(&o, "orcpt", admin_text_or_null(m->rcpt->orcpt));
    return admin_object_end(&o);
}

static json_t *header_pair(const struct header_field *f)
{
    char *value = malloc(f->value.n + 1);
    json_t *pair = value ? json_array() : NULL;
    size_t n;

    if (!pair) {
        free(value);
        return NULL;
    }
    n = header_unfold(f->value, value, f->value.n + 1);
    for (size_t i = 0; i < n; i++)
        if (value[i] == '\t')
            value[i] = ' '; /* white space like any other, but a control character */
    if (json_array_append_new(pair, admin_text(f->name)) < 0 ||
        json_array_append_new(pair, admin_text(slice_make(value, n))) < 0) {
        json_decref(pair);
        pair = NULL;
    }
    free(value);
    return pair;
}

json_t *admin_header_list(struct slice block)
{
    json_t *list = json_array();
    struct header_field f;

    while (list && header_next(&block, &f)) {
        if (json_array_append_new(list, header_pair(&f)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *admin_job_row(const struct view_job *j)
{
    struct admin_object o = admin_object();

    admin_put(&o, "tenant", admin_text(j->tenant));
    admin_put(&o, "job", admin_text(j->job));
    admin_put(&o, "ready", json_integer(j->ready));
    admin_put(&o, "waiting", json_integer(j->waiting));
    admin_put(&o, "held", json_integer(j->held));
    admin_put(&o, "delivered", json_integer(j->delivered));
    admin_put(&o, "bounced", json_integer(j->bounced));
    admin_put(&o, "expired", json_integer(j->expired));
    admin_put(&o, "dropped", json_integer(j->dropped));
    admin_put(&o, "bytes", json_integer(j->bytes));
    admin_put(&o, "first_accepted", admin_time(j->first_accepted_ms));
    admin_put(&o, "delivered_per_min", json_integer(j->delivered_per_min));
    admin_put(&o, "eta", admin_time(j->eta_ms));
    return admin_object_end(&o);
}

/* The fields that rows of VMTAs and tenants have in common. */
static void put_stream(struct admin_object *o, const struct view_stream *s, int64_t now_ms)
{
    admin_put(o, "state", json_string(s->held ? "held" : "active"));
    admin_put(o, "messages", json_integer(s->messages));
    admin_put(o, "recipients", json_integer(s->recipients));
    admin_put(o, "bytes", json_integer(s->bytes));
    admin_put(o, "oldest_s", admin_age_s(s->oldest_ms, now_ms));
    admin_put(o, "connections", json_integer(s->connections));
    admin_put(o, "delivered_per_min", json_integer(s->delivered_per_min));
    admin_put(o, "deferred_per_min", json_integer(s->deferred_per_min));
    admin_put(o, "bounced_per_min", json_integer(s->bounced_per_min));
    admin_put(o, "last_reply", admin_reply(&s->last_reply));
}

static json_t *source_list(const struct conf_vmta *v)
{
    json_t *list = json_array();

    for (int i = 0; v && list && i < v->source_count; i++) {
        char text[INET_TEXT];

        inet_addr_text(&v->sources[i], text);
        if (json_array_append_new(list, json_string(text)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *admin_vmta_row(const struct view_stream *s, int64_t now_ms)
{
    struct admin_object o = admin_object();

    admin_put(&o, "vmta", admin_text(s->name));
    admin_put(&o, "hostname", admin_text_or_null(slice_of(s->vmta ? s->vmta->hostname : NULL)));
    admin_put(&o, "sources", source_list(s->vmta));
    put_stream(&o, s, now_ms);
    return admin_object_end(&o);
}

static json_t *limit_or_null(int64_t limit)
{
    return limit == INT64_MAX ? json_null() : json_integer(limit);
}

static json_t *quota(const struct conf_tenant *t)
{
    struct admin_object o;
    char rate[UNITS_TEXT];

    if (!t)
        return json_null();
    o = admin_object();
    admin_put(&o, "recipients", limit_or_null(t->max_queued_recipients));
    admin_put(&o, "bytes", limit_or_null(t->max_queued_bytes));
    units_rate_text(t->max_accept_rate, rate);
    admin_put(&o, "max_accept_rate", rate_is_unlimited(t->max_accept_rate) ? json_null() : json_string(rate));
    return admin_object_end(&o);
}

json_t *admin_tenant_row(const struct view_stream *s, int64_t now_ms)
{
    struct admin_object o = admin_object();

    admin_put(&o, "tenant", admin_text(s->name));
    put_stream(&o, s, now_ms);
    admin_put(&o, "accepted_per_min", json_integer(s->accepted_per_min));
    admin_put(&o, "rejected_per_min", json_integer(s->rejected_per_min));
    admin_put(&o, "quota", quota(s->tenant));
    return admin_object_end(&o);
}

json_t *admin_task_row(const struct view_task *t)
{
    struct admin_object o = admin_object();

    admin_put(&o, "task", admin_ulid(&t->id));
    admin_put(&o, "do", json_string(action_name(t->kind)));
    admin_put(&o, "state", json_string(t->running ? "running" : "done"));
    admin_put(&o, "matched", json_integer(t->matched));
    admin_put(&o, "done", json_integer(t->done));
    admin_put(&o, "started", admin_time(t->started_ms));
    admin_put(&o, "ended", admin_time(t->ended_ms));
    return admin_object_end(&o);
}
