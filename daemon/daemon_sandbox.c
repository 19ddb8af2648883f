/* daemon_sandbox.c: what the daemon gives up once its ports are bound. See daemon_private.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon_private.h"
#include "sandbox.h"
#include "sandbox_calls.h"

/* What libraries read on their own: name service, time zones, trust anchors, modules that are loaded late; /etc also because
 * resolv.conf and its like are replaced rather than rewritten. Beyond reading, nothing. */
static const char *const system_folders[] = {
    "/etc", "/usr", "/lib", "/lib64", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/proc/self",
    "/proc/meminfo", "/proc/sys", "/sys/devices/system",
};

static bool has_system_users(const struct conf *conf)
{
    for (int i = 0; i < conf->tenant_count; i++)
        for (int k = 0; k < conf->tenants[i].user_count; k++)
            if (conf->tenants[i].users[k].method == USER_SYSTEM)
                return true;
    return false;
}

/* ---------------------------------------------------------------- files */
static int allow_system(struct sandbox_files *s)
{
    int rc = sandbox_files_allow_around(s, SANDBOX_READ, "/etc/resolv.conf"); /* often a link to /run */

    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders && rc == 0; i++)
        rc = sandbox_files_allow(s, SANDBOX_READ, system_folders[i]);
    return rc;
}

/* What the configuration reads, and what of it is written. */
static int allow_conf(struct sandbox_files *s, const struct conf *c)
{
    int rc = sandbox_files_allow(s, SANDBOX_READ, c->folder);

    if (rc == 0)
        rc = sandbox_files_allow_around(s, SANDBOX_READ, c->file);
    for (const struct conf_read *r = c->reads; r && rc == 0; r = r->next)
        rc = sandbox_files_allow_around(s, SANDBOX_READ, r->file);
    if (rc == 0)
        rc = sandbox_files_allow(s, SANDBOX_WRITE, c->server.data_dir);
    if (rc == 0)
        rc = sandbox_files_allow_around(s, SANDBOX_WRITE, c->admin.socket);
    for (int i = 0; i < c->accounting_count && rc == 0; i++)
        rc = sandbox_files_allow_around(s, SANDBOX_WRITE, c->accounting[i].file);
    return rc;
}

/* Says how far it came, for the log: what a kernel lacks stops nobody. */
static const char *restrict_files(struct daemon *d, char *text, size_t size)
{
    struct fl_err err = { .text = "out of memory, or too many folders" };
    int version = 0, rc;

    if (!d->conf->server.sandbox_landlock)
        return "off";
    d->sandbox = sandbox_files_new();
    rc = d->sandbox ? allow_system(d->sandbox) : FL_ENOMEM;
    if (rc == 0)
        rc = allow_conf(d->sandbox, d->conf);
    if (rc == 0)
        rc = sandbox_files_enforce(d->sandbox, &version, &err);
    if (rc < 0)
        snprintf(text, size, "failed: %s", err.text);
    else if (version == 0)
        snprintf(text, size, "not in this kernel");
    else
        snprintf(text, size, "version %d", version);
    return text;
}

/* ---------------------------------------------------------------- system calls */
static const char *restrict_calls(struct daemon *d, char *text, size_t size)
{
    struct fl_err err;

    if (!d->conf->server.sandbox_seccomp)
        return "off";
    if (sandbox_calls_enforce(&err) == 0)
        return "on";
    snprintf(text, size, "failed: %s", err.text);
    return text;
}

/* ---------------------------------------------------------------- all of it */
static const char *user_text(const struct daemon *d)
{
    if (d->uid != (uid_t)-1)
        return d->conf->server.user;
    return geteuid() == 0 ? "root" : "unchanged";
}

int daemon_start_helper(struct daemon *d, struct fl_err *err)
{
    return has_system_users(d->conf) ? auth_helper_start(NULL, &d->helper, err) : 0;
}

int daemon_enter_sandbox(struct daemon *d, struct fl_err *err)
{
    char files[FL_ERR_TEXT + 16], calls[FL_ERR_TEXT + 16];
    struct log_line l;
    int rc = 0;

    if (d->uid != (uid_t)-1)
        rc = sandbox_become(d->conf->server.user, d->uid, d->gid, err);
    if (rc < 0)
        return rc;
    sandbox_no_new_privileges();
    sandbox_core_dumps(d->conf->server.sandbox_core_dumps);
    log_begin(&l, d->log, LOG_LEVEL_INFO, "sandbox");
    log_text(&l, "user", user_text(d));
    log_text(&l, "landlock", restrict_files(d, files, sizeof files));
    log_text(&l, "seccomp", restrict_calls(d, calls, sizeof calls));
    log_text(&l, "core_dumps", d->conf->server.sandbox_core_dumps ? "on" : "off");
    if (d->helper)
        log_text(&l, "pam", "a process of its own");
    log_end(&l);
    return 0;
}

/* ---------------------------------------------------------------- a reload */
const char *daemon_denied_note(const struct daemon *d)
{
    return sandbox_files_version(d->sandbox) == 0 ? NULL :
        "note: the running daemon keeps to the folders that were named when it started (server.sandbox.landlock); "
        "for files elsewhere restart it";
}

static int outside(struct fl_err *err, const char *file, const char *what)
{
    return fl_fail(err, FL_EDENIED, "%s: may not be %s by the running daemon, which keeps to the folders that were named when it "
                   "started (server.sandbox.landlock): restart it", file, what);
}

int daemon_sandbox_holds(const struct daemon *d, const struct conf *conf, struct fl_err *err)
{
    for (const struct conf_read *r = conf->reads; r; r = r->next)
        if (!sandbox_files_covers(d->sandbox, SANDBOX_READ, r->file))
            return outside(err, r->file, "read");
    for (int i = 0; i < conf->accounting_count; i++)
        if (!sandbox_files_covers(d->sandbox, SANDBOX_WRITE, conf->accounting[i].file))
            return outside(err, conf->accounting[i].file, "written");
    return 0;
}

bool daemon_lacks_helper(const struct daemon *d, const struct conf *conf)
{
    return !d->helper && has_system_users(conf);
}
