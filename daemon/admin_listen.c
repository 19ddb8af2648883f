/* admin_listen.c: binds the control socket and the operators' TCP port. */
#include "admin_listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, SOCKET_MODE = 0660, FOLDER_MODE = 0750 };

static int failed(struct fl_err *err, const char *path, const char *what)
{
    int e = errno;

    return fl_fail(err, fl_code_of_errno(e), "control socket %s: %s: %s", path, what, strerror(e));
}

static bool is_owner_given(uid_t uid, gid_t gid)
{
    return uid != (uid_t)-1 || gid != (gid_t)-1;
}

static int make_folder(const char *path, uid_t uid, gid_t gid, struct fl_err *err)
{
    char folder[sizeof(struct sockaddr_un)];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;

    if (n == 0)
        return 0;
    memcpy(folder, path, n);
    folder[n] = '\0';
    if (mkdir(folder, FOLDER_MODE) < 0)
        return errno == EEXIST ? 0 : failed(err, path, "cannot make its folder");
    /* the umask may have taken bits away */
    if (chmod(folder, FOLDER_MODE) < 0 || (is_owner_given(uid, gid) && chown(folder, uid, gid) < 0))
        return failed(err, path, "cannot set up its folder");
    return 0;
}

/* Who listens at the other end of fd; 0: it does not say. */
static long peer_pid(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ? 0 : (long)peer.pid;
}

/* 0: the path is free, or became so. */
static int clear_stale(const struct sockaddr_un *sa, struct fl_err *err)
{
    struct stat st;
    int fd, rc;

    if (lstat(sa->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : failed(err, sa->sun_path, "cannot look at it");
    if (!S_ISSOCK(st.st_mode))
        return fl_fail(err, FL_EEXIST, "control socket %s: there is something else of that name", sa->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed(err, sa->sun_path, "cannot make a socket");
    rc = connect(fd, (const struct sockaddr *)sa, sizeof *sa);
    if (rc == 0 || errno != ECONNREFUSED) { /* EAGAIN: its backlog is full; EACCES: we cannot tell */
        long pid = rc == 0 ? peer_pid(fd) : 0;

        close(fd);
        return pid > 0 ? fl_fail(err, FL_EBUSY, "control socket %s: another daemon, process %ld, listens on it", sa->sun_path, pid) :
                         fl_fail(err, FL_EBUSY, "control socket %s: another daemon listens on it", sa->sun_path);
    }
    close(fd);
    if (unlink(sa->sun_path) < 0 && errno != ENOENT)
        return failed(err, sa->sun_path, "cannot replace the stale one");
    return 0;
}

static int bind_local(int fd, const struct sockaddr_un *sa, uid_t uid, gid_t gid, struct fl_err *err)
{
    /* The file takes the socket's mode when it is made, so there is no moment in which others may connect. */
    if (fchmod(fd, SOCKET_MODE) < 0 || bind(fd, (const struct sockaddr *)sa, sizeof *sa) < 0)
        return failed(err, sa->sun_path, "cannot bind");
    if (chmod(sa->sun_path, SOCKET_MODE) < 0 || (is_owner_given(uid, gid) && chown(sa->sun_path, uid, gid) < 0) ||
        listen(fd, BACKLOG) < 0) {
        int rc = failed(err, sa->sun_path, "cannot set it up");

        unlink(sa->sun_path);
        return rc;
    }
    return 0;
}

int admin_listen_local(const char *path, uid_t uid, gid_t gid, int *ret_fd, struct fl_err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd, rc;

    if (strlen(path) >= sizeof sa.sun_path)
        return fl_fail(err, FL_EINVAL, "control socket %s: longer than %zu bytes", path, sizeof sa.sun_path - 1);
    memcpy(sa.sun_path, path, strlen(path));
    rc = make_folder(path, uid, gid, err);
    if (rc == 0)
        rc = clear_stale(&sa, err);
    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed(err, path, "cannot make a socket");
    rc = bind_local(fd, &sa, uid, gid, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int admin_listen_tcp(const struct inet_endpoint *endpoint, int *ret_fd, struct fl_err *err)
{
    struct sockaddr_storage sa;
    socklen_t n = inet_to_sockaddr(endpoint, &sa);
    char text[INET_ENDPOINT_TEXT];
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, e;

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (sa.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&sa, n) == 0 && listen(fd, BACKLOG) == 0) {
        *ret_fd = fd;
        return 0;
    }
    e = errno;
    if (fd >= 0)
        close(fd);
    inet_endpoint_text(endpoint, text);
    return fl_fail(err, fl_code_of_errno(e), "admin.http %s: cannot listen: %s", text, strerror(e));
}
