/* certificate.h: whether the files of certificates, keys and authorities hold what they should. Reads files, with OpenSSL;
 * one thread; called by load.c. What is examined here is thrown away: tls_context loads it for use. */
#ifndef FL_CERTIFICATE_H
#define FL_CERTIFICATE_H

#include "parse.h"

/* Examines tls.certificates, tls.client_ca and tls.ciphers, and every tls_ca. Errors and warnings are findings. */
void certificate_examine(struct parse *p, const struct node *root);

#endif
