/* bounce.c: see bounce.h. */
#include "bounce.h"

#include <stdlib.h>

#include "address.h"
#include "ingest_parts.h"
#include "policy.h"
#include "route.h"
#include "store.h"

enum { DSN_CONTENT_MAX = 16 << 20 };

static bool notify_wants(unsigned notify, enum dsn_action action)
{
    if (notify & NOTIFY_NEVER)
        return false;
    switch (action) {
    case DSN_FAILED: return notify == NOTIFY_DEFAULT || notify & NOTIFY_FAILURE;
    case DSN_DELAYED: return notify == NOTIFY_DEFAULT || notify & NOTIFY_DELAY;
    default: return notify & NOTIFY_SUCCESS;
    }
}

bool bounce_is_wanted(const struct conf *c, const struct envelope *env, const struct bounce_rcpt *r)
{
    const struct conf_tenant *t = conf_tenant(c, env->tenant);
    const struct conf_vmta *v = conf_vmta(c, r->rcpt->queue.vmta);
    struct policy policy;

    if (env->is_dsn || env->reverse_path.n == 0 || !notify_wants(r->rcpt->notify, r->action))
        return false;
    if (r->action != DSN_FAILED || !t || !v)
        return true;
    policy_resolve(c, t, v, r->rcpt->queue.domain, &policy);
    return policy_flag(&policy, SET_DSN_BOUNCE);
}

bool bounce_needs_content(const struct envelope *env)
{
    return env->ret == RET_FULL;
}

static struct dsn_recipient describe(const struct bounce_rcpt *r, int64_t expires_ms)
{
    return (struct dsn_recipient){
        .address = r->rcpt->address, .orcpt = r->rcpt->orcpt, .action = r->action, .status = r->status, .remote_mta = r->reply.mx,
        .code = r->reply.code, .enhanced = r->reply.enhanced, .diagnostic = r->reply.text,
        .last_attempt_ms = r->last_attempt_ms, .retry_until_ms = r->action == DSN_DELAYED ? expires_ms : 0,
    };
}

static int describe_all(const struct conf *c, const struct envelope *env, const struct bounce_rcpt *rcpts, int count,
                        struct dsn_recipient *ret)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        if (bounce_is_wanted(c, env, &rcpts[i]))
            ret[n++] = describe(&rcpts[i], env->expires_ms);
    return n;
}

/* RET speaks of failures only: what tells of none returns the header (RFC 3461 4.3). */
static bool tells_of_failure(const struct dsn_recipient *rcpts, int n)
{
    for (int i = 0; i < n; i++)
        if (rcpts[i].action == DSN_FAILED)
            return true;
    return false;
}

static int write_content(struct ingest *in, const struct envelope *env, const struct dsn_recipient *rcpts, int n,
                         struct slice original, const struct ulid *id, struct envelope *dsn)
{
    char text[ULID_TEXT];
    struct dsn_request r = {
        .hostname = slice_of(in->conf->server.hostname), .sender = env->reverse_path, .envid = env->envid,
        .arrival_ms = env->received_ms, .now_ms = in->ports.now->wall_ms, .recipients = rcpts, .recipients_n = (size_t)n,
        .original = original,
        .full = bounce_needs_content(env) && tells_of_failure(rcpts, n) && env->body && original.n == body_length(env->body),
        .original_smtputf8 = env->smtputf8,
    };
    struct dsn_needs needs;
    struct buf out;
    int rc;

    ulid_text(id, text);
    r.id = slice_of(text);
    buf_init(&out, DSN_CONTENT_MAX);
    rc = dsn_write(&r, &out, &needs);
    if (rc == 0) {
        dsn->body = body_new(in->ports.budget);
        rc = dsn->body ? body_add(dsn->body, buf_slice(&out)) : FL_ENOMEM;
        dsn->size = (int64_t)buf_len(&out);
        dsn->smtputf8 = needs.smtputf8;
        dsn->long_lines = env->long_lines; /* it is returned as it is, wholly or in part */
        dsn->body_type = needs.eight_bit ? BODY_8BIT : BODY_7BIT;
    }
    buf_free(&out);
    return rc;
}

/* The tenant's own route, as if it had sent the DSN itself. */
static int address_it(struct ingest *in, const struct envelope *env, struct envelope *dsn)
{
    const struct conf_tenant *t = conf_tenant(in->conf, env->tenant);
    struct envelope_rcpt rcpt = { .address = env->reverse_path, .notify = NOTIFY_NEVER, .due_ms = dsn->received_ms };
    struct route_question q = { .tenant = t };
    struct route_answer answer;
    struct route_refusal no;
    struct address to;
    int rc;

    if (!t || address_parse(env->reverse_path, true, &to) != ADDRESS_OK || to.kind != ADDRESS_MAILBOX ||
        !route_message(in->conf, &q, in->ports.rand, &answer, &no))
        return FL_ENOENT;
    rc = in->ports.queue_key(in->ports.arg, t, answer.vmta, slice_of(to.canonical), &rcpt.queue);
    if (rc < 0)
        return rc;
    dsn->expires_ms = dsn->received_ms + in->ports.expire_after(in->ports.arg, &rcpt.queue);
    dsn->tenant = envelope_text(dsn, slice_of(t->name));
    return dsn->tenant.p && envelope_add_rcpt(dsn, &rcpt) ? 0 : FL_ENOMEM;
}

int bounce_make(struct ingest *in, const struct envelope *env, const struct bounce_rcpt *rcpts, int count, struct slice original,
                struct envelope **ret, bool *ret_fresh)
{
    struct dsn_recipient *described = calloc((size_t)count, sizeof *described);
    struct envelope *dsn = envelope_new(1);
    int n = described ? describe_all(in->conf, env, rcpts, count, described) : 0, rc = 0;

    *ret = NULL;
    if (!described || !dsn) {
        rc = FL_ENOMEM;
    } else if (n > 0) {
        dsn->is_dsn = true;
        dsn->received_ms = in->ports.now->wall_ms;
        dsn->id = ulid_next(&in->ids, dsn->received_ms);
        rc = address_it(in, env, dsn);
        if (rc == 0)
            rc = write_content(in, env, described, n, original, &dsn->id, dsn);
        if (rc == 0) {
            *ret_fresh = in->ports.may_be_fresh(in->ports.arg, dsn);
            *ret = envelope_ref(dsn);
        }
    }
    free(described);
    envelope_unref(dsn);
    return rc == FL_ENOENT ? 0 : rc; /* nobody to tell: its tenant is gone, or the address is a literal */
}

void bounce_committed(struct ingest *in, struct envelope *dsn, bool fresh)
{
    in->ports.accepted(in->ports.arg, dsn, fresh, 0);
}
