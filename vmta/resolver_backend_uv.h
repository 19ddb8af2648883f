/* resolver_backend_uv.h: one libunbound context with its settings: questions in, judged answers out. Loop thread.
 * resolver_uv.c makes one per configuration of the servers, and another when that changes. */
#ifndef FL_RESOLVER_BACKEND_UV_H
#define FL_RESOLVER_BACKEND_UV_H

#include <uv.h>

#include "conf.h"
#include "dns_rdata.h"
#include "err.h"
#include "resolver.h"

struct resolver_backend;
struct ub_result;

/* One question under way; part of the query that asks. */
struct resolver_lookup {
    struct resolver_backend *backend; /* NULL: not under way */
    int async_id;
    int type; /* DNS_TYPE_… */
    void (*answered)(struct resolver_lookup *l, int err, struct ub_result *result); /* takes result; must not ask */
    void *arg;
};

/* after: called on the loop after answers were handed out. FL_ENOMEM, FL_EIO. */
int resolver_backend_new(uv_loop_t *uv, const struct conf *conf, void (*after)(void *arg), void *arg,
                         struct resolver_backend **ret, struct fl_err *err);
/* It ends when nothing is under way any more. Takes NULL. */
void resolver_backend_retire(struct resolver_backend *b);

/* Asks for l->type of name. FL_ENOMEM or FL_EIO: answered will not be called. */
int resolver_backend_ask(struct resolver_backend *b, struct resolver_lookup *l, const char *name);
/* answered will not be called. Nothing when it is not under way. */
void resolver_backend_cancel(struct resolver_lookup *l);

#endif
