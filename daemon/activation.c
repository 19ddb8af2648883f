/* activation.c: see activation.h. */
#include "activation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { PASSED_MAX = 1024 }; /* sockets; as many as systemd passes at all by far */

struct passed {
    struct inet_endpoint endpoint;
    int fd;
    bool used;
};

struct activation {
    struct passed *sockets;
    int count;
};

static bool endpoint_of(int fd, struct inet_endpoint *ret)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;

    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1) <= 0 || getsockname(fd, (struct sockaddr *)&sa, &size) < 0 ||
        (sa.ss_family != AF_INET && sa.ss_family != AF_INET6))
        return false;
    *ret = inet_from_sockaddr((struct sockaddr *)&sa);
    return true;
}

static void take_all(struct activation *a, int n, const struct log *log)
{
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        struct passed p = { .fd = fd };

        if (a->count < PASSED_MAX && endpoint_of(fd, &p.endpoint)) {
            a->sockets[a->count++] = p;
            continue;
        }
        log_message(log, LOG_LEVEL_WARNING, "activation", "descriptor %d that was passed is no TCP socket, or one too many", fd);
        close(fd);
    }
}

struct activation *activation_take(const struct log *log)
{
    struct activation *a = calloc(1, sizeof *a);
    int n = sd_listen_fds(1);

    if (!a || n <= 0)
        return a;
    a->sockets = calloc((size_t)(n < PASSED_MAX ? n : PASSED_MAX), sizeof *a->sockets);
    if (!a->sockets) {
        free(a);
        return NULL;
    }
    take_all(a, n, log);
    return a;
}

void activation_free(struct activation *a)
{
    if (!a)
        return;
    for (int i = 0; i < a->count; i++)
        close(a->sockets[i].fd);
    free(a->sockets);
    free(a);
}

int activation_socket(struct activation *a, const struct inet_endpoint *e)
{
    for (int i = 0; a && i < a->count; i++) {
        struct passed *p = &a->sockets[i];
        int fd;

        if (p->endpoint.port != e->port || !inet_addr_eq(&p->endpoint.addr, &e->addr))
            continue;
        fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
            close(fd);
            return -1;
        }
        p->used = true;
        return fd;
    }
    return -1;
}

void activation_warn_unused(const struct activation *a, const struct log *log)
{
    char where[INET_ENDPOINT_TEXT];

    for (int i = 0; a && i < a->count; i++) {
        if (a->sockets[i].used)
            continue;
        inet_endpoint_text(&a->sockets[i].endpoint, where);
        log_message(log, LOG_LEVEL_WARNING, "activation", "%s was passed, but no listener has that address", where);
    }
}
