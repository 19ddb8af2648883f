/* secret.c: see secret.h. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The secret's text now stands in the node, as if it had been typed there. */
static void become_text(struct parse *p, struct node *n, struct slice text, const struct node *from)
{
    if (text.n == 0 || memchr(text.p, '\0', text.n) || memchr(text.p, '\n', text.n) || memchr(text.p, '\r', text.n)) {
        finding_error(p->findings, &from->at, "%s: %s holds no secret: it is empty, or more than one line", from->name.p,
                      from->text.p);
        n->ok = false;
        return;
    }
    n->text = arena_copy(p->scratch, text);
    n->kind = NODE_TEXT;
    n->first = n->last = NULL;
    n->count = 0;
    n->ok = n->text.p != NULL;
    p->lost |= !n->text.p;
}

static void fetch_env(struct parse *p, struct node *n, const struct node *env)
{
    const char *value = getenv(env->text.p);

    if (value) {
        become_text(p, n, slice_of(value), env);
        return;
    }
    finding_error(p->findings, &env->at, "env: there is no environment variable %s", env->text.p);
    n->ok = false;
}

/* 0, or an errno value. */
static int read_secret(int fd, char *out, size_t size, size_t *ret_n)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = read(fd, out + n, size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

static struct slice without_line_end(struct slice s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static void fetch_open_file(struct parse *p, struct node *n, const struct node *file, int fd)
{
    char text[SECRET_BYTES_MAX + 1];
    struct stat st;
    size_t len = 0;
    int e;

    n->ok = false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        finding_error(p->findings, &file->at, "file: %s is no regular file", file->value.text);
        return;
    }
    if (st.st_mode & S_IROTH)
        finding_warning(p->findings, &file->at, "file: everybody may read %s (mode %04o)", file->value.text,
                        (unsigned)st.st_mode & 07777);
    e = read_secret(fd, text, sizeof text, &len);
    if (e)
        finding_error(p->findings, &file->at, "file: %s cannot be read: %s", file->value.text, strerror(e));
    else if (len > SECRET_BYTES_MAX)
        finding_error(p->findings, &file->at, "file: %s is larger than %d bytes", file->value.text, SECRET_BYTES_MAX);
    else
        become_text(p, n, without_line_end(slice_make(text, len)), file);
    explicit_bzero(text, sizeof text);
}

static void fetch_file(struct parse *p, struct node *n, const struct node *file)
{
    int fd = open(file->value.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        finding_error(p->findings, &file->at, "file: %s cannot be read: %s", file->value.text, strerror(errno));
        n->ok = false;
        return;
    }
    fetch_open_file(p, n, file, fd);
    close(fd);
}

static void fetch(struct parse *p, struct node *n)
{
    const struct node *file = node_child(n, "file"), *env = node_child(n, "env");

    if (file && env) {
        finding_error(p->findings, &env->name_at, "%s: it has both file and env; one is allowed", n->name.p);
        n->ok = false;
    } else if (file && file->ok) {
        fetch_file(p, n, file);
    } else if (env && env->ok) {
        fetch_env(p, n, env);
    } else {
        if (n->count == 0)
            finding_error(p->findings, &n->at, "%s: one of file and env is required", n->name.p);
        n->ok = false;
    }
}

void secret_fetch_all(struct parse *p)
{
    for (const struct outside *o = p->outside; o; o = o->next)
        fetch(p, o->node);
}
