/* tls_test_certificate.c: a certificate that nobody signed. */
#include "tls_test_certificate.h"

#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { VALID_S = 365 * 24 * 3600, ALREADY_VALID_S = 3600 /* clocks differ */ };

static bool add_names(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:sink.test,DNS:localhost,IP:127.0.0.1");
    bool good = names && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"sink.test", -1, -1, 0) == 1
                && X509_set_issuer_name(cert, name) == 1 && X509_add_ext(cert, names, -1) == 1;

    X509_EXTENSION_free(names);
    return good;
}

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *cert = X509_new();

    if (cert && X509_set_version(cert, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1
        && X509_gmtime_adj(X509_getm_notBefore(cert), -ALREADY_VALID_S) && X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S)
        && X509_set_pubkey(cert, key) == 1 && add_names(cert) && X509_sign(cert, key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

int tls_test_certificate(struct tls_server *ret, struct fl_err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? self_signed(key) : NULL;
    SSL_CTX *context = cert ? SSL_CTX_new(TLS_server_method()) : NULL;
    bool good = context && SSL_CTX_use_certificate(context, cert) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;

    X509_free(cert);
    EVP_PKEY_free(key);
    if (!good) {
        SSL_CTX_free(context);
        return fl_fail(err, FL_ENOMEM, "a test certificate could not be made");
    }
    *ret = (struct tls_server){ .context = context };
    return 0;
}

void tls_test_certificate_free(struct tls_server *s)
{
    SSL_CTX_free(s->context);
    *s = (struct tls_server){ 0 };
}
