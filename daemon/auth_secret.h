/* auth_secret.h: the sums behind log-ins: crypt(3) hashes, SCRAM verifiers and proofs (RFC 5802, 7677), HMACs; checked and
 * made. Knows no users. Any thread; slow where it says so. daemon/auth.c and daemon/cmd/passwd.c call it. */
#ifndef FL_AUTH_SECRET_H
#define FL_AUTH_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "sasl.h"

enum {
    SECRET_ITERATIONS = 4096,       /* of PBKDF2, for verifiers that are made here (RFC 7677 4) */
    SECRET_ITERATIONS_MAX = 1000000,/* of a verifier that is taken */
    SECRET_SALT = 16,               /* octets of a salt that is made here */
};

struct secret_keys {
    uint8_t stored[SASL_SHA256], server[SASL_SHA256];
};

struct secret_verifier {
    int iterations;
    uint8_t salt[SASL_SALT_MAX];
    size_t salt_n;
    struct secret_keys keys;
};

/* Random octets from the system. FL_EIO. */
int secret_random(uint8_t *ret, size_t n);
/* In a time that does not depend on where they differ. */
bool secret_same(const void *a, size_t a_n, const void *b, size_t b_n);
void secret_hmac(const void *key, size_t key_n, struct slice text, uint8_t ret[SASL_SHA256]);
void secret_hmac_md5(struct slice key, struct slice text, uint8_t ret[SASL_MD5]);

/* Whether crypt(3) makes this hash of the password. Slow. A failure of crypt(3), NULL or "*0", is equal to nothing. */
bool secret_matches(const char *password, const char *hash);
/* Reads "SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY". False when malformed. */
bool secret_verifier(const char *text, struct secret_verifier *ret);
/* The keys of a password. Slow. False without memory. */
bool secret_derive(struct slice password, const uint8_t *salt, size_t salt_n, int iterations, struct secret_keys *ret);
/* Whether a client's proof comes from somebody who knows the password (RFC 5802 3). */
bool secret_proof_is_right(const struct secret_keys *keys, struct slice auth_message, const uint8_t proof[SASL_SHA256]);

/* Makers, slow. A yescrypt hash; a verifier with a fresh salt. */
int secret_make_hash(struct slice password, struct buf *out, struct fl_err *err);
int secret_make_verifier(struct slice password, struct buf *out, struct fl_err *err);

#endif
