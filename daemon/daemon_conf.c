/* daemon_conf.c: the parts of the daemon that follow the configuration. See daemon_private.h. */
#include "daemon_private.h"
#include "diff.h"
#include "file_uv.h"

/* ---------------------------------------------------------------- accounting files */
static int open_file(void *arg, const struct conf_accounting *sink, void **ret_file, struct fl_err *err)
{
    struct daemon *d = arg;
    const struct file_ports ports = { loop_uv(d->loop), loop_timers(d->loop), loop_now(d->loop), d->log };
    const struct file_options options = { sink->file, sink->rotate_size, sink->rotate_every_ms, sink->keep };
    struct file_writer *w;
    int rc = file_writer_open(&ports, &options, &w, err);

    if (rc == 0)
        *ret_file = w;
    return rc;
}

static void write_file(void *file, struct slice line)
{
    file_writer_add(file, line);
}

static void begin_file_anew(void *file)
{
    file_writer_begin_anew(file);
}

static void close_file(void *file)
{
    file_writer_close(file);
}

int daemon_open_accounting(struct daemon *d, struct fl_err *err)
{
    const struct accounting_files files = { .arg = d, .open = open_file, .write = write_file, .begin_anew = begin_file_anew,
                                            .close = close_file };

    return accounting_new(&files, d->conf, &d->accounting, err);
}

/* ---------------------------------------------------------------- certificates */
static void note_certificate(void *arg, const char *file, int64_t not_after_ms)
{
    metrics_certificate(arg, file, not_after_ms);
}

static void tell_certificates(struct daemon *d)
{
    metrics_forget_certificates(d->metrics);
    tls_context_visit(d->tls, note_certificate, d->metrics);
    timer_set(loop_timers(d->loop), &d->certificates, loop_now(d->loop)->mono_ms + TLS_CONTEXT_LOOK_MS);
}

static void on_look(void *arg)
{
    struct daemon *d = arg;
    struct fl_err err;
    bool changed;

    if (tls_context_refresh(d->tls, &changed, &err) < 0)
        log_message(d->log, LOG_LEVEL_ERROR, "certificates_failed", "%s", err.text);
    else if (changed)
        log_message(d->log, LOG_LEVEL_INFO, "certificates_reloaded", "their files have changed");
    tell_certificates(d);
}

void daemon_watch_certificates(struct daemon *d)
{
    timer_init(&d->certificates, on_look, d);
    tell_certificates(d);
}

/* ---------------------------------------------------------------- a reload */
static int check_sandbox(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return daemon_sandbox_holds(d, conf, err);
}

static int set_tls(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return tls_context_set_conf(d->tls, conf, err);
}

static int set_resolver(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return resolver_set_conf(d->resolver, conf, err);
}

static int set_accounting(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return accounting_set_conf(d->accounting, conf, err);
}

static int set_admin(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return admin_http_uv_set_tcp(d->http_uv, conf->admin.has_http ? &conf->admin.http : NULL, err);
}

static int set_listeners(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    return listeners_set_conf(d->listeners, conf, err);
}

static bool same_endpoint(const struct inet_endpoint *a, const struct inet_endpoint *b)
{
    return a->port == b->port && inet_addr_eq(&a->addr, &b->addr);
}

static bool admin_moves(const struct conf *a, const struct conf *b)
{
    return a->admin.has_http != b->admin.has_http || (a->admin.has_http && !same_endpoint(&a->admin.http, &b->admin.http));
}

typedef int set_part(struct daemon *d, struct conf *conf, struct fl_err *err);

/* What can fail, in order. When one does, those before it go back to the configuration in force. */
static int set_parts(struct daemon *d, struct conf *conf, struct fl_err *err)
{
    set_part *parts[] = { check_sandbox, set_tls, set_resolver, set_accounting, set_listeners, admin_moves(d->conf, conf) ? set_admin : NULL };
    int n = sizeof parts / sizeof parts[0], rc = 0, i;

    for (i = 0; i < n && rc == 0; i++)
        if (parts[i])
            rc = parts[i](d, conf, err);
    if (rc == 0)
        return 0;
    while (i-- > 0)
        if (parts[i])
            parts[i](d, d->conf, NULL);
    return rc;
}

static bool sandbox_differs(const struct conf *a, const struct conf *b)
{
    return a->server.sandbox_landlock != b->server.sandbox_landlock ||
           a->server.sandbox_seccomp != b->server.sandbox_seccomp ||
           a->server.sandbox_core_dumps != b->server.sandbox_core_dumps;
}

/* Some things are read at the start only: said, rather than silently left. */
static void warn_of_restart(struct daemon *d, const struct conf *conf)
{
    if (daemon_lacks_helper(d, conf))
        log_message(d->log, LOG_LEVEL_WARNING, "restart_needed",
                    "the first users of method system: what asks PAM for them begins with the next start");
    if (strcmp(d->conf->server.data_dir, conf->server.data_dir) != 0 || strcmp(d->conf->server.user, conf->server.user) != 0 ||
        strcmp(d->conf->admin.socket, conf->admin.socket) != 0 || sandbox_differs(d->conf, conf))
        log_message(d->log, LOG_LEVEL_WARNING, "restart_needed",
                    "server.data_dir, server.user, server.sandbox and admin.socket take effect with the next start");
}

int daemon_apply(void *daemon, struct conf *conf, struct fl_err *err)
{
    struct daemon *d = daemon;
    struct conf *before = d->conf;
    int rc;

    systemd_reloading();
    rc = set_parts(d, conf, err);
    if (rc == 0) {
        warn_of_restart(d, conf);
        d->conf = conf_ref(conf);
        d->loaded_ms = loop_now(d->loop)->wall_ms;
        log_sink_set(d->sink, conf->log_to, (enum log_level)conf->log_level);
        auth_forget_all(d->auth);
        streams_forget_tls(d->streams);
        relay_set_conf(d->relay, conf);
        d->sessions.tls = tls_context_server(d->tls);
        tell_certificates(d);
        conf_unref(before);
    }
    systemd_ready(rc == 0 ? "configuration reloaded" : "the last reload failed");
    return rc;
}
