/* envelope.c: see envelope.h. */
#include "envelope.h"

#include <stdlib.h>

#include "body.h"

enum { ENVELOPE_ARENA = 1024, RCPTS_MIN = 1 };

static const char *const stage_names[STAGES] = {
    [STAGE_NONE] = "",         [STAGE_DNS] = "dns",   [STAGE_CONNECT] = "connect",   [STAGE_TLS] = "tls",
    [STAGE_BANNER] = "banner", [STAGE_EHLO] = "ehlo", [STAGE_STARTTLS] = "starttls", [STAGE_AUTH] = "auth",
    [STAGE_MAIL] = "mail",     [STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data",         [STAGE_DOT] = "dot",
};

const char *reply_stage_name(enum reply_stage stage)
{
    return stage >= 0 && stage < STAGES ? stage_names[stage] : "";
}

struct envelope *envelope_new(int rcpt_hint)
{
    size_t room = (size_t)(rcpt_hint > RCPTS_MIN ? rcpt_hint : RCPTS_MIN);
    struct arena *a = arena_new(ENVELOPE_ARENA + room * sizeof(struct envelope_rcpt));
    struct envelope *e = a ? arena_alloc(a, sizeof *e) : NULL;
    struct envelope_rcpt *rcpts = e ? arena_alloc(a, room * sizeof *rcpts) : NULL;

    if (!rcpts) {
        arena_free(a);
        return NULL;
    }
    atomic_init(&e->refs, 1);
    e->arena = a;
    e->rcpts = rcpts;
    e->rcpt_room = (int)room;
    return e;
}

struct envelope *envelope_ref(struct envelope *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void envelope_unref(struct envelope *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1)
        return;
    body_unref(e->body);
    arena_free(e->arena);
}

struct slice envelope_text(struct envelope *e, struct slice s)
{
    return arena_copy(e->arena, s);
}

/* Room for one more; the old array stays in the arena until the envelope goes. */
static bool rcpts_grow(struct envelope *e)
{
    size_t room = (size_t)e->rcpt_room * 2;
    struct envelope_rcpt *bigger = arena_alloc(e->arena, room * sizeof *bigger);

    if (!bigger)
        return false;
    memcpy(bigger, e->rcpts, (size_t)e->rcpt_count * sizeof *bigger);
    e->rcpts = bigger;
    e->rcpt_room = (int)room;
    return true;
}

/* Copies a text in place. An empty one needs no memory. */
static bool keep(struct envelope *e, struct slice *s)
{
    if (s->n == 0) {
        *s = SLICE_NONE;
        return true;
    }
    *s = arena_copy(e->arena, *s);
    return s->p != NULL;
}

/* Recipients of one queue in a row share the copy of its names. */
static bool keep_queue(struct envelope *e, struct queue_key *key)
{
    const struct queue_key *last = e->rcpt_count ? &e->rcpts[e->rcpt_count - 1].queue : NULL;

    if (last && last->id == key->id && slice_eq(last->tenant, key->tenant) && slice_eq(last->vmta, key->vmta) &&
        slice_eq(last->domain, key->domain)) {
        *key = *last;
        return true;
    }
    return keep(e, &key->tenant) && keep(e, &key->vmta) && keep(e, &key->domain);
}

struct envelope_rcpt *envelope_add_rcpt(struct envelope *e, const struct envelope_rcpt *r)
{
    struct envelope_rcpt copy = *r;

    if (e->rcpt_count == e->rcpt_room && !rcpts_grow(e))
        return NULL;
    if (!keep(e, &copy.address) || !keep(e, &copy.orcpt) || !keep_queue(e, &copy.queue) || !keep(e, &copy.reply.enhanced) ||
        !keep(e, &copy.reply.text) || !keep(e, &copy.reply.mx))
        return NULL;
    copy.number = e->rcpt_count ? e->rcpts[e->rcpt_count - 1].number + 1 : 0;
    e->rcpts[e->rcpt_count] = copy;
    return &e->rcpts[e->rcpt_count++];
}

const struct envelope_rcpt *envelope_rcpt_find(const struct envelope *e, uint32_t number)
{
    int low = 0, high = e->rcpt_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (e->rcpts[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->rcpt_count && e->rcpts[low].number == number ? &e->rcpts[low] : NULL;
}

bool envelope_is_first_of_queue(const struct envelope *e, int i)
{
    for (int k = 0; k < i; k++)
        if (e->rcpts[k].queue.id == e->rcpts[i].queue.id)
            return false;
    return true;
}
