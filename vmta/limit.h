/* limit.h: what bounds deliveries and submissions: a rate as a token bucket, a count of things at once.
 * Pure; loop thread. Neither polls: one says when it has room again, the other wakes who was refused first. */
#ifndef FL_LIMIT_H
#define FL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fault.h"
#include "units.h"

/* A rate, evenly spaced, with a burst of one second's worth, at least 1. Counted in fractions of an event, in integers, so that a
 * year of 1/20m does not drift. All zero: unlimited. */
struct bucket {
    struct rate rate;
    int64_t credit;  /* in 1/per_ms of an event; below zero after one taking that was larger than the burst */
    int64_t at_ms;   /* mono: when credit was last brought up to date */
};

/* Full at first. */
void bucket_init(struct bucket *b, struct rate rate, int64_t now_ms);
/* A new rate; the credit that was there is kept, up to the new burst. Nothing when it is the same. */
void bucket_set_rate(struct bucket *b, struct rate rate, int64_t now_ms);
/* How many events could be taken now, at most want. */
int64_t bucket_room(struct bucket *b, int64_t want, int64_t now_ms);
/* Takes n, which bucket_room permitted. */
void bucket_take(struct bucket *b, int64_t n, int64_t now_ms);
/* Gives back what was taken and did not happen. */
void bucket_give_back(struct bucket *b, int64_t n);
/* When one event has room: now_ms or later. */
int64_t bucket_next_ms(struct bucket *b, int64_t now_ms);
/* When it is full again, and so may be forgotten: now_ms or later. */
int64_t bucket_full_ms(struct bucket *b, int64_t now_ms);

/* Who was refused by a ceiling, and is to be told when it has room. Lives in the object that waits. Who is woken has one place promised:
 * it takes that, or passes it on (limit_waiter_pass), else it would be lost on those behind. */
struct limit_waiter {
    TAILQ_ENTRY(limit_waiter) link;
    struct ceiling *at;       /* NULL: not waiting */
    struct ceiling *woken_by; /* it has a place for this one to take or to pass on; NULL: none does */
    bool kept;                /* nobody else may take that place meanwhile */
    void (*wake)(struct limit_waiter *w);
};

/* At most `max` things at once. */
struct ceiling {
    int64_t max, used, promised; /* promised: to those who were woken */
    TAILQ_HEAD(, limit_waiter) waiters;
};

void ceiling_init(struct ceiling *c, int64_t max);
static inline bool ceiling_has_room(const struct ceiling *c) { return c->used + c->promised - FAULT(ceiling_off_by_one) < c->max; }
/* A raised maximum wakes who waits. */
void ceiling_set_max(struct ceiling *c, int64_t max);
/* Room for anybody, or the place that it keeps for w. */
static inline bool ceiling_permits(const struct ceiling *c, const struct limit_waiter *w)
{
    return (w->woken_by == c && w->kept) || ceiling_has_room(c);
}
void ceiling_take(struct ceiling *c, struct limit_waiter *w);
/* Gives one back and wakes the first who waits, if there is room. */
void ceiling_give_back(struct ceiling *c);
/* Queues w behind the others, once. */
void ceiling_wait(struct ceiling *c, struct limit_waiter *w);
void limit_waiter_cancel(struct limit_waiter *w);
/* After each wake, when w has had its chance: what it did not take is for the next one. It is kept for that one no more: two who need
 * a place at two ceilings each, and hold one, would pass them to each other for ever. */
void limit_waiter_pass(struct limit_waiter *w);

#endif
