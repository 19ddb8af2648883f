/* admin_http.c: libmicrohttpd, run from outside through its epoll descriptor. A request lives from its request line until both
 * sides are done with it: the library (which tells so by on_completed) and the API (which owes an answer). */
#include "admin_http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin_listen.h"
#include "admin_problem.h"

enum {
    CONNECTION_MEMORY = 64 * 1024,  /* of the library, for one request's header */
    DISCARD_MAX = 16 * 1024 * 1024, /* of a body that is not wanted: read so far, then cut off */
};

struct listener {
    struct admin_http *http;
    struct MHD_Daemon *daemon; /* NULL: not there */
    bool is_local;
};

enum phase { PHASE_NEW, PHASE_BODY, PHASE_WHOLE };

struct request {
    struct admin_request q;
    TAILQ_ENTRY(request) link;
    struct listener *listener;
    struct MHD_Connection *connection; /* NULL: the library is done with it */
    struct MHD_Response *response;
    int status;
    enum phase phase;
    bool is_owed; /* the API has it and has not answered */
    bool is_suspended;
    bool is_broken;    /* no memory for an answer: the connection is cut */
    bool is_cut_short; /* answered without reading the body, and closed */
    struct buf body;
    size_t discarded;
    char *target;
};

struct admin_http {
    struct admin_http_options options;
    struct listener local, tcp;
    char *socket_path;
    struct stat socket_stat;
    TAILQ_HEAD(, request) requests;
    void (*wake)(void *arg);
    void *wake_arg;
    bool wants_run; /* a connection was resumed: the library does not tell by its descriptor */
};

/* ---------------------------------------------------------------- requests */
static void request_free(struct request *r)
{
    TAILQ_REMOVE(&r->listener->http->requests, r, link);
    if (r->response)
        MHD_destroy_response(r->response);
    buf_free(&r->body);
    free(r->target);
    free(r);
}

/* The library's first word of a request: its target as it was sent. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct listener *l = arg;
    struct request *r = calloc(1, sizeof *r);
    const char *question = strchr(target, '?');

    if (!r)
        return NULL;
    r->target = strdup(target);
    if (!r->target) {
        free(r);
        return NULL;
    }
    r->listener = l;
    r->connection = connection;
    buf_init(&r->body, ADMIN_BODY_MAX);
    r->q.is_local = l->is_local;
    r->q.path = question ? slice_make(r->target, (size_t)(question - target)) : slice_of(r->target);
    r->q.query = question ? slice_of(r->target + (question - target) + 1) : SLICE_NONE;
    TAILQ_INSERT_TAIL(&l->http->requests, r, link);
    return r;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
    struct request *r = *state;

    if (!r)
        return;
    *state = NULL;
    r->connection = NULL;
    if (!r->is_owed)
        request_free(r);
}

static struct MHD_Response *make_response(const struct admin_answer *a, struct buf *body)
{
    struct slice content = body ? buf_slice(body) : SLICE_NONE;
    struct MHD_Response *response;

    if (body && body->at == 0 && content.n) { /* the memory itself goes over */
        response = MHD_create_response_from_buffer(content.n, body->p, MHD_RESPMEM_MUST_FREE);
        if (response)
            buf_init(body, body->max);
    } else {
        response = MHD_create_response_from_buffer(content.n, (void *)(content.n ? content.p : ""), MHD_RESPMEM_MUST_COPY);
    }
    if (!response)
        return NULL;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_NO ||
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_NO ||
        (a->content_type && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type) == MHD_NO) ||
        (a->header && MHD_add_response_header(response, a->header, a->value) == MHD_NO)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static void resume(struct request *r)
{
    struct admin_http *h = r->listener->http;

    r->is_suspended = false;
    MHD_resume_connection(r->connection);
    h->wants_run = true;
    if (h->wake)
        h->wake(h->wake_arg);
}

void admin_respond(struct admin_request *q, const struct admin_answer *a, struct buf *body)
{
    struct request *r = (struct request *)q; /* its first member */

    r->is_owed = false;
    if (!r->connection) {
        request_free(r);
        return;
    }
    if (!r->response) {
        r->status = a->status;
        r->response = make_response(a, body);
        r->is_broken = !r->response;
    }
    q->answered = true;
    if (r->is_suspended)
        resume(r);
}

static void respond_problem(struct request *r, int status, const char *detail)
{
    struct buf body;

    buf_init(&body, 0);
    if (admin_problem_write(status, slice_of(detail), &body) < 0)
        r->is_broken = true;
    else
        admin_respond(&r->q, &(struct admin_answer){ .status = status, .content_type = ADMIN_PROBLEM_TYPE }, &body);
    buf_free(&body);
}

/* ---------------------------------------------------------------- framing */
struct fields {
    int lengths, encodings, hosts, authorizations, types;
    struct slice length, encoding, authorization, type;
};

static enum MHD_Result count_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
                                   size_t value_n)
{
    struct fields *f = arg;
    struct slice n = slice_make(name, name_n), v = slice_make(value, value_n);

    if (slice_eq_nocase(n, SLICE("Content-Length"))) {
        f->lengths++;
        f->length = v;
    } else if (slice_eq_nocase(n, SLICE("Transfer-Encoding"))) {
        f->encodings++;
        f->encoding = v;
    } else if (slice_eq_nocase(n, SLICE("Host"))) {
        f->hosts++;
    } else if (slice_eq_nocase(n, SLICE("Authorization"))) {
        f->authorizations++;
        f->authorization = v;
    } else if (slice_eq_nocase(n, SLICE("Content-Type"))) {
        f->types++;
        f->type = v;
    }
    return MHD_YES;
}

/* What the library lets pass and RFC 9112 does not: two ways to tell where a message ends are how requests are smuggled
 * (6.1, 6.3). */
static bool check_framing(struct request *r, const struct fields *f)
{
    uint64_t length = 0;

    r->is_cut_short = true; /* where its end is cannot be told, or is too far away */
    if (f->lengths && f->encodings)
        respond_problem(r, 400, "Content-Length and Transfer-Encoding in one request");
    else if (f->lengths > 1 || f->encodings > 1 || f->hosts > 1 || f->authorizations > 1 || f->types > 1)
        respond_problem(r, 400, "a header field that may stand once stands twice");
    else if (f->encodings && !slice_eq_nocase(f->encoding, SLICE("chunked")))
        respond_problem(r, 400, "a Transfer-Encoding other than chunked");
    else if (f->lengths && !slice_to_u64(f->length, INT64_MAX, &length))
        respond_problem(r, 400, "Content-Length is no number");
    else
        r->is_cut_short = length > DISCARD_MAX;
    if (r->response || r->is_broken)
        return false;
    if (length > ADMIN_BODY_MAX)
        respond_problem(r, 413, "the body has more than 64 KiB");
    else if (r->q.path.n + r->q.query.n > ADMIN_TARGET_MAX)
        respond_problem(r, 414, "path and query have more than 8 KiB");
    return !r->response && !r->is_broken;
}

static void identify_peer(struct request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t n = sizeof who;

    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
        who.uid = (uid_t)-1;
    r->q.peer_uid = who.uid;
}

static void begin(struct request *r, const char *method)
{
    struct admin_http *h = r->listener->http;
    struct fields f = { 0 };

    r->phase = PHASE_BODY;
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, count_field, &f);
    r->q.method = slice_of(method); /* these live as long as the request does */
    r->q.authorization = f.authorization;
    r->q.content_type = f.type;
    r->q.has_body = f.encodings || (f.lengths && !slice_eq(f.length, SLICE("0")));
    if (r->q.is_local)
        identify_peer(r);
    if (check_framing(r, &f))
        h->options.begin(h->options.arg, &r->q);
}

/* Of a request that is refused already the body is read all the same: closing on unread bytes would send a reset, which may
 * reach the client before the answer does. */
static bool take_body(struct request *r, const char *bytes, size_t n)
{
    if (!r->response && !r->discarded && buf_add(&r->body, slice_make(bytes, n)) == 0)
        return true;
    r->discarded += n;
    return r->discarded <= DISCARD_MAX;
}

static void whole(struct request *r)
{
    struct admin_http *h = r->listener->http;

    r->phase = PHASE_WHOLE;
    if (r->response || r->is_broken)
        return;
    r->q.body = buf_slice(&r->body);
    if (r->discarded) {
        respond_problem(r, 413, "the body has more than 64 KiB");
        return;
    }
    r->is_owed = true;
    h->options.handle(h->options.arg, &r->q);
    if (r->q.authorization.n) /* a token, in the library's memory of a connection that may stay for long */
        explicit_bzero((char *)(uintptr_t)r->q.authorization.p, r->q.authorization.n);
    r->q.authorization = SLICE_NONE;
}

static enum MHD_Result send_response(struct request *r)
{
    struct MHD_Response *response = r->response;
    enum MHD_Result rc;

    if (r->is_broken)
        return MHD_NO;
    rc = MHD_queue_response(r->connection, (unsigned)r->status, response);
    r->response = NULL;
    MHD_destroy_response(response); /* the library holds its own reference */
    return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_n, void **state)
{
    struct request *r = *state;

    if (!r)
        return MHD_NO; /* out of memory at its first word */
    if (r->phase == PHASE_NEW) {
        begin(r, method);
        if (r->q.has_body && !r->is_cut_short)
            return MHD_YES;
    } else if (r->phase == PHASE_BODY && *upload_n) {
        bool ok = take_body(r, upload, *upload_n);

        *upload_n = 0;
        return ok ? MHD_YES : MHD_NO;
    } else if (r->phase == PHASE_BODY) {
        whole(r);
    }
    if (r->response || r->is_broken)
        return send_response(r);
    if (r->phase == PHASE_WHOLE && r->is_owed && !r->is_suspended) {
        r->is_suspended = true;
        MHD_suspend_connection(connection);
    }
    return MHD_YES;
}

/* ---------------------------------------------------------------- listeners */
int admin_http_new(const struct admin_http_options *options, struct admin_http **ret, struct fl_err *err)
{
    struct admin_http *h = calloc(1, sizeof *h);

    if (!h)
        return fl_fail(err, FL_ENOMEM, "admin: out of memory");
    h->options = *options;
    h->local = (struct listener){ .http = h, .is_local = true };
    h->tcp = (struct listener){ .http = h };
    TAILQ_INIT(&h->requests);
    *ret = h;
    return 0;
}

/* Takes fd. */
static int start(struct listener *l, int fd, struct fl_err *err)
{
    l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
                                 MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_IDLE_S,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                 MHD_OPTION_URI_LOG_CALLBACK, on_target, l,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
                                 MHD_OPTION_END);
    if (l->daemon)
        return 0;
    close(fd);
    return fl_fail(err, FL_EIO, "admin: the HTTP server cannot be started");
}

int admin_http_add_socket(struct admin_http *h, const char *path, uid_t uid, gid_t gid, struct fl_err *err)
{
    int fd, rc = admin_listen_local(path, uid, gid, &fd, err);

    if (rc < 0)
        return rc;
    h->socket_path = strdup(path);
    if (!h->socket_path || stat(path, &h->socket_stat) < 0) {
        close(fd);
        return fl_fail(err, FL_EIO, "control socket %s: lost it at once", path);
    }
    return start(&h->local, fd, err);
}

int admin_http_add_tcp(struct admin_http *h, const struct inet_endpoint *endpoint, struct fl_err *err)
{
    int fd, rc = admin_listen_tcp(endpoint, &fd, err);

    return rc < 0 ? rc : start(&h->tcp, fd, err);
}

/* Answers what is open on a listener, so that nothing is suspended, and ends it. */
static void stop(struct listener *l)
{
    struct request *r;

    if (!l->daemon)
        return;
    TAILQ_FOREACH(r, &l->http->requests, link) {
        if (r->listener == l && r->is_suspended) {
            respond_problem(r, 503, "the daemon stops");
            r->is_owed = true;   /* the API does not know, and will answer into the void */
            if (r->is_suspended) /* even without memory for an answer */
                resume(r);
        }
    }
    MHD_run(l->daemon);
    MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
}

void admin_http_remove_tcp(struct admin_http *h)
{
    stop(&h->tcp);
}

void admin_http_close(struct admin_http *h)
{
    struct stat now;

    stop(&h->tcp);
    stop(&h->local);
    if (h->socket_path && stat(h->socket_path, &now) == 0 && now.st_ino == h->socket_stat.st_ino &&
        now.st_dev == h->socket_stat.st_dev)
        unlink(h->socket_path); /* not one that another daemon put in its place */
    free(h->socket_path);
    h->socket_path = NULL;
}

void admin_http_free(struct admin_http *h)
{
    struct request *r;

    if (!h)
        return;
    while ((r = TAILQ_FIRST(&h->requests)))
        request_free(r);
    free(h->socket_path);
    free(h);
}

/* ---------------------------------------------------------------- running */
int admin_http_fds(const struct admin_http *h, int ret[2])
{
    const struct listener *all[] = { &h->local, &h->tcp };
    int count = 0;

    for (int i = 0; i < 2; i++)
        if (all[i]->daemon)
            ret[count++] = MHD_get_daemon_info(all[i]->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return count;
}

void admin_http_on_wake(struct admin_http *h, void (*wake)(void *arg), void *arg)
{
    h->wake = wake;
    h->wake_arg = arg;
}

int64_t admin_http_run(struct admin_http *h)
{
    struct listener *all[] = { &h->local, &h->tcp };
    int64_t wait_ms = -1;

    h->wants_run = false;
    for (int i = 0; i < 2; i++) {
        MHD_UNSIGNED_LONG_LONG ms;

        if (!all[i]->daemon)
            continue;
        MHD_run(all[i]->daemon);
        if (MHD_get_timeout(all[i]->daemon, &ms) == MHD_YES && (wait_ms < 0 || (int64_t)ms < wait_ms))
            wait_ms = (int64_t)ms;
    }
    return h->wants_run ? 0 : wait_ms;
}
