/* resolver_backend_uv.c: see resolver_backend_uv.h. */
#include "resolver_backend_uv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

#include "buf.h"
#include "now_uv.h"

enum { DNS_CLASS_IN = 1 };

struct resolver_backend {
    struct ub_ctx *ub;
    uv_poll_t poll;
    void (*after)(void *arg);
    void *arg;
    int under_way;
    bool retired;
};

/* A thread with an event loop of its own (ub_ctx_async) never blocks ours. The servers named by the operator may well be on
 * loopback, and "test." is a domain like others. A name server that timed out is asked again soon: it is the only one we
 * have. */
static const char settings_text[] =
    "server:\n"
    "  verbosity: 0\n"
    "  use-syslog: no\n"
    "  module-config: \"iterator\"\n"
    "  do-not-query-localhost: no\n"
    "  local-zone: \"test.\" nodefault\n"
    "  infra-keep-probing: yes\n"
    "  infra-host-ttl: 60\n"
    "  outgoing-range: 256\n"
    "  num-queries-per-thread: 256\n"
    "  msg-cache-size: 8m\n"
    "  rrset-cache-size: 16m\n";

static int write_settings(const struct conf *conf, struct buf *out)
{
    int rc = buf_add_text(out, settings_text);

    if (rc == 0 && conf->dns.server_count > 0)
        rc = buf_add_text(out, "forward-zone:\n  name: \".\"\n");
    for (int i = 0; rc == 0 && i < conf->dns.server_count; i++) {
        char addr[INET_TEXT];

        inet_addr_text(&conf->dns.servers[i].addr, addr);
        rc = buf_printf(out, "  forward-addr: %s@%d\n", addr, conf->dns.servers[i].port);
    }
    return rc;
}

/* libunbound takes most of its settings from a file only: one in memory will do. */
static int apply_file(struct ub_ctx *ub, struct slice text)
{
    char path[sizeof "/proc/self/fd/2147483647"];
    int fd = memfd_create("unbound", MFD_CLOEXEC), rc;

    if (fd < 0)
        return UB_READFILE;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    rc = write(fd, text.p, text.n) == (ssize_t)text.n ? ub_ctx_config(ub, path) : UB_READFILE;
    close(fd);
    return rc;
}

static int configure(struct ub_ctx *ub, const struct conf *conf, struct fl_err *err)
{
    struct buf text;
    int rc = ub_ctx_async(ub, 1); /* before all else, or it forks */

    if (rc != 0)
        return fl_fail(err, FL_EIO, "dns: libunbound without threads: %s", ub_strerror(rc));
    buf_init(&text, 0);
    if (write_settings(conf, &text) < 0) {
        buf_free(&text);
        return fl_fail(err, FL_ENOMEM, "dns: out of memory");
    }
    rc = apply_file(ub, buf_slice(&text));
    buf_free(&text);
    if (rc == 0 && conf->dns.server_count == 0)
        rc = ub_ctx_resolvconf(ub, NULL) == 0 ? 0 : UB_READFILE;
    if (rc != 0)
        return fl_fail(err, FL_EIO, "dns: libunbound: %s", ub_strerror(rc));
    ub_ctx_debugout(ub, NULL);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct resolver_backend *b = handle->data;

    ub_ctx_delete(b->ub);
    free(b);
}

static void close_when_idle(struct resolver_backend *b)
{
    if (b->retired && b->under_way == 0 && !uv_is_closing((uv_handle_t *)&b->poll))
        uv_close((uv_handle_t *)&b->poll, on_closed);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct resolver_backend *b = handle->data;

    now_refresh(handle->loop);
    ub_process(b->ub);
    b->after(b->arg);
    close_when_idle(b);
}

int resolver_backend_new(uv_loop_t *uv, const struct conf *conf, void (*after)(void *arg), void *arg,
                         struct resolver_backend **ret, struct fl_err *err)
{
    struct resolver_backend *b = calloc(1, sizeof *b);
    int rc;

    if (!b)
        return fl_fail(err, FL_ENOMEM, "dns: out of memory");
    b->ub = ub_ctx_create();
    rc = b->ub ? configure(b->ub, conf, err) : fl_fail(err, FL_ENOMEM, "dns: out of memory");
    if (rc == 0 && uv_poll_init(uv, &b->poll, ub_fd(b->ub)) != 0)
        rc = fl_fail(err, FL_EIO, "dns: libunbound's descriptor cannot be watched");
    if (rc < 0) {
        if (b->ub)
            ub_ctx_delete(b->ub);
        free(b);
        return rc;
    }
    b->poll.data = b;
    b->after = after;
    b->arg = arg;
    uv_poll_start(&b->poll, UV_READABLE, on_readable);
    *ret = b;
    return 0;
}

void resolver_backend_retire(struct resolver_backend *b)
{
    if (!b)
        return;
    b->retired = true;
    close_when_idle(b);
}

/* Called inside ub_process, on the loop. */
static void on_answer(void *arg, int err, struct ub_result *result)
{
    struct resolver_lookup *l = arg;

    l->backend->under_way--;
    l->backend = NULL;
    l->answered(l, err, result);
}

int resolver_backend_ask(struct resolver_backend *b, struct resolver_lookup *l, const char *name)
{
    int rc;

    assert(!l->backend && !b->retired);
    rc = ub_resolve_async(b->ub, name, l->type, DNS_CLASS_IN, l, on_answer, &l->async_id);
    if (rc != 0)
        return rc == UB_NOMEM ? FL_ENOMEM : FL_EIO;
    l->backend = b;
    b->under_way++;
    return 0;
}

void resolver_backend_cancel(struct resolver_lookup *l)
{
    struct resolver_backend *b = l->backend;

    if (!b)
        return;
    ub_cancel(b->ub, l->async_id);
    l->backend = NULL;
    b->under_way--;
    close_when_idle(b);
}
