/* fake_daemon_uv.c: see fake_daemon.h. */
#include "fake_daemon.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "admin_api.h"
#include "admin_http_uv.h"

struct fake_daemon_private {
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t async;
    _Atomic bool must_stop, must_turn;
    struct metrics *metrics;
    struct now now;
    struct admin_api *api;
    struct admin_http *http;
    struct admin_http_uv *http_uv;
};

static bool is_ready(void *arg)
{
    return ((struct fake_daemon *)arg)->is_ready;
}
static int64_t sessions_in(void *arg)
{
    return 7;
}
static int64_t conf_loaded_ms(void *arg)
{
    return 1764000000000;
}

static void reload(void *arg, admin_reloaded *done, void *done_arg)
{
    struct fake_daemon *d = arg;

    if (d->reload_fails)
        done(done_arg, FL_EINVAL, SLICE("fairlead.yaml:1:1: error: unknown key 'sever'\nfairlead.yaml:2:1: error: \x1b\n"));
    else
        done(done_arg, 0, SLICE_NONE);
}

static void warnings(void *arg, void (*visit)(void *visit_arg, const char *text), void *visit_arg)
{
    visit(visit_arg, "RLIMIT_NOFILE is low");
}

static void on_async(uv_async_t *handle)
{
    struct fake_daemon *d = handle->data;
    struct fake_daemon_private *p = d->private;

    if (p->must_turn) {
        p->must_turn = false;
        fake_relay_turn(&d->relay);
    }
    if (p->must_stop) {
        admin_http_uv_stop(p->http_uv);
        admin_http_close(p->http);
        uv_close((uv_handle_t *)handle, NULL);
    }
}

static void *run(void *arg)
{
    struct fake_daemon *d = arg;

    uv_run(&d->private->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void listen_tcp(struct fake_daemon *d)
{
    struct inet_endpoint e = { .addr = { 4, { 127, 0, 0, 1 } } };
    struct fl_err err;
    int rc = FL_EIO;

    for (int i = 0; i < 50 && rc < 0; i++) { /* a port that nobody has */
        e.port = (uint16_t)(20000 + (getpid() * 7 + i * 131) % 20000);
        rc = admin_http_add_tcp(d->private->http, &e, &err);
    }
    assert(rc == 0);
    d->port = e.port;
}

void fake_daemon_start(struct fake_daemon *d)
{
    struct fake_daemon_private *p = calloc(1, sizeof *p);
    const struct admin_ports ports = {
        .relay = &d->relay,
        .metrics = (p->metrics = metrics_new()),
        .now = &p->now,
        .openssl = "3.0.17",
        .started_ms = 1764000000000,
        .arg = d,
        .is_ready = is_ready,
        .sessions_in = sessions_in,
        .conf_loaded_ms = conf_loaded_ms,
        .reload = reload,
        .warnings = warnings,
    };
    struct admin_http_options options = { .arg = p->api = admin_api_new(&ports),
                                          .begin = admin_api_begin,
                                          .handle = admin_api_handle };
    struct fl_err err = { 0 };

    *d = (struct fake_daemon){ .folder = "/tmp/fairlead-test-XXXXXX", .is_ready = true, .private = p };
    fake_relay_init(&d->relay);
    p->now.wall_ms = 1764000005000;
    assert(mkdtemp(d->folder));
    snprintf(d->socket, sizeof d->socket, "%s/run/control.sock", d->folder);
    assert(admin_http_new(&options, &p->http, &err) == 0);
    if (admin_http_add_socket(p->http, d->socket, (uid_t)-1, (gid_t)-1, &err) < 0)
        fprintf(stderr, "%s\n", err.text);
    assert(!err.code);
    listen_tcp(d);
    uv_loop_init(&p->loop);
    uv_async_init(&p->loop, &p->async, on_async);
    p->async.data = d;
    assert(admin_http_uv_start(&p->loop, p->http, &p->http_uv, &err) == 0);
    assert(pthread_create(&p->thread, NULL, run, d) == 0);
}

void fake_daemon_turn(struct fake_daemon *d)
{
    d->private->must_turn = true;
    uv_async_send(&d->private->async);
}

void fake_daemon_stop(struct fake_daemon *d)
{
    struct fake_daemon_private *p = d->private;
    char run_folder[64];

    p->must_stop = true;
    uv_async_send(&p->async);
    pthread_join(p->thread, NULL);
    fake_relay_turn(&d->relay); /* an answer that comes too late */
    admin_http_free(p->http);
    admin_api_free(p->api);
    metrics_free(p->metrics);
    assert(uv_loop_close(&p->loop) == 0);
    assert(access(d->socket, F_OK) < 0);
    snprintf(run_folder, sizeof run_folder, "%s/run", d->folder);
    rmdir(run_folder);
    rmdir(d->folder);
    free(p);
}
