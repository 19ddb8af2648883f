/* tls_test_certificate.h: a certificate that nobody signed, made when it is needed, for the test MX. Main thread. */
#ifndef FL_TLS_TEST_CERTIFICATE_H
#define FL_TLS_TEST_CERTIFICATE_H

#include "err.h"
#include "tls.h"

/* Fills *ret with a context that has a fresh P-256 key and a self-signed certificate for "sink.test", valid for a year. FL_ENOMEM. */
int tls_test_certificate(struct tls_server *ret, struct fl_err *err);
void tls_test_certificate_free(struct tls_server *s);

#endif
