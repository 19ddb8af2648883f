/* tls.c: see tls.h. */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "tls_client.h"

enum { TLS_PEER_NAMES_MAX = 16, TLS_ERROR_TEXT = 160 };

struct tls_engine {
    BIO_METHOD *method; /* how OpenSSL reaches the slice and the buffer of its connection */
    struct tls_clients *clients;
};

/* What only a peer with a certificate, or a client's cache, needs: apart, since most inbound connections have neither. */
struct tls_peer {
    char names[TLS_PEER_NAMES_MAX][DOMAIN_MAX];
    const char *name[TLS_PEER_NAMES_MAX];
};

struct tls {
    SSL *ssl;
    struct tls_engine *engine;
    struct slice in;
    struct buf out;
    bool is_server, knows_clients;
    struct slice cache_key; /* client side; allocated */
    struct tls_peer *peer;
    struct stream_tls_info info;
    char error[TLS_ERROR_TEXT];
};

/* ---------------------------------------------------------------- OpenSSL's view of the connection */
static int bio_read(BIO *bio, char *to, int n)
{
    struct tls *t = BIO_get_data(bio);
    size_t step = (size_t)n < t->in.n ? (size_t)n : t->in.n;

    BIO_clear_retry_flags(bio);
    if (step == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, t->in.p, step);
    t->in = slice_skip(t->in, step);
    return (int)step;
}

static int bio_write(BIO *bio, const char *from, int n)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    return buf_add(&t->out, slice_make(from, (size_t)n)) == 0 ? n : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

    if (!m)
        return NULL;
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* ---------------------------------------------------------------- the engine */
struct tls_engine *tls_engine_new(void)
{
    struct tls_engine *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->method = make_method();
    e->clients = tls_clients_new();
    if (!e->method || !e->clients) {
        tls_engine_free(e);
        return NULL;
    }
    return e;
}

void tls_engine_free(struct tls_engine *e)
{
    if (!e)
        return;
    tls_clients_free(e->clients);
    BIO_meth_free(e->method);
    free(e);
}

void tls_engine_forget(struct tls_engine *e)
{
    tls_clients_forget(e->clients);
}

/* ---------------------------------------------------------------- a connection */
static struct tls *tls_new(struct tls_engine *e, SSL_CTX *context, bool is_server)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio;

    if (!t)
        return NULL;
    t->engine = e;
    t->is_server = is_server;
    buf_init(&t->out, 0);
    t->ssl = SSL_new(context);
    bio = t->ssl ? BIO_new(e->method) : NULL;
    if (!bio) {
        tls_free(t);
        return NULL;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_free(&t->out);
    free((char *)(uintptr_t)t->cache_key.p);
    free(t->peer);
    free(t);
}

int tls_new_server(struct tls_engine *e, const struct tls_server *server, struct tls **ret, struct fl_err *err)
{
    struct tls *t;

    if (!server || !server->context)
        return fl_fail(err, FL_EINVAL, "no certificate is configured");
    t = tls_new(e, server->context, true);
    if (!t)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    t->knows_clients = server->knows_clients;
    SSL_set_accept_state(t->ssl);
    *ret = t;
    return 0;
}

/* Host, policy and trust anchors, beside what the caller keeps apart (source address). */
static int make_cache_key(struct tls *t, const struct tls_client_params *p)
{
    struct buf b;
    int rc;

    buf_init(&b, 0);
    rc = buf_printf(&b, "%s %d %d %s ", p->host, p->min_version, p->must_verify, p->ca_file ? p->ca_file : "");
    if (rc == 0)
        rc = buf_add(&b, p->cache_key);
    if (rc < 0) {
        buf_free(&b);
        return rc;
    }
    t->cache_key = buf_slice(&b); /* nothing was consumed: it begins where the allocation does */
    return 0;
}

/* Called when the server hands out a session: at the end of the handshake, with TLS 1.3 any time later. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);

    tls_clients_put(t->engine->clients, t->cache_key, session);
    return 1;
}

/* Whom the other side must prove to be: checked in every mode, enforced by the context's mode alone. */
static bool expect_host(struct tls *t, const struct tls_client_params *p)
{
    if (p->host_is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), p->host) == 1;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(t->ssl, p->host) == 1 && SSL_set_tlsext_host_name(t->ssl, p->host) == 1;
}

int tls_new_client(struct tls_engine *e, const struct tls_client_params *params, struct tls **ret, struct fl_err *err)
{
    SSL_CTX *context = tls_clients_context(e->clients, params);
    SSL_SESSION *session;
    struct tls *t = context ? tls_new(e, context, false) : NULL;

    if (!t)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    if (make_cache_key(t, params) < 0 || !expect_host(t, params)) {
        tls_free(t);
        return fl_fail(err, FL_EINVAL, "no certificate can be checked for the name %s", params->host);
    }
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_set_connect_state(t->ssl);
    session = tls_clients_get(e->clients, t->cache_key);
    if (session)
        SSL_set_session(t->ssl, session);
    *ret = t;
    return 0;
}

void tls_input(struct tls *t, struct slice in)
{
    t->in = in;
}

struct slice tls_input_left(const struct tls *t)
{
    return t->in;
}

struct buf *tls_output(struct tls *t)
{
    return &t->out;
}

/* ---------------------------------------------------------------- what went wrong */
static void note_error(struct tls *t)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    long verdict = SSL_get_verify_result(t->ssl);

    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        snprintf(t->error, sizeof t->error, "certificate not trusted: %s", X509_verify_cert_error_string(verdict));
    else
        snprintf(t->error, sizeof t->error, "%s", reason ? reason : "protocol error");
    ERR_clear_error();
}

const char *tls_error(const struct tls *t)
{
    return t->error;
}

enum tls_step tls_handshake(struct tls *t)
{
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(t->ssl);
    if (rc == 1)
        return TLS_STEP_DONE;
    if (SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ)
        return TLS_STEP_MORE;
    note_error(t);
    if (!t->is_server) /* perhaps it was the old session that the server choked on */
        tls_clients_drop(t->engine->clients, t->cache_key);
    return TLS_STEP_FAILED;
}

/* ---------------------------------------------------------------- who the peer is */
static void note_names(struct tls *t, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = 0;

    if (!names)
        return;
    t->peer = calloc(1, sizeof *t->peer);
    for (int i = 0; t->peer && i < sk_GENERAL_NAME_num(names) && n < TLS_PEER_NAMES_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        struct slice text;

        if (name->type != GEN_DNS)
            continue;
        text = slice_make(ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
        if (!domain_canonical(text, t->peer->names[n]))
            continue; /* also wildcards: they name no single client */
        t->peer->name[n] = t->peer->names[n];
        n++;
    }
    GENERAL_NAMES_free(names);
    if (t->peer) {
        t->info.peer_dns = t->peer->name;
        t->info.peer_dns_count = n;
    }
}

static void note_certificate(struct tls *t)
{
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    long verdict = SSL_get_verify_result(t->ssl);
    unsigned n = 0;

    if (!certificate) {
        t->info.verify_error = "no certificate";
        return;
    }
    t->info.has_peer_certificate = X509_digest(certificate, EVP_sha256(), t->info.peer_sha256, &n) == 1;
    if (verdict != X509_V_OK)
        t->info.verify_error = X509_verify_cert_error_string(verdict);
    else if (t->is_server)
        t->info.peer_trusted = t->knows_clients;
    else
        t->info.verified = true;
    if (t->is_server && !t->peer)
        note_names(t, certificate);
}

const struct stream_tls_info *tls_info(struct tls *t)
{
    t->info.version = SSL_get_version(t->ssl);
    t->info.cipher = SSL_get_cipher_name(t->ssl);
    t->info.resumed = SSL_session_reused(t->ssl) == 1;
    note_certificate(t);
    return &t->info;
}

/* ---------------------------------------------------------------- data */
ssize_t tls_read(struct tls *t, char *to, size_t n)
{
    int rc;

    ERR_clear_error();
    rc = SSL_read(t->ssl, to, n < INT32_MAX ? (int)n : INT32_MAX);
    if (rc > 0)
        return rc;
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return FL_ECLOSED;
    default:
        note_error(t);
        return FL_EIO;
    }
}

int tls_write(struct tls *t, struct slice plain)
{
    while (plain.n > 0) {
        int rc;

        ERR_clear_error();
        rc = SSL_write(t->ssl, plain.p, plain.n < INT32_MAX ? (int)plain.n : INT32_MAX);
        if (rc <= 0) {
            note_error(t);
            return FL_EIO;
        }
        plain = slice_skip(plain, (size_t)rc);
    }
    return 0;
}

void tls_shutdown(struct tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}
