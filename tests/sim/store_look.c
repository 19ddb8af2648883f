/* store_look.c: see store_world.h. */
#include "store_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void found(struct world *w, struct envelope *e)
{
    struct message *m = message_of(w, e);

    for (int i = 0; i < e->rcpt_count; i++) {
        struct rcpt *r = &m->rcpts[e->rcpts[i].number];

        promise(w, e->rcpts[i].number < (uint32_t)m->count, "a recipient that the message never had");
        promise(w, !r->found, "a recipient is there twice");
        r->found = true;
        envelope_unref(r->env);
        r->env = envelope_ref(e);
        if (r->fate == SETTLING && r->kind == SETTLE_PARK)
            r->queue = e->rcpts[i].queue.id; /* it moved, or it did not */
        promise(w, r->queue == e->rcpts[i].queue.id, "a recipient is in another queue");
    }
}

static void on_loaded(void *arg, int rc, const struct load_result *r)
{
    struct world *w = arg;

    promise(w, rc == 0, "a queue cannot be loaded");
    w->after = r->after;
    w->more = r->more;
    for (int i = 0; i < r->count; i++) {
        const struct envelope *e = r->envelopes[i];

        found(w, r->envelopes[i]);
        w->queues[e->rcpts[0].queue.id].recipients += e->rcpt_count;
        envelope_unref(r->envelopes[i]);
    }
}

static void gather(struct world *w)
{
    const struct store_recovered *r = store_recovered(w->store);

    memset(w->queues, 0, sizeof w->queues);
    for (int i = 0; i < w->message_count; i++)
        for (int k = 0; k < w->messages[i].count; k++)
            w->messages[i].rcpts[k].found = false;
    for (int i = 0; i < r->fresh_count; i++)
        found(w, r->fresh[i]);
    for (uint64_t q = 1; q <= QUEUES; q++) { /* some at a time: the rest is found behind them */
        w->after = (struct load_key){ 0 };
        do {
            store_load(w->store, q, NEVER_MS, &w->after, 1 + (int)below(w, LOAD_MOST), on_loaded, w);
            pump(w);
        } while (w->more);
    }
}

/* What was promised of each message, against what is there. */
static void judge(struct world *w, struct message *m)
{
    int there = 0, applied[RCPTS];

    for (int i = 0; i < m->count; i++) {
        const struct rcpt *r = &m->rcpts[i];

        there += r->found;
        applied[i] = r->fate == SETTLING && r->kind != SETTLE_PARK ? !r->found : -1;
        if (m->state != STORED)
            continue;
        promise(w, r->fate != LIVE || r->found, "a recipient that was answered for is lost");
        promise(w, r->fate != GONE || !r->found, "a recipient that was settled is back");
        promise(w, r->fate != SETTLING || r->kind != SETTLE_PARK || r->found, "a recipient was lost while it was parked");
        for (int k = 0; k < i; k++)
            promise(w, applied[i] < 0 || applied[k] < 0 || r->call != m->rcpts[k].call || applied[i] == applied[k],
                    "half of a settle happened");
    }
    promise(w, m->state != REFUSED || there == 0, "a message that was refused is there");
    promise(w, m->state != LOST || there == 0, "a message that was lost before its answer is back");
    promise(w, m->state != POSTED || there == 0 || there == m->count, "half of a message is there");
}

/* A DSN is there if, and only if, its settle happened; where the settle's own traces tell. */
static void judge_dsn(struct world *w, const struct message *m)
{
    const struct call *c = &w->calls[m->call];
    const struct message *about = &w->messages[c->message];

    for (int i = 0; i < about->count; i++) {
        const struct rcpt *r = &about->rcpts[i];

        if (r->fate == SETTLING && r->call == m->call && r->kind != SETTLE_PARK)
            promise(w, r->found != m->rcpts[0].found, "a DSN is there without its settle, or the settle without its DSN");
    }
}

static void judge_counts(struct world *w)
{
    const struct store_recovered *s = store_recovered(w->store);
    int64_t queued = 0, ended = 0;

    for (int i = 0; i < w->message_count; i++) {
        const struct message *m = &w->messages[i];
        bool fresh = false;

        for (int k = 0; k < m->count; k++) {
            bool first = m->rcpts[k].found;

            fresh |= m->rcpts[k].found && m->rcpts[k].env->fresh;
            queued += m->job && m->rcpts[k].found;
            ended += m->job && m->rcpts[k].fate == GONE && m->state == STORED;
            for (int j = 0; j < k; j++)
                first &= !m->rcpts[j].found || m->rcpts[j].queue != m->rcpts[k].queue;
            if (first && !fresh) {
                w->queues[m->rcpts[k].queue].messages++;
                w->queues[m->rcpts[k].queue].bytes += (int64_t)m->length;
            }
        }
    }
    for (int i = 0; i < s->queue_count; i++) {
        const struct stored_queue *q = &s->queues[i];

        promise(w, q->recipients == w->queues[q->key.id].recipients, "a queue counts other recipients than it has");
        promise(w, q->messages == w->queues[q->key.id].messages, "a queue counts other messages than it has");
        promise(w, q->bytes == w->queues[q->key.id].bytes, "a queue counts other bytes than it has");
        w->queues[q->key.id].recipients = 0;
    }
    for (uint64_t q = 1; q <= QUEUES; q++)
        promise(w, w->queues[q].recipients == 0, "recipients are there, and the row of their queue is not");
    promise(w, s->job_count <= 1, "a job that nobody named");
    promise(w, queued == (s->job_count ? s->jobs[0].queued : 0), "a job counts other recipients than it has");
    if (s->job_count)
        promise(w, ended == s->jobs[0].delivered + s->jobs[0].bounced + s->jobs[0].expired + s->jobs[0].dropped,
                "a job counts other outcomes than there were");
}

static void on_read(void *arg, int rc, struct slice bytes)
{
    struct world *w = arg;
    char text[TEXT_MAX];

    promise(w, rc == 0, "a body cannot be read");
    promise(w, bytes.n == w->reading->length, "a body is shorter or longer than it was");
    make_text(w->reading, text);
    promise(w, bytes.n == 0 || memcmp(bytes.p, text, bytes.n) == 0, "a body is not what it was");
    w->read_done = true;
}

static int count_file(void *arg, const char *name)
{
    int *counts = arg;
    uint64_t id;
    struct ulid file;

    if (segment_parse_name(name, &id, &file))
        counts[id == 0]++;
    return 0;
}

void count_files(struct world *w, int ret[2])
{
    ret[0] = ret[1] = 0;
    disk_list(sim_disk_port(w->disk), count_file, ret);
}

static void on_damaged(void *arg, int rc, struct slice bytes)
{
    struct world *w = arg;

    promise(w, rc == FL_ECORRUPT, "a body whose bytes changed on the disk is read as if it were whole");
    w->read_done = true;
}

/* A byte of one body changes on the disk: who reads it is told. */
void damage_a_body(struct world *w)
{
    const struct rcpt *r = NULL;
    char name[SEGMENT_NAME];

    for (int i = 0; i < w->message_count; i++)
        for (int k = 0; k < w->messages[i].count; k++)
            if (w->messages[i].rcpts[k].found && body_place(w->messages[i].rcpts[k].env->body)->length)
                r = &w->messages[i].rcpts[k];
    if (!r)
        return;
    segment_name(body_place(r->env->body)->segment, name);
    if (!sim_disk_damage(w->disk, name, body_place(r->env->body)->offset + below(w, body_place(r->env->body)->length)))
        return;
    w->read_done = false;
    store_read(w->store, r->env->body, 0, TEXT_MAX, on_damaged, w);
    pump(w);
    promise(w, w->read_done, "a body was asked for, and nobody answered");
}

/* Every body can be read; and there is no file that none needs. */
static void judge_bodies(struct world *w)
{
    uint64_t segments[MESSAGES];
    int files[2], segment_count = 0, large = 0;

    for (int i = 0; i < w->message_count; i++) {
        const struct rcpt *r = NULL;
        bool known = false;

        for (int k = 0; k < w->messages[i].count; k++)
            if (w->messages[i].rcpts[k].found)
                r = &w->messages[i].rcpts[k];
        if (!r)
            continue;
        w->reading = &w->messages[i];
        w->read_done = false;
        store_read(w->store, r->env->body, 0, TEXT_MAX, on_read, w);
        pump(w);
        promise(w, w->read_done, "a body was asked for, and nobody answered");
        large += body_place_has_file(body_place(r->env->body));
        for (int k = 0; k < segment_count; k++)
            known |= segments[k] == body_place(r->env->body)->segment;
        if (!known)
            segments[segment_count++] = body_place(r->env->body)->segment;
    }
    count_files(w, files);
    promise(w, files[0] == segment_count, "there are more segments, or fewer, than bodies need");
    promise(w, files[1] == large, "there are more large files, or fewer, than bodies need");
}

/* From now on what is there is what was promised. */
static void resolve(struct world *w, struct message *m)
{
    int there = 0;

    for (int i = 0; i < m->count; i++) {
        there += m->rcpts[i].found;
        m->rcpts[i].fate = m->rcpts[i].found ? LIVE : GONE;
    }
    if (m->state == POSTED)
        m->state = there ? STORED : LOST;
}

void look(struct world *w)
{
    static const struct ulid none;

    trace(w, "a look");
    gather(w);
    for (int i = 0; i < w->message_count; i++) {
        judge(w, &w->messages[i]);
        if (w->messages[i].call >= 0 && w->messages[i].state == POSTED)
            judge_dsn(w, &w->messages[i]);
    }
    for (int i = 0; i < w->message_count; i++)
        resolve(w, &w->messages[i]);
    judge_counts(w);
    store_hold_delete(w->store, &none, ignore, NULL); /* a batch, with which idle segments go */
    pump(w);
    judge_bodies(w);
    store_forget_recovered(w->store);
    promise(w, sim_vfs_foreign_checkpoints(w->vfs) == 0, "a connection other than the store thread's made a checkpoint");
}
