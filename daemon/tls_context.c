/* tls_context.c: see tls_context.h. */
#include "tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "tls.h"

/* One certificate with its chain and key. */
struct identity {
    X509 *leaf;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
};

/* All of them: belongs to the SSL_CTX, so that a handshake that outlives a reload still finds them. */
struct identities {
    int count;
    struct identity items[];
};

/* How a file looked when it was read. */
struct file_mark {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct tls_context {
    struct tls_server server; /* what handshakes see */
    int index;                /* where a context of OpenSSL keeps its identities: taken once, since it is never given back */
    struct conf *conf;
    struct identities *identities; /* of server.context */
    struct file_mark *marks;       /* certificate, key, certificate, key, …, client_ca */
};

/* ---------------------------------------------------------------- identities */
static void identity_free(struct identity *i)
{
    X509_free(i->leaf);
    sk_X509_pop_free(i->chain, X509_free);
    EVP_PKEY_free(i->key);
}

static void identities_free(struct identities *all)
{
    for (int i = 0; all && i < all->count; i++)
        identity_free(&all->items[i]);
    free(all);
}

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason ? reason : "unknown error";
}

static int read_chain(const struct conf_certificate *c, struct identity *ret, struct fl_err *err)
{
    BIO *file = BIO_new_file(c->certificate, "r");
    X509 *x;

    ret->leaf = file ? PEM_read_bio_X509_AUX(file, NULL, NULL, NULL) : NULL;
    ret->chain = sk_X509_new_null();
    if (!ret->leaf || !ret->chain) {
        BIO_free(file);
        return fl_fail(err, FL_EINVAL, "%s:%d: %s: no certificate can be read: %s", c->at.file, c->at.line, c->certificate,
                       openssl_reason());
    }
    while ((x = PEM_read_bio_X509(file, NULL, NULL, NULL)))
        sk_X509_push(ret->chain, x);
    ERR_clear_error(); /* the end of the file */
    BIO_free(file);
    return 0;
}

/* No passphrase is asked for: the daemon has no terminal. */
static int no_passphrase(char *to, int n, int writing, void *arg)
{
    return 0;
}

static int read_key(const struct conf_certificate *c, struct identity *ret, struct fl_err *err)
{
    BIO *file = BIO_new_file(c->key, "r");

    ret->key = file ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
    BIO_free(file);
    if (!ret->key)
        return fl_fail(err, FL_EINVAL, "%s:%d: %s: no key can be read: %s", c->at.file, c->at.line, c->key, openssl_reason());
    if (X509_check_private_key(ret->leaf, ret->key) != 1) {
        ERR_clear_error();
        return fl_fail(err, FL_EINVAL, "%s:%d: %s: the key does not belong to the certificate", c->at.file, c->at.line, c->key);
    }
    return 0;
}

static int read_identities(const struct conf *conf, struct identities **ret, struct fl_err *err)
{
    struct identities *all = calloc(1, sizeof *all + (size_t)conf->certificate_count * sizeof all->items[0]);

    if (!all)
        return fl_fail(err, FL_ENOMEM, "tls: out of memory");
    for (int i = 0; i < conf->certificate_count; i++) {
        int rc;

        all->count++;
        rc = read_chain(&conf->certificates[i], &all->items[i], err);
        if (rc == 0)
            rc = read_key(&conf->certificates[i], &all->items[i], err);
        if (rc < 0) {
            identities_free(all);
            return rc;
        }
    }
    *ret = all;
    return 0;
}

/* ---------------------------------------------------------------- inside a handshake */
/* Which certificate: the first that is valid for the name the client asks for, or the first of all. */
static int choose_identity(SSL *ssl, void *arg)
{
    const struct identities *all = arg;
    const struct identity *chosen = &all->items[0];
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    for (int i = 0; name && i < all->count; i++) {
        if (X509_check_host(all->items[i].leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1) {
            chosen = &all->items[i];
            break;
        }
    }
    return SSL_use_cert_and_key(ssl, chosen->leaf, chosen->key, chosen->chain, 1) == 1;
}

/* A client's certificate never ends the handshake: what it is worth is judged by who asks for it (the verdict is kept). */
static int accept_any_client(int ok, X509_STORE_CTX *store)
{
    return 1;
}

static void free_with_context(void *parent, void *pointer, CRYPTO_EX_DATA *ad, int index, long number, void *arg)
{
    identities_free(pointer);
}

/* ---------------------------------------------------------------- the context */
static int openssl_version(enum tls_version v)
{
    static const int versions[] = {
        [TLS_1_0] = TLS1_VERSION, [TLS_1_1] = TLS1_1_VERSION, [TLS_1_2] = TLS1_2_VERSION, [TLS_1_3] = TLS1_3_VERSION,
    };

    return versions[v];
}

/* With TLS 1.2 only what has forward secrecy and no CBC (Lucky 13); DHE last, for old Windows. TLS 1.0 and 1.1 have nothing but
 * CBC. */
static const char *default_ciphers(const struct conf *conf)
{
    return conf->tls_min_version < TLS_1_2 ? "DEFAULT" : "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM";
}

/* TLS 1.0 and 1.1 sign with SHA-1, which needs the security level lowered. */
static int set_strength(SSL_CTX *ssl, const struct conf *conf, struct fl_err *err)
{
    const char *ciphers = conf->tls_ciphers ? conf->tls_ciphers : default_ciphers(conf);
    char lowered[1024];
    int n = snprintf(lowered, sizeof lowered, "%s%s", ciphers, conf->tls_min_version < TLS_1_2 ? ":@SECLEVEL=0" : "");

    if (n < 0 || (size_t)n >= sizeof lowered || SSL_CTX_set_cipher_list(ssl, lowered) != 1)
        return fl_fail(err, FL_EINVAL, "tls.ciphers: OpenSSL does not take '%s': %s", ciphers, openssl_reason());
    /* Not OpenSSL's own list: a client that asks for ffdhe8192 would have the loop compute for 15 ms. */
    if (SSL_CTX_set1_groups_list(ssl, "X25519:P-256:X448:P-384:P-521") != 1)
        return fl_fail(err, FL_EINVAL, "tls: OpenSSL lacks a curve: %s", openssl_reason());
    SSL_CTX_set_min_proto_version(ssl, openssl_version(conf->tls_min_version));
    return 0;
}

static bool has_certificate_users(const struct conf *conf)
{
    for (int i = 0; i < conf->tenant_count; i++)
        for (int k = 0; k < conf->tenants[i].user_count; k++)
            if (conf->tenants[i].users[k].method == USER_CERTIFICATE)
                return true;
    return false;
}

static int ask_clients(SSL_CTX *ssl, const struct conf *conf, struct fl_err *err)
{
    if (!conf->tls_client_ca && !has_certificate_users(conf))
        return 0;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, accept_any_client);
    if (!conf->tls_client_ca)
        return 0;
    if (SSL_CTX_load_verify_file(ssl, conf->tls_client_ca) != 1)
        return fl_fail(err, FL_EINVAL, "tls.client_ca: %s: no certificate can be read: %s", conf->tls_client_ca,
                       openssl_reason());
    SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(conf->tls_client_ca));
    return 0;
}

static SSL_CTX *bare_context(void)
{
    static const unsigned char id[] = "fairlead";
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());

    if (!ssl)
        return NULL;
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_CLEANSE_PLAINTEXT); /* passwords come this way */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);  /* without it, resuming with a client's certificate fails */
    SSL_CTX_set_dh_auto(ssl, 1);
    return ssl;
}

/* Takes all, whatever the result. */
static int make_context(const struct conf *conf, int index, struct identities *all, SSL_CTX **ret, struct fl_err *err)
{
    SSL_CTX *ssl = bare_context();
    int rc;

    if (!ssl || SSL_CTX_set_ex_data(ssl, index, all) != 1) {
        SSL_CTX_free(ssl);
        identities_free(all);
        return fl_fail(err, FL_ENOMEM, "tls: out of memory");
    }
    SSL_CTX_set_cert_cb(ssl, choose_identity, all);
    rc = set_strength(ssl, conf, err);
    if (rc == 0)
        rc = ask_clients(ssl, conf, err);
    if (rc < 0) {
        SSL_CTX_free(ssl);
        return rc;
    }
    *ret = ssl;
    return 0;
}

/* ---------------------------------------------------------------- files that change */
static int mark_count(const struct conf *conf)
{
    return 2 * conf->certificate_count + 1;
}

static struct file_mark mark_of(const char *path)
{
    struct stat st;

    if (!path || stat(path, &st) < 0)
        return (struct file_mark){ 0 };
    return (struct file_mark){ .changed = st.st_mtim, .size = st.st_size, .inode = st.st_ino };
}

static struct file_mark *take_marks(const struct conf *conf)
{
    struct file_mark *marks = calloc((size_t)mark_count(conf), sizeof *marks);

    for (int i = 0; marks && i < conf->certificate_count; i++) {
        marks[2 * i] = mark_of(conf->certificates[i].certificate);
        marks[2 * i + 1] = mark_of(conf->certificates[i].key);
    }
    if (marks)
        marks[2 * conf->certificate_count] = mark_of(conf->tls_client_ca);
    return marks;
}

static bool same_marks(const struct file_mark *a, const struct file_mark *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i].changed.tv_sec != b[i].changed.tv_sec || a[i].changed.tv_nsec != b[i].changed.tv_nsec ||
            a[i].size != b[i].size || a[i].inode != b[i].inode)
            return false;
    return true;
}

/* ---------------------------------------------------------------- from outside */
static int load(struct tls_context *c, const struct conf *conf, struct fl_err *err)
{
    struct identities *all = NULL;
    SSL_CTX *ssl = NULL;
    int rc = 0;

    if (conf->certificate_count > 0) {
        rc = read_identities(conf, &all, err);
        if (rc == 0)
            rc = make_context(conf, c->index, all, &ssl, err);
    }
    if (rc < 0)
        return rc;
    SSL_CTX_free(c->server.context);
    c->server = (struct tls_server){ .context = ssl, .knows_clients = conf->tls_client_ca != NULL };
    c->identities = all;
    return 0;
}

int tls_context_set_conf(struct tls_context *c, struct conf *conf, struct fl_err *err)
{
    struct file_mark *marks = take_marks(conf); /* before the files are read: a change in between is seen later */
    struct conf *before = c->conf;
    int rc = marks ? load(c, conf, err) : fl_fail(err, FL_ENOMEM, "tls: out of memory");

    if (rc < 0) {
        free(marks);
        return rc;
    }
    free(c->marks);
    c->marks = marks;
    c->conf = conf_ref(conf);
    conf_unref(before);
    return 0;
}

int tls_context_new(struct conf *conf, struct tls_context **ret, struct fl_err *err)
{
    struct tls_context *c = calloc(1, sizeof *c);
    int rc;

    if (c)
        c->index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_with_context);
    rc = c && c->index >= 0 ? tls_context_set_conf(c, conf, err) : fl_fail(err, FL_ENOMEM, "tls: out of memory");
    if (rc < 0)
        free(c);
    else
        *ret = c;
    return rc;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->server.context);
    free(c->marks);
    conf_unref(c->conf);
    free(c);
}

int tls_context_refresh(struct tls_context *c, bool *ret_changed, struct fl_err *err)
{
    struct file_mark *marks = take_marks(c->conf);
    int rc;

    *ret_changed = false;
    if (!marks || same_marks(marks, c->marks, mark_count(c->conf))) {
        free(marks);
        return 0;
    }
    free(c->marks);
    c->marks = marks;
    rc = load(c, c->conf, err);
    *ret_changed = rc == 0;
    return rc;
}

struct tls_server *tls_context_server(struct tls_context *c)
{
    return c->server.context ? &c->server : NULL;
}

void tls_context_visit(const struct tls_context *c, void (*visit)(void *arg, const char *file, int64_t not_after_ms), void *arg)
{
    for (int i = 0; c->identities && i < c->identities->count; i++) {
        struct tm tm;

        if (ASN1_TIME_to_tm(X509_get0_notAfter(c->identities->items[i].leaf), &tm) == 1)
            visit(arg, c->conf->certificates[i].certificate, (int64_t)timegm(&tm) * SECOND_MS);
    }
}

const char *tls_context_openssl(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
