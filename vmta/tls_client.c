/* tls_client.c: see tls_client.h. */
#include "tls_client.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "conf.h"

struct client_context {
    SSL_CTX *ssl;
    bool strict;      /* for connections that must be verified */
    int min_version;
    char *ca_file;    /* NULL: the system's */
};

struct client_session {
    SSL_SESSION *session;
    UT_hash_handle hh;
    size_t key_n;
    char key[];
};

struct tls_clients {
    struct client_context contexts[TLS_CONTEXTS_MAX];
    int context_count;
    struct client_session *sessions; /* the oldest first */
};

struct tls_clients *tls_clients_new(void)
{
    return calloc(1, sizeof(struct tls_clients));
}

void tls_clients_free(struct tls_clients *c)
{
    if (!c)
        return;
    tls_clients_forget(c);
    free(c);
}

static void session_free(struct tls_clients *c, struct client_session *s)
{
    HASH_DEL(c->sessions, s);
    SSL_SESSION_free(s->session);
    free(s);
}

static void context_free(struct client_context *x)
{
    SSL_CTX_free(x->ssl);
    free(x->ca_file);
}

void tls_clients_forget(struct tls_clients *c)
{
    struct client_session *s, *next;

    HASH_ITER(hh, c->sessions, s, next)
        session_free(c, s);
    for (int i = 0; i < c->context_count; i++)
        context_free(&c->contexts[i]);
    c->context_count = 0;
}

static int openssl_version(int min_version)
{
    static const int versions[] = {
        [TLS_1_0] = TLS1_VERSION, [TLS_1_1] = TLS1_1_VERSION, [TLS_1_2] = TLS1_2_VERSION, [TLS_1_3] = TLS1_3_VERSION,
    };

    return versions[min_version];
}

/* Without verification TLS only keeps listeners out, and the alternative is clear text: any cipher and key size is better than
 * that. TLS 1.0 and 1.1 need the level lowered in any case (they sign with SHA-1). */
static bool set_strength(SSL_CTX *ssl, const struct tls_client_params *p)
{
    const char *ciphers = p->must_verify && p->min_version >= TLS_1_2 ? "DEFAULT" : "DEFAULT:@SECLEVEL=0";

    return SSL_CTX_set_cipher_list(ssl, ciphers) == 1 &&
           SSL_CTX_set_min_proto_version(ssl, openssl_version(p->min_version)) == 1;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Trust anchors that cannot be read leave the context without any: then nothing verifies, which is what the policy must see. */
static int make_context(struct client_context *x, const struct tls_client_params *p)
{
    *x = (struct client_context){ .strict = p->must_verify, .min_version = p->min_version };
    x->ssl = SSL_CTX_new(TLS_client_method());
    if (p->ca_file)
        x->ca_file = strdup(p->ca_file);
    if (!x->ssl || (p->ca_file && !x->ca_file) || !set_strength(x->ssl, p)) {
        context_free(x);
        return -1;
    }
    SSL_CTX_set_mode(x->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(x->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(x->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_verify(x->ssl, p->must_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (p->ca_file)
        SSL_CTX_load_verify_file(x->ssl, p->ca_file);
    else
        SSL_CTX_set_default_verify_paths(x->ssl);
    return 0;
}

struct ssl_ctx_st *tls_clients_context(struct tls_clients *c, const struct tls_client_params *params)
{
    struct client_context *x;

    for (int i = 0; i < c->context_count; i++) {
        x = &c->contexts[i];
        if (x->strict == params->must_verify && x->min_version == params->min_version && same_text(x->ca_file, params->ca_file))
            return x->ssl;
    }
    if (c->context_count == TLS_CONTEXTS_MAX) { /* more kinds of policies than expected: the first goes */
        context_free(&c->contexts[0]);
        memmove(c->contexts, c->contexts + 1, (TLS_CONTEXTS_MAX - 1) * sizeof c->contexts[0]);
        c->context_count--;
    }
    x = &c->contexts[c->context_count];
    if (make_context(x, params) < 0)
        return NULL;
    c->context_count++;
    return x->ssl;
}

static struct client_session *find_session(struct tls_clients *c, struct slice key)
{
    struct client_session *s;

    HASH_FIND(hh, c->sessions, key.p, key.n, s);
    return s;
}

void tls_clients_put(struct tls_clients *c, struct slice key, struct ssl_session_st *session)
{
    struct client_session *s;

    tls_clients_drop(c, key);
    if (HASH_COUNT(c->sessions) >= TLS_SESSIONS_MAX)
        session_free(c, c->sessions);
    s = calloc(1, sizeof *s + key.n);
    if (!s) {
        SSL_SESSION_free(session);
        return;
    }
    s->session = session;
    s->key_n = key.n;
    memcpy(s->key, key.p, key.n);
    HASH_ADD(hh, c->sessions, key, key.n, s);
    if (!s->hh.tbl) {
        SSL_SESSION_free(session);
        free(s);
    }
}

struct ssl_session_st *tls_clients_get(struct tls_clients *c, struct slice key)
{
    struct client_session *s = find_session(c, key);

    return s && SSL_SESSION_is_resumable(s->session) ? s->session : NULL;
}

void tls_clients_drop(struct tls_clients *c, struct slice key)
{
    struct client_session *s = find_session(c, key);

    if (s)
        session_free(c, s);
}
