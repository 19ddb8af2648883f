/* test_certificate.c: see test_certificate.h. */
#include "test_certificate.h"

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

struct test_certificate test_certificate_new(const char *subject_alt_name, const struct test_certificate *issuer,
                                             int valid_days)
{
    struct test_certificate c = { .key = EVP_EC_gen("P-256"), .x509 = X509_new() };
    X509_NAME *name = X509_get_subject_name(c.x509);
    uint32_t serial;

    assert(c.key && c.x509);
    RAND_bytes((unsigned char *)&serial, sizeof serial);
    X509_set_version(c.x509, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(c.x509), serial);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -2 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), valid_days * 86400L);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject_alt_name, -1, -1, 0);
    X509_set_issuer_name(c.x509, issuer ? X509_get_subject_name(issuer->x509) : name);
    X509_set_pubkey(c.x509, c.key);
    add_extension(c.x509, NID_subject_alt_name, subject_alt_name);
    if (!issuer)
        add_extension(c.x509, NID_basic_constraints, "critical,CA:TRUE");
    assert(X509_sign(c.x509, issuer ? issuer->key : c.key, EVP_sha256()) > 0);
    return c;
}

void test_certificate_free(struct test_certificate *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
}

void test_certificate_save(const struct test_certificate *c, const char *file, const char *key_file)
{
    FILE *f = fopen(file, "w");

    assert(f && PEM_write_X509(f, c->x509));
    fclose(f);
    if (!key_file)
        return;
    f = fopen(key_file, "w");
    assert(f && PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
}
