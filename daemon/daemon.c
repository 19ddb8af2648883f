/* daemon.c: see daemon.h.
 * Order of a start: what needs privileges (ports, sockets, keys), then the user, then the store, then all that stands on it. */
#include "daemon_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "now_uv.h"
#include "sandbox.h"
#include "sqlite_version.h"

/* ---------------------------------------------------------------- hooks of the parts */
static int64_t wall_ms(void *arg)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

static void on_store(void *arg)
{
    struct daemon *d = arg;

    loop_wake(d->loop);
}

static void on_event(void *arg, const struct event *e)
{
    struct daemon *d = arg;

    accounting_event(d->accounting, e);
    metrics_event(d->metrics, e);
}

static void on_accepted(void *arg, int fd, const struct inet_endpoint *peer, const struct conf_listener *l)
{
    struct daemon *d = arg;

    admission_take(d->admission, d->conf, fd, peer, l);
}

static void on_lag(void *arg, int64_t us)
{
    struct daemon *d = arg;

    metrics_loop_lag(d->metrics, us);
}

static bool is_over(const struct daemon *d)
{
    return d->state == DAEMON_STOPPING && d->relay_is_done && session_count(&d->sessions) == 0;
}

/* What a turn of the relay writes goes out before the loop sleeps; what that ends is for another round. */
static bool on_turn(void *arg)
{
    struct daemon *d = arg;

    relay_turn(d->relay);
    streams_turn(d->streams);
    if (is_over(d))
        loop_stop(d->loop);
    log_sink_flush(d->sink);
    return streams_busy(d->streams);
}

/* ---------------------------------------------------------------- stopping and reloading */
static void on_relay_done(void *arg)
{
    struct daemon *d = arg;

    d->relay_is_done = true;
}

static void on_grace_over(void *arg)
{
    struct daemon *d = arg;

    log_message(d->log, LOG_LEVEL_WARNING, "stopping", "server.shutdown_grace is over: what is under way is ended");
    loop_stop(d->loop);
}

/* The first signal lets what is under way end; the second does not. */
static void on_stop(void *arg)
{
    struct daemon *d = arg;

    if (d->state == DAEMON_STOPPING) {
        loop_stop(d->loop);
        return;
    }
    d->state = DAEMON_STOPPING;
    log_message(d->log, LOG_LEVEL_INFO, "stopping", "replies to final dots are awaited");
    systemd_stopping();
    listeners_close(d->listeners);
    admission_shutdown(d->admission);
    session_context_shutdown(&d->sessions);
    relay_shutdown(d->relay, on_relay_done, d);
    if (timer_set(loop_timers(d->loop), &d->grace, loop_now(d->loop)->mono_ms + d->conf->server.shutdown_grace_ms) < 0)
        loop_stop(d->loop);
}

/* SIGHUP: the configuration is read again, and accounting begins new files. */
static void on_hangup(void *arg)
{
    struct daemon *d = arg;

    if (d->state != DAEMON_READY)
        return;
    accounting_begin_anew(d->accounting);
    reload_request(d->reload, NULL, NULL);
}

/* ---------------------------------------------------------------- starting, step by step */
static int start_loop(struct daemon *d, struct fl_err *err)
{
    uv_loop_t *uv;
    int rc = loop_new(&d->loop, err);

    if (rc < 0)
        return rc;
    uv = loop_uv(d->loop);
    d->started_ms = d->loaded_ms = loop_now(d->loop)->wall_ms;
    d->signals = signals_new(uv, on_stop, on_hangup, d);
    d->systemd = systemd_new(loop_timers(d->loop), loop_now(d->loop));
    d->metrics = metrics_new();
    d->guard = auth_guard_new();
    d->activation = activation_take(d->log);
    if (!d->signals || !d->systemd || !d->metrics || !d->guard || !d->activation)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    loop_on_lag(d->loop, on_lag, d);
    timer_init(&d->grace, on_grace_over, d);
    rc = crypto_new(uv, &d->crypto, err);
    if (rc == 0)
        rc = streams_new(uv, loop_timers(d->loop), &d->streams, err);
    return rc;
}

static int find_user(struct daemon *d, struct fl_err *err)
{
    d->uid = (uid_t)-1;
    d->gid = (gid_t)-1;
    if (!d->conf->server.user[0] || geteuid() != 0)
        return 0;
    return sandbox_find_user(d->conf->server.user, &d->uid, &d->gid, err);
}

static int bind_doors(struct daemon *d, struct fl_err *err)
{
    const struct listeners_options options = { loop_uv(d->loop), loop_timers(d->loop), d->log, d->activation, on_accepted, d };
    int rc = listeners_new(&options, &d->listeners, err);

    if (rc == 0)
        rc = listeners_set_conf(d->listeners, d->conf, err);
    if (rc == 0)
        rc = sandbox_make_folder(d->conf->server.data_dir, d->uid, d->gid, err);
    if (rc == 0)
        rc = daemon_bind_admin(d, err);
    if (rc == 0)
        rc = tls_context_new(d->conf, &d->tls, err);
    return rc;
}

static int open_store(struct daemon *d, struct fl_err *err)
{
    const struct conf *c = d->conf;
    const struct store_options options = {
        .data_dir = c->server.data_dir,
        .group_max_messages = c->store.group_max_messages,
        .group_max_bytes = c->store.group_max_bytes,
        .min_free_space = c->store.min_free_space,
        .budget = &d->budget,
        .log = d->log,
        .wall_ms = wall_ms,
        .wake = on_store,
        .wake_arg = d,
        .max_fresh_at_start = c->server.memory_ready_recipients,
    };

    return store_open(&options, &d->store, err);
}

static int start_relay(struct daemon *d, struct fl_err *err)
{
    struct relay_ports ports = {
        .streams = d->streams,
        .timers = loop_timers(d->loop),
        .resolver = d->resolver,
        .crypto = d->crypto,
        .store = d->store,
        .budget = &d->budget,
        .now = loop_now(d->loop),
        .log = d->log,
        .arg = d,
        .event = on_event,
    };

    struct ulid blamed[QUARANTINE_MAX];
    int rc;

    if (getrandom(&ports.seed, sizeof ports.seed, 0) != sizeof ports.seed)
        return fl_fail(err, FL_EIO, "the system gives no random bytes");
    rc = relay_new(&ports, d->conf, &d->relay, err);
    if (rc == 0)
        rc = crash_file_open(d->conf->server.data_dir, &d->crashes, err);
    if (rc < 0)
        return rc;
    relay_quarantine(d->relay, blamed, crash_file_blamed(d->crashes, blamed));
    return 0;
}

static int start_sessions(struct daemon *d, struct fl_err *err)
{
    const struct admission_options options = { d->streams, &d->sessions, loop_timers(d->loop), loop_now(d->loop), d->log };
    const struct reload_options reload = { d->file, d->crypto, d->log, daemon_apply, d, daemon_denied_note(d) };
    int rc = auth_new(d->crypto, d->helper ? auth_helper_ask : NULL, d->helper, &d->auth, err);

    if (rc < 0)
        return rc;
    d->reload = reload_new(&reload);
    d->admission = d->reload ? admission_new(&options) : NULL;
    if (!d->admission)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    d->sessions = (struct session_context){
        .relay = d->relay,
        .store = d->store,
        .budget = &d->budget,
        .tls = tls_context_server(d->tls),
        .auth = d->auth,
        .auth_guard = d->guard,
        .timers = loop_timers(d->loop),
        .now = loop_now(d->loop),
        .log = d->log,
        .closed = admission_closed,
        .arg = d->admission,
    };
    session_context_init(&d->sessions);
    return 0;
}

/* Behind the user: what the files made here belong to. */
static int start_parts(struct daemon *d, struct fl_err *err)
{
    int rc = daemon_open_accounting(d, err);

    if (rc == 0)
        rc = open_store(d, err);
    if (rc == 0)
        rc = resolver_new(loop_uv(d->loop), loop_timers(d->loop), d->conf, &d->resolver, err);
    if (rc == 0)
        rc = start_relay(d, err);
    if (rc == 0)
        rc = start_sessions(d, err);
    if (rc == 0)
        rc = daemon_start_admin(d, err);
    return rc;
}

static int start(struct daemon *d, struct fl_err *err)
{
    int rc = daemon_start_helper(d, err);

    if (rc == 0)
        rc = start_loop(d, err);
    if (rc == 0)
        rc = find_user(d, err);
    if (rc == 0)
        rc = bind_doors(d, err);
    if (rc == 0)
        rc = daemon_enter_sandbox(d, err);
    if (rc == 0)
        rc = start_parts(d, err);
    return rc;
}

/* ---------------------------------------------------------------- taking down */
/* The reverse: who asks goes before who answers. The loop runs out what is closing before memory goes that it may still
 * touch. */
static void take_down(struct daemon *d)
{
    if (d->loop)
        loop_on_turn(d->loop, NULL, NULL);
    reload_stop(d->reload);
    daemon_stop_admin(d);
    listeners_free(d->listeners);
    activation_free(d->activation);
    if (d->admission) {
        admission_shutdown(d->admission);
        session_context_abort(&d->sessions);
    }
    crash_file_close(d->crashes);
    relay_free(d->relay);
    store_close(d->store);
    streams_free(d->streams);
    resolver_free(d->resolver);
    crypto_free(d->crypto);
    accounting_free(d->accounting);
    systemd_free(d->systemd);
    signals_free(d->signals);
    loop_free(d->loop);
    admission_free(d->admission);
    admin_http_free(d->http);
    admin_api_free(d->api);
    reload_free(d->reload);
    auth_free(d->auth);
    auth_helper_stop(d->helper);
    sandbox_files_free(d->sandbox);
    auth_guard_free(d->guard);
    metrics_free(d->metrics);
    tls_context_free(d->tls);
    conf_unref(d->conf);
    log_sink_free(d->sink);
}

/* ---------------------------------------------------------------- running */
static void log_start(const struct daemon *d)
{
    struct log_line l;

    log_begin(&l, d->log, LOG_LEVEL_INFO, "starting");
    log_text(&l, "version", FAIRLEAD_VERSION);
    log_text(&l, "sqlite", sqlite_version());
    log_text(&l, "openssl", tls_context_openssl());
    log_text(&l, "config", d->file);
    log_int(&l, "pid", getpid());
    log_end(&l);
    if (sqlite_version_warning())
        log_message(d->log, LOG_LEVEL_WARNING, "sqlite", "%s", sqlite_version_warning());
    for (int i = 0; i < d->conf->warning_count; i++)
        log_message(d->log, LOG_LEVEL_WARNING, "config", "%s", d->conf->warnings[i]);
    if (d->files < daemon_files_wanted(d->conf))
        log_message(d->log, LOG_LEVEL_WARNING, "files", "only %lld files may be open (RLIMIT_NOFILE), %lld are wanted",
                    (long long)d->files, (long long)daemon_files_wanted(d->conf));
}

static void run(struct daemon *d)
{
    struct log_line l;

    d->state = DAEMON_READY;
    crash_file_watch(d->crashes, relay_in_hand(d->relay));
    daemon_watch_certificates(d);
    loop_on_turn(d->loop, on_turn, d);
    listeners_start(d->listeners);
    activation_warn_unused(d->activation, d->log);
    log_begin(&l, d->log, LOG_LEVEL_INFO, "ready");
    log_int(&l, "listeners", listeners_count(d->listeners));
    log_end(&l);
    log_sink_flush(d->sink);
    systemd_ready("accepting mail");
    loop_run(d->loop);
    log_message(d->log, LOG_LEVEL_INFO, "stopped", "all that was accepted is stored or delivered");
}

int daemon_main(struct conf *conf, const char *file)
{
    struct daemon *d = calloc(1, sizeof *d);
    struct fl_err err = { 0 };
    int rc;

    if (!d)
        return FL_ENOMEM;
    d->sink = log_sink_new(conf->log_to, (enum log_level)conf->log_level);
    if (!d->sink) {
        free(d);
        return FL_ENOMEM;
    }
    d->log = log_sink_log(d->sink);
    d->conf = conf_ref(conf);
    d->file = file;
    d->files = sandbox_raise_files(daemon_files_wanted(conf));
    umask(027); /* what is made from here on holds mail, or tells of it */
    log_start(d);
    rc = start(d, &err);
    if (rc == 0)
        run(d);
    else
        log_message(d->log, LOG_LEVEL_ERROR, "start_failed", "%s", err.text);
    take_down(d);
    free(d);
    return rc;
}
