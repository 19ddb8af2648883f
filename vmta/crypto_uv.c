/* crypto_uv.c: see crypto_uv.h and crypto.h. */
#include "crypto_uv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "now_uv.h"

enum {
    CRYPTO_WORK_MAX = 10000, /* waiting or running */
    CRYPTO_AUTH_RUNNING_MAX = 2,
    CRYPTO_AUTH_WAITING_MAX = 1000,
    CRYPTO_PAM_MAX = 100,    /* at two seconds each, more would wait for minutes */
};

struct crypto_job {
    uv_work_t work; /* not for PAM */
    struct crypto *crypto;
    enum crypto_class class;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
    STAILQ_ENTRY(crypto_job) link;
};

STAILQ_HEAD(crypto_jobs, crypto_job);

/* PAM's thread takes from `asked` and puts into `answered`. */
struct pam_thread {
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t wake;
    uv_async_t answer;
    struct crypto_jobs asked, answered;
    bool stopping;
};

struct crypto {
    uv_loop_t *uv;
    int work_count;
    int auth_running, auth_waiting;
    struct crypto_jobs auth; /* waiting */
    int pam_count;
    bool has_pam; /* its thread begins with the first job */
    struct pam_thread pam;
    bool freeing;
};

int crypto_new(uv_loop_t *uv, struct crypto **ret, struct fl_err *err)
{
    struct crypto *c = calloc(1, sizeof *c);

    if (!c)
        return fl_fail(err, FL_ENOMEM, "crypto: out of memory");
    c->uv = uv;
    STAILQ_INIT(&c->auth);
    STAILQ_INIT(&c->pam.asked);
    STAILQ_INIT(&c->pam.answered);
    *ret = c;
    return 0;
}

/* ---------------------------------------------------------------- PAM */
static void pam_main(void *arg)
{
    struct pam_thread *p = arg;
    struct crypto_job *job;

    uv_mutex_lock(&p->lock);
    while (!p->stopping || !STAILQ_EMPTY(&p->asked)) {
        job = STAILQ_FIRST(&p->asked);
        if (!job) {
            uv_cond_wait(&p->wake, &p->lock);
            continue;
        }
        STAILQ_REMOVE_HEAD(&p->asked, link);
        uv_mutex_unlock(&p->lock);
        job->run(job->arg);
        uv_mutex_lock(&p->lock);
        STAILQ_INSERT_TAIL(&p->answered, job, link);
        uv_async_send(&p->answer);
    }
    uv_mutex_unlock(&p->lock);
}

static void finish_free(struct crypto *c);

static void on_pam_answer(uv_async_t *handle)
{
    struct crypto *c = handle->data;
    struct crypto_jobs answered = STAILQ_HEAD_INITIALIZER(answered);
    struct crypto_job *job;

    now_refresh(handle->loop);
    uv_mutex_lock(&c->pam.lock);
    STAILQ_CONCAT(&answered, &c->pam.answered);
    uv_mutex_unlock(&c->pam.lock);
    while ((job = STAILQ_FIRST(&answered))) {
        STAILQ_REMOVE_HEAD(&answered, link);
        c->pam_count--;
        job->done(job->arg);
        free(job);
    }
    finish_free(c);
}

static int pam_start(struct crypto *c)
{
    struct pam_thread *p = &c->pam;

    if (c->has_pam)
        return 0;
    if (uv_mutex_init(&p->lock) != 0)
        return FL_ENOMEM;
    if (uv_cond_init(&p->wake) != 0)
        goto no_cond;
    if (uv_thread_create(&p->thread, pam_main, p) != 0)
        goto no_thread;
    uv_async_init(c->uv, &p->answer, on_pam_answer);
    p->answer.data = c;
    c->has_pam = true;
    return 0;
no_thread:
    uv_cond_destroy(&p->wake);
no_cond:
    uv_mutex_destroy(&p->lock);
    return FL_ENOMEM;
}

static int pam_run(struct crypto *c, struct crypto_job *job)
{
    if (c->pam_count >= CRYPTO_PAM_MAX)
        return FL_ELIMIT;
    if (pam_start(c) < 0)
        return FL_ENOMEM;
    c->pam_count++;
    uv_mutex_lock(&c->pam.lock);
    STAILQ_INSERT_TAIL(&c->pam.asked, job, link);
    uv_cond_signal(&c->pam.wake);
    uv_mutex_unlock(&c->pam.lock);
    return 0;
}

/* ---------------------------------------------------------------- libuv's pool */
static void work_run(uv_work_t *work)
{
    struct crypto_job *job = work->data;

    job->run(job->arg);
}

static void auth_start(struct crypto *c);

static void work_done(uv_work_t *work, int status)
{
    struct crypto_job *job = work->data;
    struct crypto *c = job->crypto;

    now_refresh(c->uv);
    if (job->class == CRYPTO_AUTH)
        c->auth_running--;
    else
        c->work_count--;
    auth_start(c);
    job->done(job->arg);
    free(job);
    finish_free(c);
}

static void pool_start(struct crypto_job *job)
{
    job->work.data = job;
    uv_queue_work(job->crypto->uv, &job->work, work_run, work_done); /* fails only without a function to run */
}

static void auth_start(struct crypto *c)
{
    struct crypto_job *job;

    while (c->auth_running < CRYPTO_AUTH_RUNNING_MAX && (job = STAILQ_FIRST(&c->auth))) {
        STAILQ_REMOVE_HEAD(&c->auth, link);
        c->auth_waiting--;
        c->auth_running++;
        pool_start(job);
    }
}

static int auth_run(struct crypto *c, struct crypto_job *job)
{
    if (c->auth_waiting >= CRYPTO_AUTH_WAITING_MAX)
        return FL_ELIMIT;
    c->auth_waiting++;
    STAILQ_INSERT_TAIL(&c->auth, job, link);
    auth_start(c);
    return 0;
}

static int pool_run(struct crypto *c, struct crypto_job *job)
{
    if (c->work_count >= CRYPTO_WORK_MAX)
        return FL_ELIMIT;
    c->work_count++;
    pool_start(job);
    return 0;
}

int crypto_run(struct crypto *c, enum crypto_class class, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    static int (*const run[])(struct crypto *c, struct crypto_job *job) = {
        [CRYPTO_WORK] = pool_run, [CRYPTO_AUTH] = auth_run, [CRYPTO_PAM] = pam_run,
    };
    struct crypto_job *job = c->freeing ? NULL : calloc(1, sizeof *job);
    int rc;

    if (!job)
        return FL_ELIMIT;
    *job = (struct crypto_job){ .crypto = c, .class = class, .run = work, .done = done, .arg = arg };
    rc = run[class](c, job);
    if (rc < 0)
        free(job);
    return rc < 0 ? FL_ELIMIT : 0;
}

/* ---------------------------------------------------------------- the end */
static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Frees when nothing is under way. */
static void finish_free(struct crypto *c)
{
    if (!c->freeing || c->work_count + c->auth_running + c->auth_waiting + c->pam_count > 0)
        return;
    if (!c->has_pam) {
        free(c);
        return;
    }
    uv_mutex_lock(&c->pam.lock);
    c->pam.stopping = true;
    uv_cond_signal(&c->pam.wake);
    uv_mutex_unlock(&c->pam.lock);
    uv_thread_join(&c->pam.thread);
    uv_cond_destroy(&c->pam.wake);
    uv_mutex_destroy(&c->pam.lock);
    uv_close((uv_handle_t *)&c->pam.answer, on_closed);
}

void crypto_free(struct crypto *c)
{
    if (!c)
        return;
    c->freeing = true;
    finish_free(c);
}
