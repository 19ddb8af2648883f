/* certificate.c: see certificate.h. */
#include "certificate.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum { EXPIRES_SOON = 14 * 86400 }; /* seconds: time enough to renew */

/* The file, open and regular; NULL was reported. */
static BIO *open_file(struct parse *p, const struct node *n, bool is_secret)
{
    const char *name = n->value.text;
    FILE *f = fopen(name, "re");
    struct stat st;
    BIO *bio;

    if (!f) {
        finding_error(p->findings, &n->at, "%s: %s cannot be read: %s", n->name.p, name, strerror(errno));
        return NULL;
    }
    if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) {
        finding_error(p->findings, &n->at, "%s: %s is no regular file", n->name.p, name);
        fclose(f);
        return NULL;
    }
    if (is_secret && (st.st_mode & S_IROTH))
        finding_warning(p->findings, &n->at, "%s: everybody may read %s (mode %04o)", n->name.p, name,
                        (unsigned)st.st_mode & 07777);
    bio = BIO_new_fp(f, BIO_CLOSE);
    if (!bio) {
        fclose(f);
        p->lost = true;
    }
    return bio;
}

/* A key with a pass phrase cannot be used: nobody is there to type it. */
static int no_pass_phrase(char *out, int size, int writing, void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static X509 *read_certificate(struct parse *p, const struct node *n)
{
    BIO *bio = open_file(p, n, false);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    if (bio && !x)
        finding_error(p->findings, &n->at, "%s: %s holds no certificate in PEM form", n->name.p, n->value.text);
    BIO_free(bio);
    return x;
}

static EVP_PKEY *read_key(struct parse *p, const struct node *n)
{
    bool wants_phrase = false;
    BIO *bio = open_file(p, n, true);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &wants_phrase) : NULL;

    if (bio && !key && wants_phrase)
        finding_error(p->findings, &n->at, "%s: %s asks for a pass phrase; allowed: a key without one", n->name.p,
                      n->value.text);
    else if (bio && !key)
        finding_error(p->findings, &n->at, "%s: %s holds no private key in PEM form", n->name.p, n->value.text);
    BIO_free(bio);
    return key;
}

static void examine_dates(struct parse *p, const struct node *n, const X509 *x)
{
    time_t soon = time(NULL) + EXPIRES_SOON;

    if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
        finding_warning(p->findings, &n->at, "%s: %s has expired", n->name.p, n->value.text);
    else if (X509_cmp_time(X509_get0_notAfter(x), &soon) < 0)
        finding_warning(p->findings, &n->at, "%s: %s expires within 14 days", n->name.p, n->value.text);
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
        finding_warning(p->findings, &n->at, "%s: %s is not valid yet", n->name.p, n->value.text);
}

static void examine_pair(struct parse *p, const struct node *pair)
{
    const struct node *certificate = node_child(pair, "certificate"), *key = node_child(pair, "key");
    X509 *x = certificate && certificate->ok ? read_certificate(p, certificate) : NULL;
    EVP_PKEY *k = key && key->ok ? read_key(p, key) : NULL;

    if (x)
        examine_dates(p, certificate, x);
    if (x && k && X509_check_private_key(x, k) != 1)
        finding_error(p->findings, &key->at, "key: %s does not match the certificate %s", key->value.text,
                      certificate->value.text);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void examine_authorities(struct parse *p, const struct node *n)
{
    if (n && n->ok && n->kind == NODE_TEXT && n->value.text)
        X509_free(read_certificate(p, n));
}

static void examine_ciphers(struct parse *p, const struct node *n)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    p->lost |= !ctx;
    if (ctx && strcmp(n->value.text, "default") != 0 && SSL_CTX_set_cipher_list(ctx, n->value.text) != 1)
        finding_error(p->findings, &n->at, "ciphers: \"%.80s\" names no cipher that OpenSSL knows", n->value.text);
    SSL_CTX_free(ctx);
}

/* tls_ca of a block of delivery settings, and of the domain blocks inside it. */
static void examine_block(struct parse *p, const struct node *block)
{
    const struct node *domains = node_child(block, "domains");

    examine_authorities(p, node_child(block, "tls_ca"));
    for (const struct node *c = domains && domains->kind == NODE_MAP ? domains->first : NULL; c; c = c->next)
        examine_authorities(p, node_child(c, "tls_ca"));
}

static void examine_blocks(struct parse *p, const struct node *named)
{
    for (const struct node *c = named && named->kind == NODE_MAP ? named->first : NULL; c; c = c->next)
        examine_block(p, c);
}

void certificate_examine(struct parse *p, const struct node *root)
{
    const struct node *tls = node_child(root, "tls"), *list = node_child(tls, "certificates"),
                      *ciphers = node_child(tls, "ciphers");

    for (const struct node *c = list && list->kind == NODE_LIST ? list->first : NULL; c; c = c->next)
        examine_pair(p, c);
    examine_authorities(p, node_child(tls, "client_ca"));
    if (ciphers && ciphers->ok)
        examine_ciphers(p, ciphers);
    examine_block(p, root); /* `domains` */
    examine_block(p, node_child(root, "defaults"));
    examine_blocks(p, node_child(root, "vmtas"));
    examine_blocks(p, node_child(root, "tenants"));
    ERR_clear_error();
}
