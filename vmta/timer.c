/* timer.c: see timer.h. */
#include "timer.h"

void timers_init(struct timers *ts)
{
    *ts = (struct timers){ 0 };
}

void timers_free(struct timers *ts)
{
    heap_free(&ts->heap);
}

void timer_init(struct timer *t, void (*fire)(void *arg), void *arg)
{
    *t = (struct timer){ .fire = fire, .arg = arg };
}

int timer_set(struct timers *ts, struct timer *t, int64_t mono_ms)
{
    if (mono_ms == NEVER_MS) {
        timer_stop(ts, t);
        return 0;
    }
    return heap_set(&ts->heap, &t->node, mono_ms, ++ts->sequence);
}

void timer_stop(struct timers *ts, struct timer *t)
{
    heap_remove(&ts->heap, &t->node);
}

int64_t timers_next_ms(const struct timers *ts)
{
    const struct heap_node *first = heap_first(&ts->heap);

    return first ? first->key : NEVER_MS;
}

/* What a callback sets has a later sequence than this run's last. With a key of now it sorts behind all that is due; one for
 * the past is moved there, so that meeting the first of them means that nothing older is left. */
void timers_run(struct timers *ts, int64_t mono_ms)
{
    uint64_t last = ts->sequence;
    struct heap_node *n;

    while ((n = heap_first(&ts->heap)) && n->key <= mono_ms) {
        struct timer *t = HEAP_ENTRY(n, struct timer, node);

        if (n->tie > last) {
            if (n->key == mono_ms)
                return;
            heap_set(&ts->heap, n, mono_ms, n->tie);
            continue;
        }
        heap_remove(&ts->heap, n);
        t->fire(t->arg);
    }
}
