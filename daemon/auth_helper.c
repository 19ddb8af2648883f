/* auth_helper.c: see auth_helper.h. A question is one packet, "user NUL password NUL"; its answer is one byte. */
#include "auth_helper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth_pam.h"

enum { QUESTION_MAX = 16384 }; /* longer ones are refused unasked; an AUTH line is shorter */

struct auth_helper {
    int fd;
};

/* ---------------------------------------------------------------- the child */
static ssize_t receive(int fd, char *p, size_t n)
{
    ssize_t got;

    do
        got = recv(fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool answer_one(int fd, bool (*check)(const char *user, const char *password))
{
    char question[QUESTION_MAX];
    ssize_t n = receive(fd, question, sizeof question);
    const char *password = n > 0 ? memchr(question, '\0', (size_t)n) : NULL;
    char right = password && password + 1 < question + n && question[n - 1] == '\0' && check(question, password + 1);

    explicit_bzero(question, sizeof question);
    return n > 0 && send(fd, &right, 1, MSG_NOSIGNAL) == 1;
}

/* Signals of the terminal are the daemon's; it closes its end when it stops, however it does. */
static void leave_signals_to_the_daemon(const sigset_t *mask)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

static void serve(int fd, bool (*check)(const char *user, const char *password))
{
    prctl(PR_SET_NAME, "fairlead-pam");
    prctl(PR_SET_DUMPABLE, 0);
    if (dup2(fd, STDERR_FILENO + 1) < 0)
        _exit(1);
    close_range(STDERR_FILENO + 2, ~0U, 0); /* ports and files are none of its business */
    while (answer_one(STDERR_FILENO + 1, check))
        ;
    _exit(0);
}

/* ---------------------------------------------------------------- our side */
int auth_helper_start(bool (*check)(const char *user, const char *password), struct auth_helper **ret, struct fl_err *err)
{
    struct auth_helper *h = calloc(1, sizeof *h);
    sigset_t all, mask;
    pid_t child;
    int fd[2];

    if (!h)
        return fl_fail(err, FL_ENOMEM, "log-ins: out of memory");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0) {
        free(h);
        return fl_fail(err, FL_EIO, "log-ins: the helper's socket: %s", strerror(errno));
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask); /* none may strike before the child ignores it */
    child = fork();
    if (child == 0) {
        leave_signals_to_the_daemon(&mask);
        serve(fd[1], check ? check : auth_pam);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    close(fd[1]);
    h->fd = fd[0];
    if (child < 0) {
        close(h->fd);
        free(h);
        return fl_fail(err, FL_EIO, "log-ins: the helper cannot be started: %s", strerror(errno));
    }
    *ret = h;
    return 0;
}

bool auth_helper_ask(void *helper, const char *user, const char *password)
{
    struct auth_helper *h = helper;
    struct iovec parts[2] = { { (void *)user, strlen(user) + 1 }, { (void *)password, strlen(password) + 1 } };
    struct msghdr question = { .msg_iov = parts, .msg_iovlen = 2 };
    char right = 0;

    if (parts[0].iov_len + parts[1].iov_len > QUESTION_MAX || sendmsg(h->fd, &question, MSG_NOSIGNAL) < 0)
        return false;
    return receive(h->fd, &right, 1) == 1 && right == 1;
}

void auth_helper_stop(struct auth_helper *h)
{
    if (!h)
        return;
    close(h->fd); /* it ends by itself; a module may keep it for a while, which is nobody's business */
    free(h);
}
