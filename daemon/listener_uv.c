/* listener_uv.c: see listener_uv.h. */
#include "listener_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now_uv.h"

enum {
    LISTENER_BACKLOG = 4096,    /* the kernel cuts it to net.core.somaxconn */
    LISTENER_BATCH = 64,        /* accepted in one go, so that a storm of connections leaves time for those that are there */
    LISTENER_BACK_OFF_MS = 200, /* without file descriptors */
};

struct listener {
    uv_poll_t poll;
    struct listeners *set;
    struct inet_endpoint endpoint;
    const struct conf_listener *conf; /* NULL while a reload decides whether it stays */
    int fd;
    struct listener *next;
};

struct listeners {
    struct listeners_options o;
    struct conf *conf;
    struct listener *first;
    struct timer back_off;
    int spare;     /* a file descriptor to give up, so that one more connection can be accepted only to be closed */
    bool started;
    int open_handles;
    bool freeing;
};

static void on_back_off_over(void *arg);

int listeners_new(const struct listeners_options *options, struct listeners **ret, struct fl_err *err)
{
    struct listeners *ls = calloc(1, sizeof *ls);

    if (!ls)
        return fl_fail(err, FL_ENOMEM, "listeners: out of memory");
    ls->o = *options;
    ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    timer_init(&ls->back_off, on_back_off_over, ls);
    *ret = ls;
    return 0;
}

/* ---------------------------------------------------------------- accepting */
static void on_acceptable(uv_poll_t *handle, int status, int events);

static void watch(struct listener *l, bool on)
{
    if (on)
        uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
    else
        uv_poll_stop(&l->poll);
}

static void watch_all(struct listeners *ls, bool on)
{
    for (struct listener *l = ls->first; l; l = l->next)
        watch(l, on);
}

static void on_back_off_over(void *arg)
{
    struct listeners *ls = arg;

    if (ls->spare < 0)
        ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    watch_all(ls, true);
}

/* No descriptors are left: with the spare one, a connection that waits is told so by being closed, rather than left to hang;
 * then all listeners rest for a while. */
static void give_way(struct listeners *ls, struct listener *l)
{
    int fd;

    log_message(ls->o.log, LOG_LEVEL_WARNING, "accept_failed", "out of file descriptors: a connection was closed");
    if (ls->spare >= 0) {
        close(ls->spare);
        fd = accept(l->fd, NULL, NULL);
        if (fd >= 0)
            close(fd);
        ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    watch_all(ls, false);
    if (timer_set(ls->o.timers, &ls->back_off, (int64_t)uv_now(ls->o.uv) + LISTENER_BACK_OFF_MS) < 0)
        watch_all(ls, true);
}

/* One connection. False when there is none, or none can be taken. */
static bool accept_one(struct listener *l)
{
    struct listeners *ls = l->set;
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    int fd = accept4(l->fd, (struct sockaddr *)&sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct inet_endpoint peer;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            give_way(ls, l);
        return errno == ECONNABORTED || errno == EINTR; /* that one went meanwhile */
    }
    peer = inet_from_sockaddr((struct sockaddr *)&sa);
    ls->o.accepted(ls->o.arg, fd, &peer, l->conf);
    return true;
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
    struct listener *l = handle->data;

    now_refresh(handle->loop);
    for (int i = 0; i < LISTENER_BATCH && l->fd >= 0; i++)
        if (!accept_one(l))
            break;
}

/* ---------------------------------------------------------------- opening and closing */
/* A socket that is bound to the address: passed to us, or our own. */
static int bound_socket(struct listeners *ls, const struct inet_endpoint *e)
{
    struct sockaddr_storage sa;
    socklen_t size = inet_to_sockaddr(e, &sa);
    int fd = activation_socket(ls->o.activation, e), on = 1, saved;

    if (fd >= 0)
        return fd;
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (e->addr.family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sa, size) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* One that listens. What is accepted inherits TCP_NODELAY. */
static int listening_socket(struct listeners *ls, const struct inet_endpoint *e, int *ret_errno)
{
    int fd = bound_socket(ls, e), on = 1;

    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (listen(fd, LISTENER_BACKLOG) == 0)
            return fd;
    }
    *ret_errno = errno;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_listener(struct listeners *ls, const struct conf_listener *c, struct listener **ret, struct fl_err *err)
{
    struct listener *l = calloc(1, sizeof *l);
    char where[INET_ENDPOINT_TEXT];
    int e;

    if (!l)
        return fl_fail(err, FL_ENOMEM, "listeners: out of memory");
    inet_endpoint_text(&c->endpoint, where);
    l->fd = listening_socket(ls, &c->endpoint, &e);
    if (l->fd < 0) {
        free(l);
        return fl_fail(err, fl_code_of_errno(e), "%s:%d: cannot listen on %s: %s", c->at.file, c->at.line, where, strerror(e));
    }
    if (uv_poll_init(ls->o.uv, &l->poll, l->fd) != 0) {
        close(l->fd);
        free(l);
        return fl_fail(err, FL_EIO, "%s:%d: cannot watch %s", c->at.file, c->at.line, where);
    }
    l->poll.data = l;
    l->set = ls;
    l->endpoint = c->endpoint;
    l->conf = c;
    ls->open_handles++;
    *ret = l;
    return 0;
}

static void free_when_closed(struct listeners *ls)
{
    if (ls->freeing && ls->open_handles == 0)
        free(ls);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct listeners *ls = l->set;

    free(l);
    ls->open_handles--;
    free_when_closed(ls);
}

static void close_listener(struct listener *l)
{
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
    l->fd = -1;
}

static void close_list(struct listener *l)
{
    while (l) {
        struct listener *next = l->next;

        close_listener(l);
        l = next;
    }
}

static struct listener *find(struct listener *l, const struct inet_endpoint *e)
{
    while (l && (l->endpoint.port != e->port || !inet_addr_eq(&l->endpoint.addr, &e->addr)))
        l = l->next;
    return l;
}

/* Those of conf that are not open yet, opened; or none and an error. */
static int open_missing(struct listeners *ls, const struct conf *conf, struct listener **ret, struct fl_err *err)
{
    struct listener *opened = NULL, *l;

    for (int i = 0; i < conf->listener_count; i++) {
        int rc;

        if (find(ls->first, &conf->listeners[i].endpoint))
            continue;
        rc = open_listener(ls, &conf->listeners[i], &l, err);
        if (rc < 0) {
            close_list(opened);
            return rc;
        }
        l->next = opened;
        opened = l;
    }
    *ret = opened;
    return 0;
}

/* Those that are open already get their new place in conf; the others are closed. */
static void keep_or_close(struct listeners *ls, const struct conf *conf)
{
    struct listener **at = &ls->first, *l;

    for (l = ls->first; l; l = l->next)
        l->conf = NULL;
    for (int i = 0; i < conf->listener_count; i++) {
        l = find(ls->first, &conf->listeners[i].endpoint);
        if (l)
            l->conf = &conf->listeners[i];
    }
    while ((l = *at)) {
        if (l->conf) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        close_listener(l);
    }
}

int listeners_set_conf(struct listeners *ls, struct conf *conf, struct fl_err *err)
{
    struct listener *opened, *l;
    struct conf *before = ls->conf;
    int rc = open_missing(ls, conf, &opened, err);

    if (rc < 0)
        return rc;
    keep_or_close(ls, conf);
    while ((l = opened)) {
        opened = l->next;
        l->next = ls->first;
        ls->first = l;
        if (ls->started)
            watch(l, true);
    }
    ls->conf = conf_ref(conf);
    conf_unref(before);
    return 0;
}

void listeners_start(struct listeners *ls)
{
    ls->started = true;
    watch_all(ls, true);
}

void listeners_close(struct listeners *ls)
{
    close_list(ls->first);
    ls->first = NULL;
    ls->started = false;
    timer_stop(ls->o.timers, &ls->back_off);
}

void listeners_free(struct listeners *ls)
{
    if (!ls)
        return;
    listeners_close(ls);
    if (ls->spare >= 0)
        close(ls->spare);
    conf_unref(ls->conf);
    ls->freeing = true;
    free_when_closed(ls);
}

int listeners_count(const struct listeners *ls)
{
    int n = 0;

    for (const struct listener *l = ls->first; l; l = l->next)
        n++;
    return n;
}
