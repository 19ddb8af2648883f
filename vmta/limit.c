/* limit.c: see limit.h. */
#include "limit.h"

/* One second's worth in credit, at least one event. */
static int64_t burst(const struct bucket *b)
{
    int64_t second = b->rate.count * 1000;

    return second > b->rate.per_ms ? second : b->rate.per_ms;
}

static void refill(struct bucket *b, int64_t now_ms)
{
    int64_t elapsed = now_ms - b->at_ms, full = burst(b), missing = full - b->credit;

    if (elapsed <= 0)
        return;
    b->at_ms = now_ms;
    if (elapsed >= missing / b->rate.count + 1)
        b->credit = full;
    else
        b->credit += elapsed * b->rate.count;
    if (b->credit > full)
        b->credit = full;
}

void bucket_init(struct bucket *b, struct rate rate, int64_t now_ms)
{
    *b = (struct bucket){ .rate = rate, .at_ms = now_ms };
    if (!rate_is_unlimited(rate))
        b->credit = burst(b);
}

void bucket_set_rate(struct bucket *b, struct rate rate, int64_t now_ms)
{
    int64_t per_before = b->rate.per_ms;

    if (b->rate.count == rate.count && b->rate.per_ms == rate.per_ms)
        return;
    if (rate_is_unlimited(b->rate) || rate_is_unlimited(rate)) {
        bucket_init(b, rate, now_ms);
        return;
    }
    refill(b, now_ms);
    b->rate = rate;
    b->credit = (int64_t)((__int128)b->credit * rate.per_ms / per_before);
    if (b->credit > burst(b))
        b->credit = burst(b);
}

int64_t bucket_room(struct bucket *b, int64_t want, int64_t now_ms)
{
    int64_t room;

    if (rate_is_unlimited(b->rate))
        return want;
    refill(b, now_ms);
    room = b->credit < 0 ? 0 : b->credit / b->rate.per_ms;
    return room < want ? room : want;
}

void bucket_take(struct bucket *b, int64_t n, int64_t now_ms)
{
    if (rate_is_unlimited(b->rate))
        return;
    refill(b, now_ms);
    b->credit -= n * b->rate.per_ms;
}

void bucket_give_back(struct bucket *b, int64_t n)
{
    if (!rate_is_unlimited(b->rate))
        b->credit += n * b->rate.per_ms;
}

int64_t bucket_next_ms(struct bucket *b, int64_t now_ms)
{
    int64_t missing;

    if (rate_is_unlimited(b->rate))
        return now_ms;
    refill(b, now_ms);
    missing = b->rate.per_ms - b->credit;
    return missing <= 0 ? now_ms : now_ms + (missing + b->rate.count - 1) / b->rate.count;
}

int64_t bucket_full_ms(struct bucket *b, int64_t now_ms)
{
    int64_t missing;

    if (rate_is_unlimited(b->rate))
        return now_ms;
    refill(b, now_ms);
    missing = burst(b) - b->credit;
    return missing <= 0 ? now_ms : now_ms + (missing + b->rate.count - 1) / b->rate.count;
}

void ceiling_init(struct ceiling *c, int64_t max)
{
    *c = (struct ceiling){ .max = max };
    TAILQ_INIT(&c->waiters);
}

static void wake_first(struct ceiling *c, bool keep)
{
    struct limit_waiter *w = TAILQ_FIRST(&c->waiters);

    if (!w || !ceiling_has_room(c))
        return;
    limit_waiter_cancel(w);
    w->woken_by = c;
    w->kept = keep;
    c->promised += keep;
    w->wake(w);
}

void ceiling_set_max(struct ceiling *c, int64_t max)
{
    c->max = max;
    while (!TAILQ_EMPTY(&c->waiters) && ceiling_has_room(c))
        wake_first(c, true);
}

void ceiling_take(struct ceiling *c, struct limit_waiter *w)
{
    if (w->woken_by == c) {
        w->woken_by = NULL;
        c->promised -= w->kept;
    }
    c->used++;
}

void ceiling_give_back(struct ceiling *c)
{
    c->used--;
    if (!FAULT(wake_lost))
        wake_first(c, true);
}

void ceiling_wait(struct ceiling *c, struct limit_waiter *w)
{
    if (w->at)
        return;
    w->at = c;
    TAILQ_INSERT_TAIL(&c->waiters, w, link);
}

void limit_waiter_cancel(struct limit_waiter *w)
{
    if (!w->at)
        return;
    TAILQ_REMOVE(&w->at->waiters, w, link);
    w->at = NULL;
}

void limit_waiter_pass(struct limit_waiter *w)
{
    struct ceiling *c = w->woken_by;

    if (!c)
        return;
    w->woken_by = NULL;
    c->promised -= w->kept;
    wake_first(c, false);
}
