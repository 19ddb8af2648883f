/* admin_http_uv.c: libuv drives admin_http. Loop thread. */
#include "admin_http_uv.h"

#include <stdlib.h>

enum { POLLS = 2 };

struct poll {
    uv_poll_t handle;
    struct admin_http_uv *owner;
    int fd;
};

struct admin_http_uv {
    uv_loop_t *loop;
    struct admin_http *http;
    uv_timer_t timer;
    struct poll *polls[POLLS]; /* one for each descriptor that is watched; NULL: unused */
    bool is_stopping;
};

static void run(struct admin_http_uv *u);

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct poll *p = handle->data;

    run(p->owner);
}

static void on_timer(uv_timer_t *handle)
{
    run(handle->data);
}

/* At the loop's next turn, not now: it may be running. */
static void on_wake(void *arg)
{
    struct admin_http_uv *u = arg;

    if (!u->is_stopping)
        uv_timer_start(&u->timer, on_timer, 0, 0);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct admin_http_uv *u, int i)
{
    if (!u->polls[i])
        return;
    uv_poll_stop(&u->polls[i]->handle);
    uv_close((uv_handle_t *)&u->polls[i]->handle, on_poll_closed);
    u->polls[i] = NULL;
}

static int watch(struct admin_http_uv *u, int fd)
{
    struct poll *p;
    int i = 0;

    for (int k = 0; k < POLLS; k++)
        if (u->polls[k] && u->polls[k]->fd == fd)
            return 0;
    while (i < POLLS && u->polls[i])
        i++;
    if (i == POLLS)
        return FL_ELIMIT;
    p = calloc(1, sizeof *p);
    if (!p)
        return FL_ENOMEM;
    p->owner = u;
    p->fd = fd;
    if (uv_poll_init(u->loop, &p->handle, fd) < 0) {
        free(p);
        return FL_EIO;
    }
    p->handle.data = p;
    u->polls[i] = p;
    return uv_poll_start(&p->handle, UV_READABLE, on_poll) < 0 ? FL_EIO : 0;
}

/* Watches all that admin_http listens on. */
static int follow(struct admin_http_uv *u)
{
    int fds[POLLS], count = admin_http_fds(u->http, fds), rc = 0;

    for (int i = 0; i < count && rc == 0; i++)
        rc = watch(u, fds[i]);
    return rc;
}

static void run(struct admin_http_uv *u)
{
    int64_t wait_ms;

    if (u->is_stopping)
        return;
    wait_ms = admin_http_run(u->http);
    if (wait_ms < 0)
        uv_timer_stop(&u->timer);
    else
        uv_timer_start(&u->timer, on_timer, (uint64_t)wait_ms, 0);
}

int admin_http_uv_start(uv_loop_t *loop, struct admin_http *http, struct admin_http_uv **ret, struct fl_err *err)
{
    struct admin_http_uv *u = calloc(1, sizeof *u);
    int rc;

    if (!u)
        return fl_fail(err, FL_ENOMEM, "admin: out of memory");
    u->loop = loop;
    u->http = http;
    uv_timer_init(loop, &u->timer);
    u->timer.data = u;
    admin_http_on_wake(http, on_wake, u);
    rc = follow(u);
    if (rc < 0) {
        admin_http_uv_stop(u);
        return fl_fail(err, rc, "admin: cannot watch its sockets");
    }
    run(u);
    *ret = u;
    return 0;
}

int admin_http_uv_set_tcp(struct admin_http_uv *u, const struct inet_endpoint *endpoint, struct fl_err *err)
{
    int rc = 0, watched;

    for (int i = 0; i < POLLS; i++)
        unwatch(u, i); /* before its descriptor is closed, and perhaps given to something else */
    admin_http_remove_tcp(u->http);
    if (endpoint)
        rc = admin_http_add_tcp(u->http, endpoint, err);
    watched = follow(u);
    run(u);
    return rc == 0 && watched < 0 ? fl_fail(err, watched, "admin: cannot watch its sockets") : rc;
}

void admin_http_uv_stop(struct admin_http_uv *u)
{
    if (!u)
        return;
    u->is_stopping = true;
    admin_http_on_wake(u->http, NULL, NULL);
    for (int i = 0; i < POLLS; i++)
        unwatch(u, i);
    uv_close((uv_handle_t *)&u->timer, on_timer_closed);
}
