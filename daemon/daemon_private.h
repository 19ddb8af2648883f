/* daemon_private.h: what the daemon consists of; shared by daemon.c (life), daemon_sandbox.c (what is given up),
 * daemon_conf.c (what a reload changes) and daemon_admin.c (what operators are told), and included by nobody else. Loop thread. */
#ifndef FL_DAEMON_PRIVATE_H
#define FL_DAEMON_PRIVATE_H

#include "accounting.h"
#include "admin_api.h"
#include "admin_http_uv.h"
#include "admission.h"
#include "auth_helper.h"
#include "crash_file.h"
#include "crypto_uv.h"
#include "daemon.h"
#include "listener_uv.h"
#include "log_sink.h"
#include "loop_uv.h"
#include "metrics.h"
#include "relay.h"
#include "reload.h"
#include "resolver_uv.h"
#include "sandbox_files.h"
#include "session.h"
#include "signals_uv.h"
#include "store.h"
#include "stream_uv.h"
#include "systemd_uv.h"
#include "tls_context.h"

/*  STARTING --> READY --> STOPPING --> (the loop ends)      a failed start: STARTING --> (taken down) */
enum daemon_state { DAEMON_STARTING, DAEMON_READY, DAEMON_STOPPING };

struct daemon {
    enum daemon_state state;
    struct conf *conf; /* in force */
    const char *file;
    int64_t started_ms, loaded_ms; /* wall */
    uid_t uid;         /* whom we became; -1: who we were */
    gid_t gid;
    int64_t files;     /* RLIMIT_NOFILE */
    bool relay_is_done; /* after relay_shutdown */

    struct log_sink *sink;
    const struct log *log;
    struct loop *loop;
    struct signals *signals;
    struct systemd *systemd;
    struct streams *streams;
    struct crypto *crypto;
    struct resolver *resolver;
    struct body_budget budget;
    struct store *store;
    struct relay *relay;
    struct crash_file *crashes;
    struct tls_context *tls;
    struct auth *auth;
    struct auth_helper *helper; /* NULL: no users of method `system` at the start */
    struct sandbox_files *sandbox;
    struct auth_guard *guard;
    struct session_context sessions;
    struct admission *admission;
    struct activation *activation; /* ports that systemd bound for us */
    struct listeners *listeners;
    struct metrics *metrics;
    struct accounting *accounting;
    struct admin_http *http;
    struct admin_http_uv *http_uv;
    struct admin_api *api;
    struct reload *reload;
    struct timer certificates; /* looks whether their files have changed */
    struct timer grace;
};

/* daemon_conf.c: parts that follow the configuration */
/* reload_options.apply. */
int daemon_apply(void *daemon, struct conf *conf, struct fl_err *err);
/* Opens the accounting files of d->conf. */
int daemon_open_accounting(struct daemon *d, struct fl_err *err);
/* From now on: tells the metrics when certificates end, and looks for changed files every minute. Once. */
void daemon_watch_certificates(struct daemon *d);

/* daemon_sandbox.c: what is given up once the ports are bound */
/* The child that asks PAM, where there are users of method system. Before anything of libuv: once a loop has been, each fork
 * closes the descriptors of its signal pipe by their numbers, and in this child they would be those of a PAM module. */
int daemon_start_helper(struct daemon *d, struct fl_err *err);
/* Becomes server.user, for good, and gives up what a relay does not need, as far as server.sandbox and the kernel have it; one
 * line of the log says what. Before any thread begins. */
int daemon_enter_sandbox(struct daemon *d, struct fl_err *err);
/* Whether a new configuration can be served from within. FL_EDENIED: a file lies outside, and the text names it. */
int daemon_sandbox_holds(const struct daemon *d, const struct conf *conf, struct fl_err *err);
/* What to tell who asks for a reload that the system denies a file; NULL: it is not our doing. */
const char *daemon_denied_note(const struct daemon *d);
/* Whether users of method `system` have appeared that there is no helper for. */
bool daemon_lacks_helper(const struct daemon *d, const struct conf *conf);

/* daemon_admin.c: the operators' door */
/* Binds the control socket and admin.http; nothing is answered yet. */
int daemon_bind_admin(struct daemon *d, struct fl_err *err);
/* Begins to answer. */
int daemon_start_admin(struct daemon *d, struct fl_err *err);
void daemon_stop_admin(struct daemon *d);
/* RLIMIT_NOFILE that server.total_max_connections wants. */
int64_t daemon_files_wanted(const struct conf *conf);

#endif
