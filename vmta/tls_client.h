/* tls_client.h: what the client handshakes of one loop share: a context per trust anchors and least version, and a bounded
 * cache of sessions. Loop thread; used by tls.c alone. */
#ifndef FL_TLS_CLIENT_H
#define FL_TLS_CLIENT_H

#include "slice.h"
#include "stream.h"

struct tls_clients;
struct ssl_ctx_st;
struct ssl_session_st;

enum { TLS_SESSIONS_MAX = 4096, TLS_CONTEXTS_MAX = 64 };

struct tls_clients *tls_clients_new(void);
void tls_clients_free(struct tls_clients *c);
/* Forgets contexts and sessions; connections keep theirs. */
void tls_clients_forget(struct tls_clients *c);

/* The context for these parameters, made when first asked for. Borrowed until forgotten. NULL without memory. */
struct ssl_ctx_st *tls_clients_context(struct tls_clients *c, const struct tls_client_params *params);

/* Sessions by key (host, source and policy: a resumed session keeps an unverified verdict). put takes the reference;
 * get lends one until the cache changes, or NULL. */
void tls_clients_put(struct tls_clients *c, struct slice key, struct ssl_session_st *session);
struct ssl_session_st *tls_clients_get(struct tls_clients *c, struct slice key);
void tls_clients_drop(struct tls_clients *c, struct slice key);

#endif
