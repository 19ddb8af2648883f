/* ingest.c: see ingest.h. */
#include "ingest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "address.h"
#include "clock.h"
#include "event.h"
#include "header.h"
#include "ingest_parts.h"
#include "received.h"
#include "route.h"

enum {
    SPOOL_AFTER = 1 << 20,
    SPOOL_AFTER_HALF_FULL = 64 << 10,
    SPOOL_AFTER_FULL = 16 << 10,
    REMOVED_MAX = 64, /* header names removed from one message */
};

/* A message between its final dot and the answer of the store. */
struct intaking {
    struct ingest *ingest;
    struct intaking *next, **prev; /* ingest->under_way */
    struct envelope *env;          /* a reference */
    struct conf *conf;             /* a reference: the request's tenant and source point into it */
    struct quota_request quota;
    bool fresh;
    int64_t dot_ms;
    ingest_done *done;             /* NULL: the session is gone */
    void *arg;
};

struct ingest *ingest_new(const struct ingest_ports *ports, struct conf *conf)
{
    struct ingest *in = calloc(1, sizeof *in);

    if (!in)
        return NULL;
    in->ports = *ports;
    in->ids.rand = ports->rand;
    in->conf = conf_ref(conf);
    in->quotas = quotas_new();
    if (!in->quotas) {
        ingest_free(in);
        return NULL;
    }
    return in;
}

void ingest_set_conf(struct ingest *in, struct conf *conf)
{
    struct conf *before = in->conf;

    in->conf = conf_ref(conf);
    conf_unref(before);
}

static void intaking_free(struct intaking *t)
{
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    envelope_unref(t->env);
    conf_unref(t->conf);
    free(t);
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    while (in->under_way)
        intaking_free(in->under_way);
    quotas_free(in->quotas);
    conf_unref(in->conf);
    free(in);
}

/* ---------------------------------------------------------------- refusals */
static const struct refused {
    const char *reason; /* for the metric */
    int code;
    const char *enhanced, *text;
} refusals[] = {
    { "draining", 421, "4.3.2", "This server is being drained: try again later" },
    { "held", 450, "4.7.1", "Mail of this tenant is held" },
    { "store_full", 452, "4.3.1", "Insufficient system storage" },
    { "store_failed", 451, "4.3.0", "The queue cannot be written at the moment" },
    { "memory", 451, "4.3.0", "Out of memory" },
    { "size", 552, "5.3.4", "The message is larger than is taken here" },
    { "sender", 550, "5.7.1", "This sender address is not one of yours" },
    { "from", 550, "5.7.1", "The From: address is not one of yours" },
    { "from", 550, "5.6.0", "From: is not one field with addresses" },
    { "header", 552, "5.3.4", "The header is too large" },
    { "loop", 554, "5.4.6", "Too many hops: this message runs in a loop" },
    { "recipient", 550, "5.1.2", "Address literals are not delivered to" },
    { "relay", 550, "5.7.1", "Relaying denied" },
    { "rate", 452, "4.4.5", "Your network sends too fast: try again later" },
    { "rate", 452, "4.4.5", "This tenant sends too fast: try again later" },
    { "quota", 452, "4.4.5", "This tenant has too many recipients in the queue" },
    { "quota", 452, "4.4.5", "This tenant has too many bytes in the queue" },
};

enum refusal_index {
    NO_DRAINING, NO_HELD, NO_STORE_FULL, NO_STORE_FAILED, NO_MEMORY, NO_SIZE, NO_SENDER, NO_FROM, NO_FROM_FORM, NO_HEADER, NO_LOOP,
    NO_LITERAL, NO_RELAY, NO_SOURCE_RATE, NO_TENANT_RATE, NO_RECIPIENTS, NO_BYTES,
};

static const char *set_refusal(enum refusal_index i, struct ingest_reply *ret)
{
    const struct refused *r = &refusals[i];

    ret->code = r->code;
    snprintf(ret->enhanced, sizeof ret->enhanced, "%s", r->enhanced);
    snprintf(ret->text, sizeof ret->text, "%s", r->text);
    return r->reason;
}

void ingest_rejected(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice rcpt,
                     const char *reason, const struct ingest_reply *reply)
{
    char client[INET_TEXT] = "";
    struct event e = {
        .kind = EVENT_REJECTED, .from = reverse_path, .has_from = true, .to = rcpt, .code = reply->code,
        .enhanced = slice_of(reply->enhanced), .text = slice_of(reply->text), .reason = reason, .queued_ms = -1,
        .delivery_ms = -1, .size = -1, .recipients = -1,
    };

    if (o->tenant)
        e.tenant = slice_of(o->tenant->name);
    if (o->user)
        e.user = slice_of(o->user->name);
    if (o->client.family) {
        inet_addr_text(&o->client, client);
        e.client_ip = slice_of(client);
    }
    in->ports.event(in->ports.arg, &e);
}

static bool refuse(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice rcpt,
                   enum refusal_index i, struct ingest_reply *ret)
{
    const char *reason = set_refusal(i, ret);

    ingest_rejected(in, o, reverse_path, rcpt, reason, ret);
    return false;
}

static enum refusal_index refusal_of_quota(enum quota_result r)
{
    switch (r) {
    case QUOTA_SOURCE_RATE: return NO_SOURCE_RATE;
    case QUOTA_TENANT_RATE: return NO_TENANT_RATE;
    case QUOTA_RECIPIENTS: return NO_RECIPIENTS;
    case QUOTA_BYTES: return NO_BYTES;
    default: return NO_MEMORY;
    }
}

/* ---------------------------------------------------------------- early checks */
static int64_t size_limit(const struct ingest_origin *o)
{
    int64_t limit = o->source->max_message_size;

    return o->tenant && o->tenant->max_message_size < limit ? o->tenant->max_message_size : limit;
}

static bool may_send_as(const struct ingest_origin *o, struct slice domain)
{
    return o->is_stranger || tenant_may_send_as(o->tenant, domain);
}

static struct quota_request quota_of(struct ingest *in, const struct ingest_origin *o, int64_t recipients, int64_t bytes)
{
    struct quota_request q = {
        .tenant = o->tenant, .source = o->source, .recipients = recipients, .bytes = bytes, .now_ms = in->ports.now->mono_ms,
    };

    in->ports.tenant_queued(in->ports.arg, o->tenant, &q.queued_recipients, &q.queued_bytes);
    return q;
}

bool ingest_check_mail(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice domain,
                       int64_t declared_size, struct ingest_reply *ret)
{
    enum store_health health = store_health(in->ports.store);
    struct quota_request quota = quota_of(in, o, 1, declared_size > 0 ? declared_size : 0);
    enum quota_result q;

    if (in->ports.is_draining(in->ports.arg))
        return refuse(in, o, reverse_path, SLICE_NONE, NO_DRAINING, ret);
    if (in->ports.is_refused(in->ports.arg, o->tenant))
        return refuse(in, o, reverse_path, SLICE_NONE, NO_HELD, ret);
    if (health != STORE_OK)
        return refuse(in, o, reverse_path, SLICE_NONE, health == STORE_FULL ? NO_STORE_FULL : NO_STORE_FAILED, ret);
    if (declared_size > size_limit(o))
        return refuse(in, o, reverse_path, SLICE_NONE, NO_SIZE, ret);
    if (reverse_path.n && !may_send_as(o, domain))
        return refuse(in, o, reverse_path, SLICE_NONE, NO_SENDER, ret);
    q = quota_peek(in->quotas, &quota);
    if (q != QUOTA_OK)
        return refuse(in, o, reverse_path, SLICE_NONE, refusal_of_quota(q), ret);
    return true;
}

/* postmaster at our own name goes on to server.postmaster (RFC 5321 4.5.1). */
static bool is_own_postmaster(const struct conf *c, const struct ingest_rcpt *r)
{
    return slice_starts_nocase(r->address, SLICE("postmaster@")) && slice_eq_nocase(r->domain, slice_of(c->server.hostname));
}

bool ingest_check_rcpt(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, const struct ingest_rcpt *rcpt,
                       struct ingest_reply *ret)
{
    struct quota_request quota = quota_of(in, o, 1, 0);
    enum quota_result q;

    if (rcpt->domain.n && rcpt->domain.p[0] == '[')
        return refuse(in, o, reverse_path, rcpt->address, NO_LITERAL, ret);
    if (o->is_stranger && !is_own_postmaster(o->conf, rcpt) && !conf_is_relay_recipient(o->conf, rcpt->address, rcpt->domain))
        return refuse(in, o, reverse_path, rcpt->address, NO_RELAY, ret);
    quota.source = NULL; /* rates count messages, and were asked at MAIL */
    q = quota_peek(in->quotas, &quota);
    if (q == QUOTA_RECIPIENTS || q == QUOTA_BYTES)
        return refuse(in, o, reverse_path, rcpt->address, refusal_of_quota(q), ret);
    return true;
}

bool ingest_must_wait(const struct ingest *in)
{
    return in->ports.budget->used > in->conf->server.memory_bodies;
}

int64_t ingest_spool_after(const struct ingest *in)
{
    int64_t used = in->ports.budget->used, limit = in->conf->server.memory_bodies;

    return used > limit ? SPOOL_AFTER_FULL : used > limit / 2 ? SPOOL_AFTER_HALF_FULL : SPOOL_AFTER;
}

/* ---------------------------------------------------------------- the header */
static bool refuse_all(struct ingest *in, const struct ingest_message *m, const char *reason, struct ingest_reply *ret)
{
    for (int i = 0; i < m->rcpt_count; i++)
        ingest_rejected(in, m->origin, m->reverse_path, m->rcpts[i].address, reason, ret);
    return false;
}

/* From: says whose mail it is to those who read it: each of its addresses is the tenant's. Without a From: the reverse-path alone is
 * judged; a null one has nothing to be judged by then. */
static bool check_from(struct ingest *in, const struct ingest_message *m, const struct header_scan *scan, struct arena *arena,
                       struct ingest_reply *ret)
{
    const struct ingest_origin *o = m->origin;
    struct address *from;
    size_t n;

    if (o->is_stranger)
        return true;
    switch (header_from(scan->block, arena, &from, &n)) {
    case HEADER_FROM_OK:
        for (size_t i = 0; i < n; i++)
            if (from[i].kind != ADDRESS_MAILBOX || !tenant_may_send_as(o->tenant, slice_of(from[i].canonical)))
                return refuse_all(in, m, set_refusal(NO_FROM, ret), ret);
        return true;
    case HEADER_FROM_NONE:
        return m->reverse_path.n ? true : refuse_all(in, m, set_refusal(NO_FROM, ret), ret);
    case HEADER_FROM_NOMEM:
        return refuse_all(in, m, set_refusal(NO_MEMORY, ret), ret);
    default:
        return refuse_all(in, m, set_refusal(NO_FROM_FORM, ret), ret);
    }
}

static int add_prefix(struct ingest *in, const struct ingest_message *m, const struct header_scan *scan, const struct ulid *id,
                      struct buf *out)
{
    const struct ingest_origin *o = m->origin;
    const struct conf_tenant *t = o->tenant;
    char text[ULID_TEXT];
    struct received r = {
        .helo = o->helo, .client = o->client, .hide_client = t->hide_client && !o->is_stranger,
        .hostname = slice_of(o->conf->server.hostname), .esmtp = o->is_esmtp, .tls = o->tls_version != NULL, .auth = o->is_auth,
        .smtputf8 = m->smtputf8, .tls_version = slice_of(o->tls_version), .tls_cipher = slice_of(o->tls_cipher),
        .recipient = m->rcpt_count == 1 ? m->rcpts[0].address : SLICE_NONE, .wall_ms = in->ports.now->wall_ms,
    };
    int rc;

    ulid_text(id, text);
    r.id = slice_of(text);
    rc = received_write(&r, out);
    if (rc == 0 && t->add_date && !scan->has_date)
        rc = header_add_date(in->ports.now->wall_ms, out);
    if (rc == 0 && t->add_message_id && !scan->has_message_id)
        rc = header_add_message_id(r.id, r.hostname, out);
    return rc;
}

/* Received: and what is missing in front; what steers, and what the tenant wants removed, away. */
static int rewrite(struct ingest *in, const struct ingest_message *m, const struct header_scan *scan, const struct ulid *id)
{
    const struct conf_tenant *t = m->origin->tenant;
    struct slice remove[REMOVED_MAX];
    struct buf prefix, head;
    size_t n = 0;
    int rc;

    for (int i = 0; i < route_steering_header_count; i++)
        remove[n++] = route_steering_headers[i];
    for (int i = 0; i < t->remove_header_count && n < REMOVED_MAX; i++)
        remove[n++] = slice_of(t->remove_headers[i]);
    buf_init(&prefix, 0);
    buf_init(&head, 0);
    rc = add_prefix(in, m, scan, id, &prefix);
    if (rc == 0)
        rc = header_rewrite(scan, buf_slice(&prefix), remove, n, &head);
    if (rc == 0)
        rc = body_replace_head(m->body, scan->body_at, buf_slice(&head));
    buf_free(&prefix);
    buf_free(&head);
    return rc;
}

/* ---------------------------------------------------------------- the envelope */
static int add_rcpt(struct ingest *in, const struct ingest_message *m, const struct conf_vmta *vmta, const struct ingest_rcpt *r,
                    struct envelope *env)
{
    const struct conf *c = m->origin->conf;
    struct envelope_rcpt er = { .address = r->address, .orcpt = r->orcpt, .notify = r->notify, .due_ms = env->received_ms };
    struct slice domain = r->domain;
    struct address postmaster;
    int64_t keeps;
    int rc;

    if (is_own_postmaster(c, r) && address_parse(slice_of(c->server.postmaster), true, &postmaster) == ADDRESS_OK) {
        er.address = slice_of(c->server.postmaster);
        domain = slice_of(postmaster.canonical);
    }
    rc = in->ports.queue_key(in->ports.arg, m->origin->tenant, vmta, domain, &er.queue);
    if (rc < 0)
        return rc;
    keeps = in->ports.expire_after(in->ports.arg, &er.queue);
    if (env->received_ms + keeps > env->expires_ms)
        env->expires_ms = env->received_ms + keeps;
    return envelope_add_rcpt(env, &er) ? 0 : FL_ENOMEM;
}

static bool copy_texts(struct envelope *env, const struct ingest_origin *o, const struct ingest_message *m,
                       const struct route_answer *route, struct slice job)
{
    char client[INET_TEXT];

    inet_addr_text(&o->client, client);
    env->tenant = envelope_text(env, slice_of(o->tenant->name));
    env->user = o->user ? envelope_text(env, slice_of(o->user->name)) : SLICE_NONE;
    env->client_ip = envelope_text(env, slice_of(client));
    env->job = job.n ? envelope_text(env, job) : SLICE_NONE;
    env->pool = route->pool ? envelope_text(env, slice_of(route->pool->name)) : SLICE_NONE;
    env->reverse_path = m->reverse_path.n ? envelope_text(env, m->reverse_path) : SLICE_NONE;
    env->envid = m->envid.n ? envelope_text(env, m->envid) : SLICE_NONE;
    return env->tenant.p && env->client_ip.p && (!o->user || env->user.p) && (!job.n || env->job.p) &&
           (!route->pool || env->pool.p) && (!m->reverse_path.n || env->reverse_path.p) && (!m->envid.n || env->envid.p);
}

static struct envelope *make_envelope(struct ingest *in, const struct ingest_message *m, const struct route_answer *route,
                                      const struct ulid *id)
{
    struct envelope *env = envelope_new(m->rcpt_count);
    struct slice job = route->job;
    int rc = 0;

    if (!env)
        return NULL;
    if (job.n)
        job = in->ports.job_name(in->ports.arg, slice_of(m->origin->tenant->name), job);
    env->id = *id;
    env->ret = m->ret;
    env->smtputf8 = m->smtputf8;
    env->body_type = m->body_type;
    env->received_ms = in->ports.now->wall_ms;
    env->size = (int64_t)m->size;
    env->long_lines = m->long_lines;
    env->body = body_ref(m->body);
    for (int i = 0; i < m->rcpt_count && rc == 0; i++)
        rc = add_rcpt(in, m, route->vmta, &m->rcpts[i], env);
    if (rc < 0 || !copy_texts(env, m->origin, m, route, job)) {
        envelope_unref(env);
        return NULL;
    }
    return env;
}

/* ---------------------------------------------------------------- after the store's answer */
static void tell_accepted(struct intaking *t)
{
    const struct envelope *env = t->env;
    struct event e = {
        .kind = EVENT_ACCEPTED, .message = &env->id, .tenant = env->tenant, .user = env->user, .client_ip = env->client_ip,
        .job = env->job, .from = env->reverse_path, .has_from = true, .vmta = env->rcpts[0].queue.vmta, .pool = env->pool,
        .queued_ms = -1, .delivery_ms = -1, .size = env->size, .recipients = env->rcpt_count,
    };

    if (env->rcpt_count == 1)
        e.to = env->rcpts[0].address;
    t->ingest->ports.event(t->ingest->ports.arg, &e);
}

/* The store has the last word: what it refuses is a refusal like any other. */
static void tell_refused(struct intaking *t, const char *reason, const struct ingest_reply *reply)
{
    const struct envelope *env = t->env;

    for (int i = 0; i < env->rcpt_count; i++) {
        struct event e = {
            .kind = EVENT_REJECTED, .tenant = env->tenant, .user = env->user, .client_ip = env->client_ip,
            .from = env->reverse_path, .has_from = true, .to = env->rcpts[i].address, .code = reply->code,
            .enhanced = slice_of(reply->enhanced), .text = slice_of(reply->text), .reason = reason, .queued_ms = -1,
            .delivery_ms = -1, .size = -1, .recipients = -1,
        };

        t->ingest->ports.event(t->ingest->ports.arg, &e);
    }
}

static void on_stored(void *arg, int rc)
{
    struct intaking *t = arg;
    struct ingest *in = t->ingest;
    struct ingest_reply reply = { .code = 250 };
    const char *reason;
    char id[ULID_TEXT];

    quota_done(in->quotas, &t->quota, rc == 0);
    if (rc == 0) {
        in->ports.took(in->ports.arg, in->ports.now->mono_ms - t->dot_ms);
        ulid_text(&t->env->id, id);
        strcpy(reply.enhanced, "2.0.0");
        stpcpy(stpcpy(reply.text, "Ok: queued as "), id);
        tell_accepted(t);
    } else {
        reason = set_refusal(rc == FL_EFULL ? NO_STORE_FULL : rc == FL_ENOMEM ? NO_MEMORY : NO_STORE_FAILED, &reply);
        if (t->done)
            tell_refused(t, reason, &reply);
    }
    in->ports.accepted(in->ports.arg, t->env, t->fresh, rc);
    if (t->done)
        t->done(t->arg, &reply);
    intaking_free(t);
}

static struct intaking *intaking_new(struct ingest *in, const struct ingest_message *m, ingest_done *done, void *arg)
{
    struct intaking *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->ingest = in;
    t->conf = conf_ref(m->origin->conf);
    t->dot_ms = m->dot_ms;
    t->done = done;
    t->arg = arg;
    t->next = in->under_way;
    t->prev = &in->under_way;
    if (t->next)
        t->next->prev = &t->next;
    in->under_way = t;
    return t;
}

/* ---------------------------------------------------------------- the way in */
static bool scan(struct ingest *in, const struct ingest_message *m, struct header_scan *ret, struct ingest_reply *no)
{
    struct slice front = body_front(m->body, HEADER_BYTES_MAX + 4);
    bool whole = front.n == body_length(m->body);

    if (front.n && !front.p)
        return refuse_all(in, m, set_refusal(NO_MEMORY, no), no);
    if (header_scan(front, whole, ret) != HEADER_OK)
        return refuse_all(in, m, set_refusal(NO_HEADER, no), no);
    if (ret->received > HEADER_HOPS_MAX)
        return refuse_all(in, m, set_refusal(NO_LOOP, no), no);
    return true;
}

static bool route(struct ingest *in, const struct ingest_message *m, const struct header_scan *scanned, struct route_answer *ret,
                  struct ingest_reply *no)
{
    struct route_question q = {
        .tenant = m->origin->tenant, .user = m->origin->user, .is_stranger = m->origin->is_stranger,
        .reverse_path = m->reverse_path, .reverse_path_domain = m->reverse_path_domain, .header_block = scanned->block,
    };
    struct route_refusal refused;

    if (route_message(m->origin->conf, &q, in->ports.rand, ret, &refused))
        return true;
    no->code = 550;
    snprintf(no->enhanced, sizeof no->enhanced, "%s", refused.enhanced);
    snprintf(no->text, sizeof no->text, "%.*s", (int)sizeof no->text - 1, refused.text);
    return refuse_all(in, m, "route", no);
}

static bool take(struct ingest *in, const struct ingest_message *m, int64_t size, struct quota_request *quota,
                 struct ingest_reply *no)
{
    enum quota_result r;

    *quota = quota_of(in, m->origin, m->rcpt_count, size);
    r = quota_take(in->quotas, quota);
    if (r == QUOTA_OK)
        return true;
    return refuse_all(in, m, set_refusal(refusal_of_quota(r), no), no);
}

/* Everything before the store; false: *no is the answer. */
static bool prepare(struct ingest *in, const struct ingest_message *m, struct intaking *t, struct ingest_reply *no)
{
    struct ulid id = ulid_next(&in->ids, in->ports.now->wall_ms);
    struct arena *arena = arena_new(512);
    struct header_scan scanned;
    struct route_answer answer;
    uint64_t came;
    bool good = arena && scan(in, m, &scanned, no) && check_from(in, m, &scanned, arena, no) &&
                route(in, m, &scanned, &answer, no);

    if (!arena)
        refuse_all(in, m, set_refusal(NO_MEMORY, no), no);
    arena_free(arena);
    if (!good)
        return false;
    came = body_length(m->body);
    if (rewrite(in, m, &scanned, &id) < 0)
        return refuse_all(in, m, set_refusal(NO_MEMORY, no), no);
    t->env = make_envelope(in, m, &answer, &id);
    if (!t->env)
        return refuse_all(in, m, set_refusal(NO_MEMORY, no), no);
    t->env->size += (int64_t)(body_length(m->body) - came); /* the stored message's: the header grew, or shrank */
    return take(in, m, t->env->size, &t->quota, no);
}

void ingest_message(struct ingest *in, const struct ingest_message *m, ingest_done *done, void *arg)
{
    struct intaking *t = intaking_new(in, m, done, arg);
    struct ingest_reply no;

    if (!t) {
        set_refusal(NO_MEMORY, &no);
    } else if (prepare(in, m, t, &no)) {
        t->fresh = in->ports.may_be_fresh(in->ports.arg, t->env);
        store_accept(in->ports.store, t->env, t->fresh, on_stored, t);
        body_unref(m->body);
        return;
    }
    if (t)
        intaking_free(t);
    body_unref(m->body);
    done(arg, &no);
}

void ingest_forget(struct ingest *in, void *arg)
{
    for (struct intaking *t = in->under_way; t; t = t->next)
        if (t->arg == arg)
            t->done = NULL;
}
