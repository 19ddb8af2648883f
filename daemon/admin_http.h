/* admin_http.h: HTTP/1.1 for operators: libmicrohttpd behind one request at a time, over the control socket and over TCP.
 * Loop thread. Knows framing, limits and connections, but no route and no token: those are admin_api.h's, which gets each
 * request by two callbacks and answers it by admin_respond(), at once or later (the connection sleeps meanwhile). In order:
 * admin_http_new; admin_http_add_socket, _add_tcp; admin_http_run whenever its fd is readable or its time has come
 * (admin_http_uv.h does both); admin_http_close; and, once nothing can answer any more, admin_http_free. */
#ifndef FL_ADMIN_HTTP_H
#define FL_ADMIN_HTTP_H

#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "inet.h"
#include "log.h"

struct admin_http;

enum {
    ADMIN_BODY_MAX = 64 * 1024,  /* of a request: 413 above it */
    ADMIN_TARGET_MAX = 8 * 1024, /* path and query: 414 above it */
    ADMIN_CONNECTIONS_MAX = 64,  /* on each listener; more wait in its backlog */
    ADMIN_IDLE_S = 30,           /* a connection that says nothing for so long is closed */
};

/* One request. All but `user` and `answered` is read only; slices are borrowed until admin_respond. */
struct admin_request {
    struct slice method;
    struct slice path;          /* as sent: percent-encoded, without the query */
    struct slice query;         /* as sent, without "?"; empty without one */
    struct slice authorization; /* of the header field, overwritten once handle has returned; .p NULL without one */
    struct slice content_type;
    struct slice body;
    bool has_body;  /* a body was announced, though it may be empty */
    bool is_local;  /* came by the control socket */
    uid_t peer_uid; /* of the process at the other end of the control socket */
    bool answered;
    void *user; /* the API's own */
};

struct admin_http_options {
    const struct log *log; /* borrowed */
    void *arg;
    /* The header is there, the body not yet: may refuse by admin_respond, which spares reading the body. */
    void (*begin)(void *arg, struct admin_request *q);
    /* All of it is there. Must answer exactly once, now or later. */
    void (*handle)(void *arg, struct admin_request *q);
};

struct admin_answer {
    int status;
    const char *content_type; /* a literal */
    const char *header;       /* one more header field, a literal, or NULL … */
    const char *value;        /* … and its value, copied */
};

int admin_http_new(const struct admin_http_options *options, struct admin_http **ret, struct fl_err *err);
/* The control socket: mode 0660; its folder is made, with mode 0750, when it is missing. A socket that is there is replaced
 * only if nobody answers on it (FL_EBUSY otherwise). uid, gid: who shall own what is made; -1: who we are. */
int admin_http_add_socket(struct admin_http *h, const char *path, uid_t uid, gid_t gid, struct fl_err *err);
/* Listens on a TCP endpoint. */
int admin_http_add_tcp(struct admin_http *h, const struct inet_endpoint *endpoint, struct fl_err *err);
/* No longer on TCP: for a reload that changed admin.http. Open requests are answered 503. */
void admin_http_remove_tcp(struct admin_http *h);

/* Answers a request. Takes the content of body (which is empty afterwards); NULL: no content. q may be gone when this returns.
 */
void admin_respond(struct admin_request *q, const struct admin_answer *a, struct buf *body);

/* What the loop polls for reading: changes never while a listener lives; the count is 0, 1 or 2. */
int admin_http_fds(const struct admin_http *h, int ret[2]);
/* wake() is called when it wants to be run soon although nothing is readable: an answer was given outside of a run. */
void admin_http_on_wake(struct admin_http *h, void (*wake)(void *arg), void *arg);
/* Does what can be done now. Returns in how many milliseconds it wants to be run again without input; -1: not before that. */
int64_t admin_http_run(struct admin_http *h);

/* Stops listening, answers 503 to what is open, closes all connections and removes the control socket. */
void admin_http_close(struct admin_http *h);
/* Also what is still being answered. After admin_http_close, and after those who could still answer are gone. Takes NULL. */
void admin_http_free(struct admin_http *h);

#endif
