/* share.c: see share.h. */
#include "share.h"

#include "fault.h"

void sched_mark(struct sched *s, struct path *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    TAILQ_INSERT_TAIL(&s->dirty, p, dirty_link);
}

static bool share_is_runnable(const struct share *sh)
{
    return !TAILQ_EMPTY(&sh->ring) && !sh->waiter.at && sh->blocked_until_ms == 0;
}

void share_settle(struct share *sh)
{
    struct path_tenant *pt = sh->tenant;
    bool is_in = heap_has(&sh->node), want = share_is_runnable(sh);

    if (want == is_in)
        return;
    if (!want) {
        heap_remove(&sh->lane->heap, &sh->node);
        pt->active--;
        return;
    }
    /* who comes back does not bring what it did not use meanwhile */
    if (pt->active == 0 && pt->vtime < pt->path->vtime && !FAULT(time_not_raised))
        pt->vtime = pt->path->vtime;
    /* without memory the share is tried again at its next change */
    if (heap_set(&sh->lane->heap, &sh->node, pt->vtime, TAILQ_FIRST(&sh->ring)->queue->key.id) == 0)
        pt->active++;
}

void path_tenant_rekey(struct path_tenant *pt)
{
    for (struct share *sh = pt->shares; sh; sh = sh->next_of_tenant)
        if (heap_has(&sh->node))
            (void)heap_set(&sh->lane->heap, &sh->node, pt->vtime, sh->node.tie);
}

void share_wake(struct limit_waiter *w)
{
    struct share *sh = (struct share *)((char *)w - offsetof(struct share, waiter));

    if (!sh->woken)
        TAILQ_INSERT_TAIL(&sh->lane->path->woken, sh, woken_link);
    sh->woken = true;
    share_settle(sh);
    sched_mark(sh->lane->path->sched, sh->lane->path);
}

void share_pass(struct share *sh)
{
    if (sh->woken)
        TAILQ_REMOVE(&sh->lane->path->woken, sh, woken_link);
    sh->woken = false;
    limit_waiter_pass(&sh->waiter);
}

void path_pass_on(struct path *p)
{
    struct share *sh;

    while ((sh = TAILQ_FIRST(&p->woken)))
        share_pass(sh);
    limit_waiter_pass(&p->waiter);
}

void turn_set(struct turn *t, bool in)
{
    if (t->in_ring == in)
        return;
    t->in_ring = in;
    if (in)
        TAILQ_INSERT_TAIL(&t->share->ring, t, ring);
    else
        TAILQ_REMOVE(&t->share->ring, t, ring);
    if (!in && TAILQ_EMPTY(&t->share->ring))
        limit_waiter_cancel(&t->share->waiter);
    share_settle(t->share);
    if (in)
        sched_mark(t->path->sched, t->path);
}
