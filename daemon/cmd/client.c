/* client.c: a small HTTP/1.1 client for one server that we know. Main thread. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"

#define SOCKET_DEFAULT "/run/fairlead/control.sock"

enum { HEAD_MAX = 64 * 1024, CHUNK = 64 * 1024 };

/* ---------------------------------------------------------------- where the daemon is */
static int set_path(struct client *c, struct slice path)
{
    if (!path.n || path.n >= sizeof c->path)
        return cmd_usage(c->cmd, "the socket's name is empty, or longer than %zu bytes", sizeof c->path - 1);
    memcpy(c->path, path.p, path.n);
    c->path[path.n] = '\0';
    return CMD_DONE;
}

int client_find(const struct cmd_globals *globals, const struct cmd *cmd, const char *option, struct client *ret)
{
    const char *env = getenv("FAIRLEAD_SOCKET");
    struct buf path;
    int status;

    *ret = (struct client){ .cmd = cmd };
    if (option)
        return set_path(ret, slice_of(option));
    if (env && *env)
        return set_path(ret, slice_of(env));
    buf_init(&path, 0);
    if (conf_load_socket(globals->config, &path) == 0 && buf_len(&path))
        status = set_path(ret, buf_slice(&path));
    else
        status = set_path(ret, SLICE(SOCKET_DEFAULT));
    buf_free(&path);
    return status;
}

static int open_socket(const struct client *c)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = CLIENT_PATIENCE_S };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

    memcpy(sa.sun_path, c->path, strlen(c->path));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof sa) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0)
        return fd;
    e = errno;
    if (fd >= 0)
        close(fd);
    errno = e;
    return -1;
}

bool client_is_answered(const struct client *c)
{
    int fd = open_socket(c);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---------------------------------------------------------------- one exchange */
struct exchange {
    const struct client *client;
    int fd;
    int status;
    struct buf in;  /* what came and was not used yet */
    int64_t length; /* of the content; -1: until the end */
};

static int unreachable(const struct client *c, const char *what)
{
    fprintf(stderr, "fairlead %s: the daemon at %s %s\n", c->cmd->name, c->path, what);
    return CMD_UNREACHABLE;
}

static int send_all(const struct client *c, int fd, struct slice s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) /* it may have answered before it read all; reading will tell */
            return errno == EPIPE || errno == ECONNRESET ? CMD_DONE : unreachable(c, "takes no request");
        s = slice_skip(s, (size_t)n);
    }
    return CMD_DONE;
}

static int send_request(struct exchange *x, const char *method, const char *target, struct slice body)
{
    struct buf out;
    int status = CMD_UNREACHABLE;

    buf_init(&out, 0);
    if (buf_printf(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method, target) == 0 &&
        (!body.n || buf_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n) == 0) &&
        buf_add_text(&out, "\r\n") == 0 && buf_add(&out, body) == 0)
        status = send_all(x->client, x->fd, buf_slice(&out));
    buf_free(&out);
    return status;
}

/* Reads more. 1, 0 at the end, -1 on failure. */
static int read_more(struct exchange *x)
{
    char *room;
    ssize_t n;

    if (buf_reserve(&x->in, CHUNK, &room) < 0)
        return -1;
    do
        n = recv(x->fd, room, CHUNK, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return (int)n;
    buf_grown(&x->in, (size_t)n);
    return 1;
}

/* "HTTP/1.1 200 OK" and Content-Length of a header block. */
static bool read_head(struct exchange *x, struct slice head)
{
    uint64_t n = 0;

    x->length = -1;
    if (head.n < 12 || memcmp(head.p, "HTTP/1.", 7) != 0 || !slice_to_u64(slice_make(head.p + 9, 3), 999, &n))
        return false;
    x->status = (int)n;
    while (head.n) {
        const char *lf = memchr(head.p, '\n', head.n);
        struct slice line = slice_head(head, lf ? (size_t)(lf - head.p) : head.n), name = SLICE("content-length:");

        head = slice_skip(head, line.n + 1);
        if (!slice_starts_nocase(line, name))
            continue;
        line = slice_skip(line, name.n);
        while (line.n && line.p[0] == ' ')
            line = slice_skip(line, 1);
        while (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (!slice_to_u64(line, INT64_MAX, &n))
            return false;
        x->length = (int64_t)n;
    }
    return true;
}

static int receive_head(struct exchange *x)
{
    struct slice in;
    const char *end;

    while (in = buf_slice(&x->in), !(end = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL)) {
        int more = in.n > HEAD_MAX ? -1 : read_more(x);

        if (more <= 0)
            return unreachable(x->client, more == 0 ? "closed without an answer" : "does not answer");
    }
    if (!read_head(x, slice_head(in, (size_t)(end - in.p))))
        return unreachable(x->client, "gave an answer that is no HTTP");
    buf_consume(&x->in, (size_t)(end - in.p) + 4);
    return CMD_DONE;
}

static int begin(const struct client *c, const char *method, const char *target, struct slice body, struct exchange *ret)
{
    int status;

    *ret = (struct exchange){ .client = c, .fd = open_socket(c) };
    buf_init(&ret->in, 0);
    if (ret->fd < 0) {
        char why[128];

        snprintf(why, sizeof why, "cannot be reached: %s", strerror(errno));
        return unreachable(c, why);
    }
    status = send_request(ret, method, target, body);
    return status == CMD_DONE ? receive_head(ret) : status;
}

static void end(struct exchange *x)
{
    if (x->fd >= 0)
        close(x->fd);
    buf_free(&x->in);
}

/* All of the content into x->in. */
static int receive_content(struct exchange *x)
{
    while (x->length < 0 || (int64_t)buf_len(&x->in) < x->length) {
        int more = buf_len(&x->in) > CLIENT_ANSWER_MAX ? -1 : read_more(x);

        if (more < 0 || (more == 0 && x->length >= 0))
            return unreachable(x->client, "broke off its answer");
        if (more == 0)
            break;
    }
    return CMD_DONE;
}

/* Says what a problem document says; the exit status for it. */
static int refused(struct exchange *x)
{
    int status = receive_content(x);
    struct slice content = buf_slice(&x->in);
    json_t *doc = status == CMD_DONE && content.n ? json_loadb(content.p, content.n, 0, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(doc, "detail"));

    if (status != CMD_DONE)
        return status;
    if (x->status == 422 && detail) /* findings of a configuration, a line each, as `fairlead check` prints them */
        fprintf(stderr, "%s", detail);
    else if (detail)
        fprintf(stderr, "fairlead %s: %s\n", x->client->cmd->name, detail);
    else
        fprintf(stderr, "fairlead %s: the daemon answered with status %d\n", x->client->cmd->name, x->status);
    json_decref(doc);
    return x->status == 400 ? CMD_USAGE : CMD_WRONG;
}

int client_ask(const struct client *c, const char *method, const char *target, json_t *body, json_t **ret)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct exchange x;
    struct slice content;
    int status = begin(c, method, target, slice_of(text), &x);

    free(text);
    json_decref(body);
    if (status == CMD_DONE && x.status / 100 != 2)
        status = refused(&x);
    else if (status == CMD_DONE)
        status = receive_content(&x);
    if (status == CMD_DONE) {
        content = buf_slice(&x.in);
        *ret = content.n ? json_loadb(content.p, content.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (!*ret)
            status = unreachable(c, "gave an answer that is no JSON");
    }
    end(&x);
    return status;
}

int client_copy(const struct client *c, const char *target, FILE *out)
{
    struct exchange x;
    int64_t left;
    int status = begin(c, "GET", target, SLICE_NONE, &x);

    if (status == CMD_DONE && x.status / 100 != 2)
        status = refused(&x);
    else if (status == CMD_DONE) {
        for (left = x.length; left != 0 && status == CMD_DONE;) {
            struct slice piece = buf_slice(&x.in);

            if (piece.n) {
                fwrite(piece.p, 1, piece.n, out);
                left -= left > 0 ? (int64_t)piece.n : 0;
                buf_consume(&x.in, piece.n);
            } else if (read_more(&x) <= 0) {
                if (left > 0)
                    status = unreachable(c, "broke off its answer");
                break;
            }
        }
    }
    end(&x);
    return status;
}

int client_escape(const char *text, struct buf *out)
{
    int rc = 0;

    for (; *text && rc == 0; text++) {
        if (ascii_is_alnum(*text) || strchr("-._~@", *text))
            rc = buf_add_char(out, *text);
        else
            rc = buf_printf(out, "%%%02X", (unsigned char)*text);
    }
    return rc;
}
