/* oracle_store.c: what the store holds after a start is what the books say must be there. See oracle.h. */
#include <stdio.h>

#include "oracle_books.h"

enum { LIST_AT_ONCE = 100000 };

struct look {
    struct oracle *oracle;
    int64_t recipients;
};

static void found(struct look *l, const struct envelope *e)
{
    struct world *w = l->oracle->world;

    for (int i = 0; i < e->rcpt_count; i++) {
        char address[TEXT];
        struct rcpt *r;

        snprintf(address, sizeof address, "%.*s", SLICE_ARG(e->rcpts[i].address));
        r = books_rcpt(l->oracle, address);
        l->recipients++;
        if (!r)
            continue; /* a DSN */
        if (r->found)
            world_broken(w, "%s is stored twice", address);
        if (has_ended(r))
            world_broken(w, "%s had ended, and is in the store again", address);
        r->found = true;
    }
}

static void on_loaded(void *arg, int rc, const struct load_result *result)
{
    struct look *l = arg;

    if (rc < 0)
        return;
    for (int i = 0; i < result->count; i++) {
        found(l, result->envelopes[i]);
        envelope_unref(result->envelopes[i]);
    }
}

static void judge_found(struct oracle *o, struct message *m)
{
    int there = 0;

    for (int i = 0; i < m->count; i++)
        there += m->rcpts[i].found;
    if (m->state == OFFERED) {
        m->state = there ? ACCEPTED : LOST; /* committed, and the client never heard of it */
        if (there && there < m->count)
            world_broken(o->world, "message %d is stored in part", m->number);
    }
    if (m->state != ACCEPTED && there)
        world_broken(o->world, "message %d was refused, and is in the store", m->number);
    for (int i = 0; i < m->count && m->state == ACCEPTED; i++) {
        struct rcpt *r = &m->rcpts[i];

        if (r->found || has_ended(r))
            continue;
        if (r->yes == 0 && !r->no && !r->lied && !books_may_bounce(o, r) && !o->may_drop && !books_has_expired(o, m, r))
            world_broken(o->world, "%s is lost", r->address);
        r->ended_unheard = true;
    }
}

void oracle_recovered(struct oracle *o)
{
    struct world *w = o->world;
    const struct store_recovered *s = store_recovered(w->store);
    struct look look = { .oracle = o };
    int64_t counted = 0;

    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < o->messages[i]->count; k++)
            o->messages[i]->rcpts[k].found = false;
    for (int i = 0; i < s->fresh_count; i++) {
        found(&look, s->fresh[i]);
        counted += s->fresh[i]->rcpt_count;
    }
    for (int i = 0; i < s->queue_count; i++) {
        counted += s->queues[i].recipients;
        store_load(w->store, s->queues[i].key.id, NEVER_MS, NULL, LIST_AT_ONCE, on_loaded, &look);
    }
    store_flush(w->store);
    while (writer_step(w->store->writer))
        ;
    store_dispatch(w->store);
    if (sim_disk_is_dead(w->disk))
        return;
    if (counted != look.recipients)
        world_broken(w, "the store counts %lld recipients and has %lld", (long long)counted, (long long)look.recipients);
    for (int i = 0; i < o->count; i++)
        judge_found(o, o->messages[i]);
    world_tell(w, "opened: %lld recipients are there", (long long)look.recipients);
}
