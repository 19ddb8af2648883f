/* daemon_admin.c: the operators' door of the daemon, and what it tells them. See daemon_private.h. */
#include <stdio.h>

#include "daemon_private.h"

enum { FILES_BESIDE = 512 }; /* store, accounting, operators, look-ups, and connections that linger */

int64_t daemon_files_wanted(const struct conf *conf)
{
    return conf->server.total_max_connections + FILES_BESIDE;
}

static bool is_ready(void *arg)
{
    const struct daemon *d = arg;

    return d->state == DAEMON_READY;
}

static int64_t sessions_in(void *arg)
{
    const struct daemon *d = arg;

    return session_count(&d->sessions);
}

static int64_t conf_loaded_ms(void *arg)
{
    const struct daemon *d = arg;

    return d->loaded_ms;
}

static void reload(void *arg, admin_reloaded *done, void *done_arg)
{
    struct daemon *d = arg;

    reload_request(d->reload, done, done_arg);
}

static void warnings(void *arg, void (*visit)(void *visit_arg, const char *text), void *visit_arg)
{
    const struct daemon *d = arg;
    char text[160];

    if (d->files < daemon_files_wanted(d->conf)) {
        snprintf(text, sizeof text, "only %lld files may be open (RLIMIT_NOFILE); server.total_max_connections wants %lld",
                 (long long)d->files, (long long)daemon_files_wanted(d->conf));
        visit(visit_arg, text);
    }
}

/* The HTTP side is bound before there is an API behind it. */
static void begin(void *arg, struct admin_request *q)
{
    struct daemon *d = arg;

    admin_api_begin(d->api, q);
}

static void handle(void *arg, struct admin_request *q)
{
    struct daemon *d = arg;

    admin_api_handle(d->api, q);
}

int daemon_bind_admin(struct daemon *d, struct fl_err *err)
{
    const struct admin_http_options options = { .log = d->log, .arg = d, .begin = begin, .handle = handle };
    int rc = admin_http_new(&options, &d->http, err);

    if (rc == 0)
        rc = admin_http_add_socket(d->http, d->conf->admin.socket, d->uid, d->gid, err);
    if (rc == 0 && d->conf->admin.has_http)
        rc = admin_http_add_tcp(d->http, &d->conf->admin.http, err);
    return rc;
}

int daemon_start_admin(struct daemon *d, struct fl_err *err)
{
    const struct admin_ports ports = {
        .relay = d->relay,
        .store = d->store,
        .metrics = d->metrics,
        .now = loop_now(d->loop),
        .log = d->log,
        .openssl = tls_context_openssl(),
        .started_ms = d->started_ms,
        .arg = d,
        .is_ready = is_ready,
        .sessions_in = sessions_in,
        .conf_loaded_ms = conf_loaded_ms,
        .reload = reload,
        .warnings = warnings,
    };

    d->api = admin_api_new(&ports);
    if (!d->api)
        return fl_fail(err, FL_ENOMEM, "admin: out of memory");
    return admin_http_uv_start(loop_uv(d->loop), d->http, &d->http_uv, err);
}

void daemon_stop_admin(struct daemon *d)
{
    admin_http_uv_stop(d->http_uv);
    d->http_uv = NULL;
    if (d->http)
        admin_http_close(d->http);
}
