/* mailbox.c: see mailbox.h. */
#include "mailbox.h"

#include <errno.h>
#include <time.h>

int mailbox_init(struct mailbox *m)
{
    pthread_condattr_t attr;

    *m = (struct mailbox){ .ops = STAILQ_HEAD_INITIALIZER(m->ops) };
    if (pthread_mutex_init(&m->lock, NULL) != 0)
        return FL_ENOMEM;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (pthread_cond_init(&m->arrived, &attr) != 0) {
        pthread_mutex_destroy(&m->lock);
        return FL_ENOMEM;
    }
    pthread_condattr_destroy(&attr);
    return 0;
}

void mailbox_free(struct mailbox *m)
{
    struct op *op;

    while ((op = STAILQ_FIRST(&m->ops))) {
        STAILQ_REMOVE_HEAD(&m->ops, link);
        op_free(op);
    }
    pthread_cond_destroy(&m->arrived);
    pthread_mutex_destroy(&m->lock);
}

bool mailbox_post(struct mailbox *m, struct op_list *ops, bool eager)
{
    bool was_empty, wake;

    pthread_mutex_lock(&m->lock);
    was_empty = STAILQ_EMPTY(&m->ops);
    wake = was_empty || (eager && !m->eager);
    m->eager |= eager;
    STAILQ_CONCAT(&m->ops, ops);
    pthread_mutex_unlock(&m->lock);
    if (wake)
        pthread_cond_signal(&m->arrived);
    return was_empty;
}

void mailbox_take(struct mailbox *m, struct op_list *to)
{
    pthread_mutex_lock(&m->lock);
    STAILQ_CONCAT(to, &m->ops);
    m->eager = false;
    pthread_mutex_unlock(&m->lock);
}

static struct timespec from_now(int ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool mailbox_wait(struct mailbox *m, int timeout_ms, int linger_ms)
{
    struct timespec until = from_now(timeout_ms < 0 ? 0 : timeout_ms);
    bool more;

    pthread_mutex_lock(&m->lock);
    while (STAILQ_EMPTY(&m->ops) && !m->closed) {
        if (timeout_ms < 0)
            pthread_cond_wait(&m->arrived, &m->lock);
        else if (pthread_cond_timedwait(&m->arrived, &m->lock, &until) == ETIMEDOUT)
            break;
    }
    if (!STAILQ_EMPTY(&m->ops) && linger_ms > 0) {
        until = from_now(linger_ms);
        while (!m->eager && !m->closed)
            if (pthread_cond_timedwait(&m->arrived, &m->lock, &until) == ETIMEDOUT)
                break;
    }
    more = !m->closed || !STAILQ_EMPTY(&m->ops);
    pthread_mutex_unlock(&m->lock);
    return more;
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    pthread_mutex_unlock(&m->lock);
    pthread_cond_signal(&m->arrived);
}
