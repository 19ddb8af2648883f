/* delivery.c: see delivery.h. */
#include "delivery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "attend.h"
#include "fault.h"
#include "outcome.h"
#include "relay_figures.h"
#include "setback.h"
#include "settle.h"
#include "tls_policy.h"

/* At most one entry waits for the reply to its dot while the next one is under way. */
enum { RIDERS = 2, HOST_SIZE = 256 };

/* One connection with what is on it. */
struct delivering {
    struct conn conn;                /* the scheduler's; first */
    TAILQ_ENTRY(delivering) link;
    struct delivery *delivery;
    struct connection *connection;
    struct conf *conf;               /* a reference: the profile points into it */
    struct profile profile;
    char host[HOST_SIZE];
    struct inet_addr source;
    struct inet_endpoint remote;
    struct queue *opened_for;        /* until it is ready; pinned */
    struct queue_entry *entry[RIDERS]; /* in order of sending */
    int entries;
    int64_t max_transactions;
    struct timer idle;
    int64_t idle_ms;
};

struct delivery {
    struct mta *m;
    TAILQ_HEAD(, delivering) all;
    int count;
};

static void send_entry(struct delivering *dv, struct queue_entry *e);

struct delivery *delivery_new(struct mta *m)
{
    struct delivery *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->m = m;
    TAILQ_INIT(&d->all);
    return d;
}

int delivery_connections(const struct delivery *d)
{
    return d->count;
}

struct delivery_share delivery_of(const struct delivery *d, const struct queue *q)
{
    const struct delivering *dv;
    struct delivery_share ret = { 0 };

    TAILQ_FOREACH(dv, &d->all, link)
        for (int i = 0; i < dv->entries; i++) {
            if (dv->entry[i]->queue != q)
                continue;
            if (i > 0) {
                ret.riding++;
                continue;
            }
            ret.connections++;
            ret.rcpts += dv->entry[i]->rcpt_count;
        }
    return ret;
}

/* ---------------------------------------------------------------- the end of a connection */
static void unpin(struct delivering *dv)
{
    if (!dv->opened_for)
        return;
    dv->opened_for->pending--;
    attend_soon(dv->delivery->m, dv->opened_for);
    dv->opened_for = NULL;
}

static void forget(struct delivering *dv)
{
    struct delivery *d = dv->delivery;

    timer_stop(d->m->timers, &dv->idle);
    unpin(dv);
    TAILQ_REMOVE(&d->all, dv, link);
    d->count--;
    sched_closed(&d->m->sched, &dv->conn);
    conf_unref(dv->conf);
    free(dv);
}

void delivery_free(struct delivery *d)
{
    struct delivering *dv;

    while (d && (dv = TAILQ_FIRST(&d->all))) {
        for (int i = 0; i < dv->entries; i++)
            queue_entry_move(dv->entry[i], ENTRY_READY);
        dv->entries = 0;
        connection_abort(dv->connection);
        forget(dv);
    }
    free(d);
}

static void quit(struct delivering *dv)
{
    timer_stop(dv->delivery->m->timers, &dv->idle);
    connection_quit(dv->connection);
}

static void on_idle_timeout(void *arg)
{
    struct delivering *dv = arg;

    if (dv->conn.state != CONN_IDLE)
        return;
    sched_closing(&dv->delivery->m->sched, &dv->conn);
    quit(dv);
}

/* Tells every queue of the path (or of one lane of it) that waits now, one line each. */
static void tell_waiting(struct mta *m, struct path *p, const struct lane *l, const struct last_reply *why, struct slice protocol)
{
    struct last_reply lines = { .text = protocol };
    struct turn *t;

    TAILQ_FOREACH(t, &p->turns, on_path) {
        struct queue *q = t->queue;
        int64_t until;

        if ((l && t->share->lane != l) || q->recipients == 0)
            continue;
        note_set(&q->last, why);
        note_set(&q->protocol, &lines);
        if (!queue_has_open_path(q, m->now->mono_ms, &until))
            figures_path_deferred(m, q, why, l ? l->clock.attempts : p->clock.attempts);
    }
}

/* The connection's failure speaks of the host; once all hosts failed, of what outcome says. Of those that are opened together the last
 * one decides: if it is greeted, the others were further ones. */
static void set_back(struct delivering *dv, const struct outcome *o, const struct last_reply *why)
{
    struct mta *m = dv->delivery->m;
    struct lane *l = dv->conn.lane;
    struct path *p = l->path;

    if (o->scope != SCOPE_HOST && !o->next_host)
        return;
    if (!setback_host(m, p, &dv->remote.addr)) {
        sched_mark(&m->sched, p);
        return;
    }
    if (o->exhausted == SCOPE_PROFILE && !FAULT(profile_blames_path)) {
        if (setback_lane(m, l, why))
            tell_waiting(m, p, l, why, connection_protocol(dv->connection));
    } else if (path_others_open(p, &dv->conn)) {
        setback_further_connection(m, p);
    } else if (setback_path(m, p, why)) {
        tell_waiting(m, p, NULL, why, connection_protocol(dv->connection));
    }
}

static void remember_no_tls(struct delivering *dv)
{
    struct mta *m = dv->delivery->m;
    struct path_host *h = path_host(dv->conn.lane->path, &dv->remote.addr);

    if (h)
        h->no_tls_until_ms = m->now->mono_ms + SETBACK_NO_TLS_MS;
    sched_mark(&m->sched, dv->conn.lane->path);
}

static void log_failure(struct delivering *dv, const struct connection_failure *f)
{
    struct log_line line;
    char remote[INET_ENDPOINT_TEXT];

    log_begin(&line, dv->delivery->m->log, LOG_LEVEL_INFO, "connection_failed");
    inet_endpoint_text(&dv->remote, remote);
    if (dv->opened_for)
        log_text(&line, "queue", dv->opened_for->name);
    log_text(&line, "mx", dv->host);
    log_text(&line, "remote", remote);
    log_text(&line, "stage", reply_stage_name(f->stage));
    log_int(&line, "code", f->reply.code);
    log_text(&line, "text", f->reply.text);
    log_end(&line);
}

static void judge_end(struct delivering *dv, const struct connection_failure *f)
{
    struct mta *m = dv->delivery->m;
    struct path *p = dv->conn.lane->path;
    struct last_reply why = note_of_reply(&f->reply, f->stage, slice_of(dv->host), m->now->wall_ms);
    struct outcome o;

    if (f->end == CONNECTION_QUIT || m->shutting_down)
        return;
    if (f->end == CONNECTION_NO_RESOURCES) {
        sched_no_connection(&m->sched, dv->conn.lane);
        return;
    }
    if (f->end == CONNECTION_LOST)
        return; /* what was under way was judged by on_result; an idle one that goes says nothing */
    log_failure(dv, f);
    if (f->tls_handshake && tls_policy_may_fall_back(&dv->profile)) {
        remember_no_tls(dv);
        return;
    }
    if (path_others_work(p, &dv->conn)) {
        path_end_round(p);
        setback_further_connection(m, p);
        return;
    }
    o = outcome_of_end(f);
    set_back(dv, &o, &why);
}

static void on_ended(void *arg, const struct connection_failure *f)
{
    struct delivering *dv = arg;

    /* what rode along and got no result of its own was never begun */
    for (int i = 0; i < dv->entries; i++)
        settle_put_back(dv->delivery->m, dv->entry[i]);
    for (int i = 0; i < dv->entries; i++)
        sched_update(&dv->delivery->m->sched, dv->entry[i]->queue);
    dv->entries = 0;
    judge_end(dv, f);
    forget(dv);
}

/* ---------------------------------------------------------------- opening */
static void on_ready(void *arg)
{
    struct delivering *dv = arg;
    struct mta *m = dv->delivery->m;

    unpin(dv);
    setback_clear_lane(m, dv->conn.lane);
    path_end_round(dv->conn.lane->path);
    (void)timer_set(m->timers, &dv->idle, m->now->mono_ms + dv->idle_ms);
    sched_idle(&m->sched, &dv->conn);
}

static void on_may_send(void *arg)
{
    struct delivering *dv = arg;
    struct queue_entry *e;

    if (dv->entries >= RIDERS || connection_transactions(dv->connection) >= dv->max_transactions)
        return;
    e = sched_ride(&dv->delivery->m->sched, &dv->conn);
    if (e)
        send_entry(dv, e);
}

static void on_result(void *arg, const struct transaction_result *r);

static const struct connection_events events = {
    .on_ready = on_ready,
    .on_may_send = on_may_send,
    .on_result = on_result,
    .on_ended = on_ended,
};

static uint16_t port_of(const struct path *p)
{
    return p->key.site->key.port;
}

static bool skips_tls(const struct path *p, const struct inet_addr *addr, int64_t mono_ms)
{
    const struct path_host *h = path_host_find(p, addr);

    return h && h->no_tls_until_ms > mono_ms;
}

static int open_connection(struct delivering *dv, const struct site_target *target, bool probe)
{
    struct mta *m = dv->delivery->m;
    struct path *p = dv->conn.lane->path;
    struct connection_target t = {
        .source = dv->source, .remote = dv->remote, .mx = dv->host, .mx_is_address = target->host_is_address,
        .is_probe = probe, .skip_tls = skips_tls(p, &target->addr, m->now->mono_ms), .profile = &dv->profile,
    };

    return connection_open(&m->connections, &t, &events, dv, &dv->connection);
}

static void connect_for(struct delivery *d, const struct sched_order *order)
{
    struct mta *m = d->m;
    struct path *p = order->lane->path;
    const struct site_target *target = path_pick_target(p, m->now->mono_ms, &m->rand);
    struct delivering *dv = target ? calloc(1, sizeof *dv) : NULL;
    const struct policy *policy = &order->queue->policy;

    if (!dv) {
        sched_no_connection(&m->sched, order->lane);
        return;
    }
    dv->delivery = d;
    dv->conf = conf_ref(order->lane->conf);
    dv->profile = order->lane->profile;
    snprintf(dv->host, sizeof dv->host, "%s", target->host);
    dv->source = p->key.source;
    dv->remote = (struct inet_endpoint){ target->addr, port_of(p) };
    dv->max_transactions = policy_number(policy, SET_MAX_MESSAGES_PER_CONNECTION);
    dv->idle_ms = policy_ms(policy, SET_IDLE_TIMEOUT);
    dv->opened_for = order->queue;
    dv->opened_for->pending++;
    timer_init(&dv->idle, on_idle_timeout, dv);
    sched_opened(&m->sched, order->lane, &dv->conn, order);
    TAILQ_INSERT_TAIL(&d->all, dv, link);
    d->count++;
    if (open_connection(dv, target, order->probe) < 0) {
        sched_no_connection(&m->sched, order->lane);
        forget(dv);
    }
}

/* ---------------------------------------------------------------- sending */
static void send_entry(struct delivering *dv, struct queue_entry *e)
{
    in_hand_note(&dv->delivery->m->in_hand, &e->env->id);
    dv->entry[dv->entries++] = e;
    connection_send(dv->connection, e->env, e->rcpt, e->rcpt_count);
}

/* ---------------------------------------------------------------- results */
/* What one transaction's result means, recipient by recipient. */
struct judged {
    struct settle_verdict *verdict; /* of those that are settled, in the order of the entry */
    int *back;                      /* indices into entry->rcpt of those that stay ready */
    int settled, stay;
    bool again;                     /* some stay since they were not judged */
    bool delivered;
    enum outcome_scope scope;       /* the largest that is set back */
    struct outcome outcome;         /* of that one */
    struct last_reply why;          /* of that one, or of the last deferral */
};

/* Where MAIL was refused, its reply speaks for every recipient. */
static struct last_reply reply_of(struct delivering *dv, const struct transaction_result *t, const struct rcpt_result *r)
{
    const struct reply *reply = t->mail_refused ? &t->reply : &r->reply;

    return note_of_reply(reply, t->mail_refused ? STAGE_MAIL : r->stage, slice_of(dv->host), dv->delivery->m->now->wall_ms);
}

static void stays(struct judged *j, int index, const struct outcome *o, const struct last_reply *reply)
{
    j->back[j->stay++] = index;
    if (o->verdict == OUTCOME_AT_ONCE)
        return;
    if (o->scope >= j->scope) {
        j->scope = o->scope;
        j->outcome = *o;
        j->why = *reply;
    }
}

static void judge_rcpt(struct delivering *dv, struct queue_entry *e, const struct transaction_result *t, int i, struct judged *j)
{
    struct mta *m = dv->delivery->m;
    struct queue *q = e->queue;
    const struct rcpt_result *r = &t->rcpts[i];
    const struct envelope_rcpt *er = &e->env->rcpts[e->rcpt[i]];
    struct outcome o = outcome_of_rcpt(t, r, e->again);
    struct settle_verdict *v = &j->verdict[j->settled];
    int64_t wall = m->now->wall_ms;

    *v = (struct settle_verdict){ .rcpt = e->rcpt[i], .reply = reply_of(dv, t, r), .counts_attempt = true, .dsn = true };
    if (o.verdict == OUTCOME_DELIVERED) {
        v->kind = SETTLE_DELIVERED;
        v->dsn = !t->remote_has_dsn;
        v->relayed = true;
        j->delivered = true;
    } else if (o.verdict == OUTCOME_BOUNCED) {
        v->kind = SETTLE_BOUNCED;
    } else if (e->drop) {
        *v = settle_by_command(v->rcpt, e->drop_dsn, wall);
    } else if (o.verdict == OUTCOME_AT_ONCE) {
        j->again = j->again || !r->surplus;
        stays(j, i, &o, &v->reply);
        return;
    } else if (wall >= e->env->expires_ms && !settle_is_held(m, e)) {
        v->kind = SETTLE_EXPIRED;
        stays(j, i, &o, &v->reply);
        j->stay--;
    } else if (o.scope != SCOPE_RECIPIENT) {
        stays(j, i, &o, &v->reply);
        return;
    } else {
        v->kind = SETTLE_PARK;
        v->dsn = v->delay_notice = attend_wants_delay_notice(m, q, e->env, er);
        v->is_deferral = true;
        v->due_ms = e->hold ? HELD_DUE_MS
                            : retry_next(q->policy.value[SET_RETRY]->retry, er->attempts + 1, wall, e->env->expires_ms, &m->rand);
        note_set(&q->last, &v->reply);
    }
    j->settled++;
}

/* Only where something went wrong: the last lines are joined anew each time. */
static void note_protocol(struct delivering *dv, struct queue *q)
{
    note_set(&q->protocol, &(struct last_reply){ .text = connection_protocol(dv->connection) });
}

static void set_back_scope(struct delivering *dv, struct queue_entry *e, const struct transaction_result *t, const struct judged *j)
{
    struct mta *m = dv->delivery->m;
    struct queue *q = e->queue;
    struct path *p = dv->conn.lane->path;

    switch (j->scope) {
    case SCOPE_QUEUE:
    case SCOPE_DOMAIN:
        note_protocol(dv, q);
        if (setback_queue(m, q, &j->why))
            figures_path_deferred(m, q, &j->why, q->attempts);
        if (t->mail_refused && setback_count_mail_refusal(p, q->tenant_state, e->env->reverse_path) &&
            setback_path(m, p, &j->why))
            tell_waiting(m, p, NULL, &j->why, connection_protocol(dv->connection));
        break;
    case SCOPE_HOST:
    case SCOPE_PROFILE:
    case SCOPE_PATH:
        set_back(dv, &j->outcome, &j->why);
        break;
    default:
        break;
    }
}

/* The recipients that are not settled go back to the front of the line; the entry keeps the others. False without memory. */
static bool part(struct mta *m, struct queue_entry *e, const struct judged *j)
{
    struct queue_entry *back;

    if (j->settled == 0) {
        e->again = e->again || j->again;
        settle_put_back(m, e);
        return true;
    }
    if (j->stay == 0)
        return true;
    back = queue_entry_take_out(&m->queues, e, j->back, j->stay);
    if (!back)
        return false;
    back->again = e->again || j->again;
    back->hold = e->hold;
    settle_put_back(m, back);
    return true;
}

static struct settle_place place_of(struct delivering *dv, const struct transaction_result *t)
{
    const struct stream_tls_info *tls = connection_tls(dv->connection);
    struct settle_place place = {
        .mx = slice_of(dv->host), .mx_ip = dv->remote.addr, .source_ip = dv->source, .delivery_ms = t->ended_ms - t->began_ms,
    };

    if (tls) {
        place.tls_version = slice_of(tls->version);
        place.tls_cipher = slice_of(tls->cipher);
        place.tls_verified = tls->verified;
    }
    return place;
}

static void note_success(struct delivering *dv, struct queue *q)
{
    struct mta *m = dv->delivery->m;

    setback_clear_queue(m, q);
    sched_succeeded(&m->sched, dv->conn.lane->path);
}

static bool any_deferral(const struct judged *j)
{
    for (int i = 0; i < j->settled; i++)
        if (j->verdict[i].kind == SETTLE_PARK || j->verdict[i].kind == SETTLE_EXPIRED)
            return true;
    return false;
}

static void judge(struct delivering *dv, struct queue_entry *e, const struct transaction_result *t)
{
    struct mta *m = dv->delivery->m;
    struct queue *q = e->queue;
    int n = e->rcpt_count;
    struct judged j = { .verdict = calloc((size_t)n, sizeof *j.verdict), .back = calloc((size_t)n, sizeof *j.back) };

    assert(t->rcpt_count == n);
    if (!j.verdict || !j.back) {
        /* it is attempted again: what was delivered without a trace is the window that lack of memory opens */
        queue_entry_move(e, ENTRY_READY);
    } else {
        for (int i = 0; i < n; i++)
            judge_rcpt(dv, e, t, i, &j);
        /* a reply to RCPT or to the dot shows that the path works, whatever it says */
        if (j.delivered || (j.settled > 0 && !t->mail_refused && j.scope <= SCOPE_RECIPIENT))
            note_success(dv, q);
        set_back_scope(dv, e, t, &j);
        if (any_deferral(&j))
            note_protocol(dv, q);
        if (!part(m, e, &j)) {
            queue_entry_move(e, ENTRY_READY);
        } else if (j.settled > 0) {
            struct settle_place place = place_of(dv, t);

            settle_entry(m, e, j.verdict, &place);
        }
    }
    free(j.verdict);
    free(j.back);
    sched_update(&m->sched, q);
    attend_soon(m, q);
}

/* Some servers take so many messages a connection and refuse the next for now: that speaks of the connection, and the next attempt
 * has one of its own. */
static bool is_used_up(const struct delivering *dv, const struct transaction_result *t)
{
    int n = connection_transactions(dv->connection);

    return n >= dv->max_transactions || (n > 1 && t->mail_refused && outcome_class(&t->reply) == CLASS_TEMPORARY);
}

static void after_transaction(struct delivering *dv, bool used_up)
{
    struct mta *m = dv->delivery->m;

    if (dv->entries > 0) {
        sched_next_began(&m->sched, &dv->conn);
        return;
    }
    if (dv->conn.state != CONN_BUSY)
        return;
    if (used_up || m->shutting_down) {
        sched_closing(&m->sched, &dv->conn);
        quit(dv);
        return;
    }
    (void)timer_set(m->timers, &dv->idle, m->now->mono_ms + dv->idle_ms);
    sched_idle(&m->sched, &dv->conn);
}

static void on_result(void *arg, const struct transaction_result *t)
{
    struct delivering *dv = arg;
    struct queue_entry *e = dv->entry[0];
    bool used_up = is_used_up(dv, t);

    assert(dv->entries > 0);
    in_hand_note(&dv->delivery->m->in_hand, &e->env->id);
    dv->entry[0] = dv->entry[1];
    dv->entries--;
    judge(dv, e, t);
    after_transaction(dv, used_up);
}

/* ---------------------------------------------------------------- turns */
void delivery_pump(struct delivery *d)
{
    struct sched_order order;

    while (sched_next(&d->m->sched, &order) != SCHED_NONE) {
        struct delivering *dv = (struct delivering *)order.conn;

        switch (order.type) {
        case SCHED_CONNECT:
            connect_for(d, &order);
            break;
        case SCHED_SEND:
            timer_stop(d->m->timers, &dv->idle);
            send_entry(dv, order.entry);
            break;
        default:
            quit(dv);
        }
    }
}

void delivery_end_all(struct delivery *d)
{
    struct delivering *dv, *next;

    for (dv = TAILQ_FIRST(&d->all); dv; dv = next) {
        next = TAILQ_NEXT(dv, link);
        if (dv->conn.state == CONN_BUSY || dv->conn.state == CONN_CLOSING)
            continue;
        sched_closing(&d->m->sched, &dv->conn);
        quit(dv);
    }
}
