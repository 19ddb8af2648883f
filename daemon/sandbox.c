/* sandbox.c: see sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int64_t sandbox_raise_files(int64_t want)
{
    struct rlimit r;
    rlim_t wanted = (rlim_t)want;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 0;
    if (r.rlim_cur >= wanted)
        return (int64_t)r.rlim_cur;
    if (r.rlim_max < wanted) { /* as root the hard limit may be raised too */
        struct rlimit higher = { .rlim_cur = wanted, .rlim_max = wanted };

        if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
            return want;
    }
    r.rlim_cur = r.rlim_max < wanted ? r.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &r);
    return (int64_t)r.rlim_cur;
}

int sandbox_make_folder(const char *path, uid_t uid, gid_t gid, struct fl_err *err)
{
    struct stat st;

    if (mkdir(path, 0700) == 0) {
        if (uid != (uid_t)-1 && chown(path, uid, gid) < 0)
            return fl_fail(err, fl_code_of_errno(errno), "%s: cannot be given to the user: %s", path, strerror(errno));
        return 0;
    }
    if (errno != EEXIST)
        return fl_fail(err, fl_code_of_errno(errno), "%s: cannot be made: %s", path, strerror(errno));
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return fl_fail(err, FL_EINVAL, "%s: is no folder", path);
    return 0;
}

int sandbox_find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct fl_err *err)
{
    const struct passwd *p;

    errno = 0;
    p = getpwnam(user);
    if (!p)
        return fl_fail(err, FL_ENOENT, "server.user: there is no user '%s'%s%s", user, errno ? ": " : "",
                       errno ? strerror(errno) : "");
    *ret_uid = p->pw_uid;
    *ret_gid = p->pw_gid;
    return 0;
}

/* libc's setuid drops all capabilities; this one was kept as permitted and is put in force again. */
static int keep_low_ports(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };

    data[0].permitted = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
    return (int)syscall(SYS_capset, &head, data);
}

int sandbox_become(const char *user, uid_t uid, gid_t gid, struct fl_err *err)
{
    if (geteuid() == uid)
        return 0;
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || initgroups(user, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
        return fl_fail(err, FL_EDENIED, "server.user: cannot become '%s': %s", user, strerror(errno));
    if (keep_low_ports() < 0)
        return fl_fail(err, FL_EDENIED, "server.user: capabilities of '%s': %s", user, strerror(errno));
    prctl(PR_SET_KEEPCAPS, 0);
    return 0;
}

void sandbox_no_new_privileges(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void sandbox_core_dumps(bool allowed)
{
    prctl(PR_SET_DUMPABLE, allowed ? 1 : 0);
}
