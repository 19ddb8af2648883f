/* test_certificate.h: throw-away certificates for tests, made in memory. */
#ifndef FL_TEST_CERTIFICATE_H
#define FL_TEST_CERTIFICATE_H

#include <openssl/ssl.h>

struct test_certificate {
    EVP_PKEY *key;
    X509 *x509;
};

/* A P-256 certificate for subject_alt_name ("DNS:mx.test", "IP:127.0.0.1"), signed by issuer, or by itself (NULL). */
struct test_certificate test_certificate_new(const char *subject_alt_name, const struct test_certificate *issuer,
                                             int valid_days);
void test_certificate_free(struct test_certificate *c);
/* Writes the certificate (and its key into key_file unless NULL) as PEM. */
void test_certificate_save(const struct test_certificate *c, const char *file, const char *key_file);

#endif
