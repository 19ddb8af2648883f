/* store.c: the loop's side of the store: operations are made, handed over, and answered. See store.h. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "sqlite_version.h"
#include "store_parts.h"

/* An outcome must not be lost for want of memory: a reserve is given up first. When not even that helps, to end is right: what
 * was not settled is delivered again, and nothing else goes wrong. */
static struct op *make(struct store *s, enum op_type type, size_t extra)
{
    struct op *op = op_new(type, extra);

    if (!op) {
        free(s->ballast);
        s->ballast = NULL;
        op = op_new(type, extra);
    }
    if (!op)
        abort();
    return op;
}

/* What can wait a little so as to ride along with an accept. */
static bool is_patient(const struct op *op)
{
    return (op->type == OP_SETTLE && !op->settle.dsn.env) || op->type == OP_QUEUE_CLOCK || op->type == OP_QUEUE_FORGET;
}

static void post(struct store *s, struct op *op)
{
    STAILQ_INSERT_TAIL(&s->outbox, op, link);
    s->outbox_eager |= !is_patient(op);
}

static void post_reader(struct store *s, struct op *op)
{
    struct op_list one = STAILQ_HEAD_INITIALIZER(one);

    STAILQ_INSERT_TAIL(&one, op, link);
    mailbox_post(&s->to_reader, &one, true);
}

void store_flush(struct store *s)
{
    if (STAILQ_EMPTY(&s->outbox))
        return;
    mailbox_post(&s->to_writer, &s->outbox, s->outbox_eager);
    s->outbox_eager = false;
}

/* ---------------------------------------------------------------- changes */

void store_accept(struct store *s, struct envelope *env, bool fresh, store_done *done, void *arg)
{
    struct op *op = make(s, OP_ACCEPT, 0);

    op->accept = (struct op_message){ .env = envelope_ref(env), .fresh = fresh };
    op->done = done;
    op->arg = arg;
    if (FAULT(answer_before_commit)) {
        done(arg, 0);
        op->done = NULL;
    }
    post(s, op);
}

static size_t reply_bytes(const struct last_reply *r)
{
    return r->enhanced.n + r->text.n + r->mx.n;
}

static void keep_reply(struct op *op, struct last_reply *r)
{
    r->enhanced = op_keep(op, r->enhanced);
    r->text = op_keep(op, r->text);
    r->mx = op_keep(op, r->mx);
}

static size_t key_bytes(const struct queue_key *k)
{
    return k->tenant.n + k->vmta.n + k->domain.n;
}

static void keep_key(struct op *op, struct queue_key *k)
{
    k->tenant = op_keep(op, k->tenant);
    k->vmta = op_keep(op, k->vmta);
    k->domain = op_keep(op, k->domain);
}

/* Room for the list, and for what its members point to. */
static size_t settle_bytes(const struct settle_rcpt *rcpts, int count)
{
    size_t n = (size_t)count * sizeof *rcpts + alignof(max_align_t);

    for (int i = 0; i < count; i++) {
        n += reply_bytes(&rcpts[i].reply);
        if (rcpts[i].queue)
            n += sizeof(struct queue_key) + alignof(max_align_t) + key_bytes(rcpts[i].queue);
    }
    return n;
}

void store_settle(struct store *s, struct envelope *env, const struct settle_rcpt *rcpts, int count, struct envelope *dsn,
                  bool dsn_fresh, store_settled *done, void *arg)
{
    struct op *op = make(s, OP_SETTLE, settle_bytes(rcpts, count));
    struct settle_rcpt *copies = op_keep_bytes(op, rcpts, (size_t)count * sizeof *rcpts, alignof(struct settle_rcpt));

    for (int i = 0; i < count; i++) {
        if (copies[i].queue) {
            struct queue_key *key = op_keep_bytes(op, copies[i].queue, sizeof *key, alignof(struct queue_key));

            keep_key(op, key);
            copies[i].queue = key;
        }
        keep_reply(op, &copies[i].reply);
    }
    op->settle.env = envelope_ref(env);
    op->settle.rcpts = copies;
    op->settle.count = count;
    op->settle.fresh = env->fresh;
    if (dsn && FAULT(dsn_apart))
        store_accept(s, dsn, dsn_fresh, NULL, NULL);
    else if (dsn)
        op->settle.dsn = (struct op_message){ .env = envelope_ref(dsn), .fresh = dsn_fresh };
    op->settled = done;
    op->arg = arg;
    post(s, op);
}

void store_queue_clock(struct store *s, const struct queue_key *key, int attempts, int64_t next_attempt_ms,
                       const struct last_reply *reply)
{
    struct op *op = make(s, OP_QUEUE_CLOCK, key_bytes(key) + (reply ? reply_bytes(reply) : 0));

    op->clock.key = *key;
    keep_key(op, &op->clock.key);
    op->clock.attempts = attempts;
    op->clock.next_attempt_ms = next_attempt_ms;
    if (reply) {
        op->clock.reply = *reply;
        keep_reply(op, &op->clock.reply);
    }
    post(s, op);
}

void store_queue_forget(struct store *s, uint64_t queue)
{
    struct op *op = make(s, OP_QUEUE_FORGET, 0);

    op->find.queue = queue;
    post(s, op);
}

void store_hold_put(struct store *s, const struct stored_hold *h, store_done *done, void *arg)
{
    struct op *op = make(s, OP_HOLD_PUT, h->tenant.n + h->vmta.n + h->domain.n + h->job.n + h->who.n);

    op->hold = *h;
    op->hold.tenant = op_keep(op, h->tenant);
    op->hold.vmta = op_keep(op, h->vmta);
    op->hold.domain = op_keep(op, h->domain);
    op->hold.job = op_keep(op, h->job);
    op->hold.who = op_keep(op, h->who);
    op->done = done;
    op->arg = arg;
    post(s, op);
}

void store_hold_delete(struct store *s, const struct ulid *id, store_done *done, void *arg)
{
    struct op *op = make(s, OP_HOLD_DELETE, 0);

    op->hold = (struct stored_hold){ .id = *id };
    op->done = done;
    op->arg = arg;
    post(s, op);
}

void store_job_forget(struct store *s, struct slice tenant, struct slice job)
{
    struct op *op = make(s, OP_JOB_FORGET, tenant.n + job.n);

    op->job.tenant = op_keep(op, tenant);
    op->job.job = op_keep(op, job);
    post(s, op);
}

/* ---------------------------------------------------------------- questions */

static struct op *make_find(struct store *s, enum op_type type, size_t extra, int limit, store_loaded *done, void *arg)
{
    struct op *op = make(s, type, extra);

    op->find.limit = limit;
    op->find.rows.next_due_ms = INT64_MAX;
    op->loaded = done;
    op->arg = arg;
    return op;
}

void store_load(struct store *s, uint64_t queue, int64_t due_until_ms, const struct load_key *after, int limit,
                store_loaded *done, void *arg)
{
    struct op *op = make_find(s, OP_LOAD, 0, limit, done, arg);

    op->find.queue = queue;
    op->find.until_ms = due_until_ms;
    if (after)
        op->find.after = *after;
    post(s, op);
}

void store_load_expired(struct store *s, uint64_t queue, int64_t now_ms, int limit, store_loaded *done, void *arg)
{
    struct op *op = make_find(s, OP_LOAD_EXPIRED, 0, limit, done, arg);

    op->find.queue = queue;
    op->find.until_ms = now_ms;
    post(s, op);
}

void store_select(struct store *s, const struct store_selection *sel, const struct load_key *after, int limit,
                  store_loaded *done, void *arg)
{
    struct op *op = make_find(s, OP_SELECT, sel->tenant.n + sel->job.n, limit, done, arg);

    op->find.selection = *sel;
    op->find.selection.tenant = op_keep(op, sel->tenant);
    op->find.selection.job = op_keep(op, sel->job);
    if (sel->message) {
        op->find.message = *sel->message;
        op->find.selection.message = &op->find.message;
    }
    if (after)
        op->find.after = *after;
    post(s, op);
}

void store_list_queue(struct store *s, uint64_t queue, const struct load_key *after, int limit, store_loaded *done, void *arg)
{
    struct op *op = make_find(s, OP_LIST_QUEUE, 0, limit, done, arg);

    op->find.queue = queue;
    if (after)
        op->find.after = *after;
    post_reader(s, op);
}

void store_show(struct store *s, const struct ulid *message, store_loaded *done, void *arg)
{
    struct op *op = make_find(s, OP_SHOW, 0, INT32_MAX, done, arg);

    op->find.message = *message;
    post_reader(s, op);
}

void store_read(struct store *s, struct body *body, uint64_t offset, size_t n, store_read_done *done, void *arg)
{
    struct op *op = make(s, OP_READ, 0);

    op->read.body = body_ref(body);
    op->read.offset = offset;
    op->read.n = n;
    op->read_done = done;
    op->arg = arg;
    post_reader(s, op);
}

int store_spool_open(struct store *s, struct store_spool **ret)
{
    return spools_open(s->spools, s->o.wall_ms(s->o.wall_arg), ret);
}

int store_spool_drop(struct store *s, const struct body *body)
{
    return body_place_has_file(body_place(body)) ? spools_drop(s->spools, &body_place(body)->file) : 0;
}

/* ---------------------------------------------------------------- answers */

static void answer_accept(struct store *s, struct op *op)
{
    if (op->rc == 0)
        op->accept.env->fresh = op->accept.fresh;
    else
        store_spool_drop(s, op->accept.env->body); /* without memory for that the next start removes it */
    if (op->done)
        op->done(op->arg, op->rc);
}

static void answer_settle(struct store *s, struct op *op)
{
    if (!op->settle.result.message_gone)
        op->settle.env->fresh = false; /* what is left of it is parked now */
    if (op->settle.dsn.env)
        op->settle.dsn.env->fresh = op->settle.dsn.fresh;
    if (op->settled)
        op->settled(op->arg, &op->settle.result);
}

static void answer_find(struct store *s, struct op *op)
{
    struct op_rows *rows = &op->find.rows;
    bool given = op->type != OP_LIST_QUEUE && op->type != OP_SHOW;
    struct load_result r;

    if (op->rc < 0)
        op_rows_clear(rows);
    r = (struct load_result){
        .envelopes = rows->envelopes,
        .count = rows->count,
        .after = rows->after,
        .more = rows->more,
        .next_due_ms = rows->next_due_ms,
    };
    if (given)
        rows->count = 0; /* the references are the caller's now */
    op->loaded(op->arg, op->rc, &r);
}

static void answer_read(struct store *s, struct op *op)
{
    op->read_done(op->arg, op->rc, op->rc < 0 ? SLICE_NONE : slice_make(op->read.bytes, op->read.n));
}

static void answer_spool(struct store *s, struct op *op)
{
    spools_answer(s->spools, op);
}

static void answer_done(struct store *s, struct op *op)
{
    if (op->done)
        op->done(op->arg, op->rc);
}

void store_dispatch(struct store *s)
{
    static void (*const answers[OP_TYPES])(struct store *, struct op *) = {
        [OP_ACCEPT] = answer_accept,     [OP_SETTLE] = answer_settle,       [OP_LOAD] = answer_find,
        [OP_LOAD_EXPIRED] = answer_find, [OP_SELECT] = answer_find,         [OP_QUEUE_CLOCK] = answer_done,
        [OP_QUEUE_FORGET] = answer_done, [OP_HOLD_PUT] = answer_done,       [OP_HOLD_DELETE] = answer_done,
        [OP_JOB_FORGET] = answer_done,   [OP_READ] = answer_read,           [OP_LIST_QUEUE] = answer_find,
        [OP_SHOW] = answer_find,         [OP_SPOOL_WRITE] = answer_spool,   [OP_SPOOL_FINISH] = answer_spool,
        [OP_SPOOL_DROP] = answer_spool,
    };
    struct op_list ops = STAILQ_HEAD_INITIALIZER(ops);
    struct op *op;

    mailbox_take(&s->answers, &ops);
    while ((op = STAILQ_FIRST(&ops))) {
        STAILQ_REMOVE_HEAD(&ops, link);
        answers[op->type](s, op);
        op_free(op);
    }
}

/* ---------------------------------------------------------------- figures and the rest */

enum store_health store_health(const struct store *s)
{
    return (enum store_health)atomic_load(&s->health);
}

const struct store_recovered *store_recovered(const struct store *s)
{
    return recovered_get(s->recovered);
}

void store_forget_recovered(struct store *s)
{
    recovered_free(s->recovered);
    s->recovered = NULL;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
    figures_copy(&s->figures, ret);
}

const char *store_sqlite_version(void)
{
    return sqlite_version();
}

bool store_sqlite_is_affected(const char *version)
{
    unsigned major, minor, patch;

    return sscanf(version, "%u.%u.%u", &major, &minor, &patch) == 3 &&
           sqlite_version_has_wal_reset_race((int)(major * 1000000 + minor * 1000 + patch));
}
