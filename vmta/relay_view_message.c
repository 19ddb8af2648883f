/* relay_view_message.c: messages, for operators: of one queue, one by its id, and its content. What is in memory comes first, the rest
 * from the store's reader. See relay_view.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hold.h"
#include "page.h"
#include "relay_parts.h"
#include "relay_view.h"
#include "selection.h"
#include "why.h"
#include "wire.h"

enum {
    KEY_SIZE = 64,
    MEMORY_KEY_SIZE = 40,          /* "m", ULID, ".", number */
    CONTENT_PIECE = 256 << 10,
};

/* ---------------------------------------------------------------- one queue */
struct listing {
    struct relay *relay;
    uint64_t queue;
    void (*visit)(void *arg, const struct view_message *m);
    void (*done)(void *arg, struct slice next);
    void *arg;
};

static enum view_state parked_state(struct relay *r, const struct envelope *env, const struct envelope_rcpt *rcpt)
{
    const struct queue *q = queues_by_id(&r->mta.queues, rcpt->queue.id);

    if ((q && (queue_is_held(q) || holds_mail_is_held(r->mta.holds, q, env->job))) || rcpt->due_ms == HELD_DUE_MS)
        return VIEW_HELD;
    return VIEW_WAITING;
}

/* What is due waits on for its queue, and that for its paths. */
static int64_t not_before_queue(const struct relay *r, const struct queue *q, int64_t due_ms)
{
    int64_t next = why_next_attempt(&r->mta, q);

    return next > due_ms ? next : due_ms;
}

static void visit_parked(struct relay *r, const struct envelope *env, const struct envelope_rcpt *rcpt,
                         void (*visit)(void *arg, const struct view_message *m), void *arg)
{
    const struct queue *q = queues_by_id(&r->mta.queues, rcpt->queue.id);
    struct view_message row = {
        .env = env, .rcpt = rcpt, .state = parked_state(r, env, rcpt), .attempts = rcpt->attempts, .last_reply = rcpt->reply,
        .next_attempt_ms = rcpt->due_ms,
    };

    if (!row.last_reply.time_ms && q)
        row.last_reply = q->last.reply;
    if (row.state == VIEW_HELD)
        row.next_attempt_ms = 0;
    else if (q)
        row.next_attempt_ms = not_before_queue(r, q, row.next_attempt_ms);
    visit(arg, &row);
}

static void visit_entry(struct relay *r, const struct queue_entry *e, int index,
                        void (*visit)(void *arg, const struct view_message *m), void *arg)
{
    const struct envelope_rcpt *rcpt = &e->env->rcpts[index];
    struct view_message row = {
        .env = e->env, .rcpt = rcpt, .attempts = rcpt->attempts, .last_reply = rcpt->reply, .state = VIEW_SENDING,
    };

    if (e->state == ENTRY_READY) {
        row.state = queue_view_state(&r->mta, e->queue);
        row.next_attempt_ms = row.state == VIEW_HELD ? 0 : r->mta.now->wall_ms;
        if (row.state == VIEW_WAITING)
            row.next_attempt_ms = not_before_queue(r, e->queue, row.next_attempt_ms);
    }
    if (!row.last_reply.time_ms)
        row.last_reply = e->queue->last.reply;
    visit(arg, &row);
}

static void on_listed(void *arg, int rc, const struct load_result *result)
{
    struct listing *l = arg;
    char next[KEY_SIZE] = "", id[ULID_TEXT];

    for (int i = 0; rc == 0 && i < result->count; i++) {
        const struct envelope *env = result->envelopes[i];

        for (int k = 0; k < env->rcpt_count; k++)
            if (env->rcpts[k].queue.id == l->queue && !queues_has_rcpt(&l->relay->mta.queues, &env->id, env->rcpts[k].number))
                visit_parked(l->relay, env, &env->rcpts[k], l->visit, l->arg);
    }
    if (rc == 0 && result->more) {
        ulid_text(&result->after.message, id);
        snprintf(next, sizeof next, "p%" PRId64 ".%s.%u", result->after.due_ms, id, result->after.number);
    }
    l->done(l->arg, slice_of(next));
    free(l);
}

/* One recipient that is in memory, with its key. */
struct memory_row {
    const struct queue_entry *entry;
    int index;
    char key[MEMORY_KEY_SIZE];
};

static int collect(const struct queue *q, struct memory_row **ret)
{
    const struct queue_entries *lines[] = { &q->ready, &q->busy };
    struct memory_row *rows = malloc((size_t)(queue_in_memory(q) + 1) * sizeof *rows);
    int n = 0;

    if (!rows)
        return FL_ENOMEM;
    for (int i = 0; i < 2; i++)
        for (const struct queue_entry *e = TAILQ_FIRST(lines[i]); e; e = TAILQ_NEXT(e, link))
            for (int k = 0; k < e->rcpt_count; k++) {
                char id[ULID_TEXT];

                ulid_text(&e->env->id, id);
                rows[n] = (struct memory_row){ .entry = e, .index = e->rcpt[k] };
                snprintf(rows[n].key, sizeof rows[n].key, "m%s.%08x", id, e->env->rcpts[e->rcpt[k]].number);
                n++;
            }
    *ret = rows;
    return n;
}

/* Those in memory behind the key; returns how many were visited, negative: out of memory. */
static int list_memory(struct relay *r, const struct queue *q, struct slice after, int limit, bool *ret_more, char next[KEY_SIZE],
                       void (*visit)(void *arg, const struct view_message *m), void *arg)
{
    struct memory_row *rows = NULL;
    struct page page;
    int n = collect(q, &rows), rc = n < 0 ? n : page_init(&page, limit);

    if (rc < 0) {
        free(rows);
        return rc;
    }
    for (int i = 0; i < n; i++)
        if (page_is_behind(slice_of(rows[i].key), after))
            page_add(&page, slice_of(rows[i].key), &rows[i]);
    page_sort(&page);
    for (int i = 0; i < page.count; i++) {
        const struct memory_row *row = page.item[i];

        visit_entry(r, row->entry, row->index, visit, arg);
        snprintf(next, KEY_SIZE, "%s", row->key);
    }
    *ret_more = page.more;
    n = page.count;
    page_free(&page);
    free(rows);
    return n;
}

static bool parse_parked_key(struct slice key, struct load_key *ret)
{
    struct slice due, id;
    uint64_t number, due_ms;

    *ret = (struct load_key){ 0 };
    if (key.n == 0 || key.p[0] != 'p')
        return false;
    key = slice_skip(key, 1);
    due = slice_cut(&key, '.');
    id = slice_cut(&key, '.');
    if (!slice_to_u64(due, INT64_MAX, &due_ms) || !ulid_parse(id, &ret->message) || !slice_to_u64(key, UINT32_MAX, &number))
        return false;
    ret->due_ms = (int64_t)due_ms;
    ret->number = (uint32_t)number;
    return true;
}

int relay_view_messages(struct relay *r, struct slice queue, struct slice after, int limit,
                        void (*visit)(void *arg, const struct view_message *m),
                        void (*done)(void *arg, struct slice next), void *arg)
{
    struct queue *q = queues_find(&r->mta.queues, queue);
    struct load_key key = { 0 };
    char next[KEY_SIZE] = "";
    bool more = false;
    struct listing *l;
    int n = 0;

    if (!q)
        return FL_ENOENT;
    if (!parse_parked_key(after, &key)) {
        if (after.n && after.p[0] != 'm')
            return FL_EINVAL;
        n = list_memory(r, q, after, limit, &more, next, visit, arg);
        if (n < 0)
            return n;
        if (more) {
            done(arg, slice_of(next));
            return 0;
        }
    }
    l = malloc(sizeof *l);
    if (!l)
        return FL_ENOMEM;
    *l = (struct listing){ r, q->key.id, visit, done, arg };
    store_list_queue(r->mta.store, q->key.id, &key, limit > n ? limit - n : 1, on_listed, l);
    return 0;
}

/* ---------------------------------------------------------------- one message */
struct showing {
    struct relay *relay;
    void (*visit)(void *arg, const struct view_message *m);
    void (*done)(void *arg, bool found);
    void *arg;
};

static bool visit_in_memory(struct relay *r, const struct ulid *id, uint32_t number,
                            void (*visit)(void *arg, const struct view_message *m), void *arg)
{
    const struct message_entries *m = queues_message(&r->mta.queues, id);

    for (const struct queue_entry *e = m ? m->first : NULL; e; e = e->next_of_message)
        for (int i = 0; i < e->rcpt_count; i++)
            if (e->env->rcpts[e->rcpt[i]].number == number) {
                visit_entry(r, e, e->rcpt[i], visit, arg);
                return true;
            }
    return false;
}

static void on_shown(void *arg, int rc, const struct load_result *result)
{
    struct showing *s = arg;
    bool found = rc == 0 && result->count > 0;

    for (int i = 0; found && i < result->count; i++) {
        const struct envelope *env = result->envelopes[i];

        for (int k = 0; k < env->rcpt_count; k++)
            if (!visit_in_memory(s->relay, &env->id, env->rcpts[k].number, s->visit, s->arg))
                visit_parked(s->relay, env, &env->rcpts[k], s->visit, s->arg);
    }
    s->done(s->arg, found);
    free(s);
}

void relay_view_message(struct relay *r, const struct ulid *id, void (*visit)(void *arg, const struct view_message *m),
                        void (*done)(void *arg, bool found), void *arg)
{
    struct showing *s = malloc(sizeof *s);

    if (!s) {
        done(arg, false);
        return;
    }
    *s = (struct showing){ r, visit, done, arg };
    store_show(r->mta.store, id, on_shown, s);
}

/* ---------------------------------------------------------------- its content */
struct reading {
    struct relay *relay;
    struct body *body; /* a reference */
    uint64_t at;
    struct wire_unstuff unstuff;
    bool (*piece)(void *arg, struct slice bytes);
    void (*done)(void *arg, int rc);
    void *arg;
};

static void end_reading(struct reading *rd, int rc)
{
    rd->done(rd->arg, rc);
    body_unref(rd->body);
    free(rd);
}

static void on_bytes(void *arg, int rc, struct slice bytes);

static void read_on(struct reading *rd)
{
    uint64_t left = body_length(rd->body) - rd->at;

    if (left == 0)
        end_reading(rd, 0);
    else
        store_read(rd->relay->mta.store, rd->body, rd->at, left < CONTENT_PIECE ? left : CONTENT_PIECE, on_bytes, rd);
}

/* False: the reader wants no more. */
static bool pass_on(struct reading *rd, struct slice bytes)
{
    struct slice piece;

    if (body_is_raw(rd->body))
        return rd->piece(rd->arg, bytes);
    while (wire_unstuff_next(&rd->unstuff, &bytes, &piece))
        if (!rd->piece(rd->arg, piece))
            return false;
    return true;
}

static void on_bytes(void *arg, int rc, struct slice bytes)
{
    struct reading *rd = arg;

    if (rc < 0 || bytes.n == 0) {
        end_reading(rd, rc < 0 ? rc : FL_EIO);
        return;
    }
    rd->at += bytes.n;
    if (pass_on(rd, bytes))
        read_on(rd);
    else
        end_reading(rd, 0);
}

static void on_found(void *arg, int rc, const struct load_result *result)
{
    struct reading *rd = arg;

    if (rc < 0 || result->count == 0 || !result->envelopes[0]->body) {
        end_reading(rd, rc < 0 ? rc : FL_ENOENT);
        return;
    }
    rd->body = body_ref(result->envelopes[0]->body);
    read_on(rd);
}

void relay_view_content(struct relay *r, const struct ulid *id, bool (*piece)(void *arg, struct slice bytes),
                        void (*done)(void *arg, int rc), void *arg)
{
    struct reading *rd = calloc(1, sizeof *rd);

    if (!rd) {
        done(arg, FL_ENOMEM);
        return;
    }
    wire_unstuff_init(&rd->unstuff);
    rd->relay = r;
    rd->piece = piece;
    rd->done = done;
    rd->arg = arg;
    store_show(r->mta.store, id, on_found, rd);
}
