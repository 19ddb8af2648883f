/* auth_secret.c: see auth_secret.h. */
#include "auth_secret.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base64.h"

/* ---------------------------------------------------------------- sums */
void secret_hmac(const void *key, size_t key_n, struct slice text, uint8_t ret[SASL_SHA256])
{
    HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)(text.p ? text.p : ""), text.n, ret, NULL);
}

bool secret_same(const void *a, size_t a_n, const void *b, size_t b_n)
{
    return a_n == b_n && CRYPTO_memcmp(a, b, a_n) == 0;
}

void secret_hmac_md5(struct slice key, struct slice text, uint8_t ret[SASL_MD5])
{
    HMAC(EVP_md5(), key.p, (int)key.n, (const unsigned char *)(text.p ? text.p : ""), text.n, ret, NULL);
}

int secret_random(uint8_t *ret, size_t n)
{
    return RAND_bytes(ret, (int)n) == 1 ? 0 : FL_EIO;
}

/* RFC 5802 3. */
static bool salted_password(struct slice password, const uint8_t *salt, size_t salt_n, int iterations, uint8_t ret[SASL_SHA256])
{
    return PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, salt, (int)salt_n, iterations, EVP_sha256(),
                             SASL_SHA256, ret) == 1;
}

bool secret_derive(struct slice password, const uint8_t *salt, size_t salt_n, int iterations, struct secret_keys *ret)
{
    uint8_t salted[SASL_SHA256], client[SASL_SHA256];
    bool ok = salted_password(password, salt, salt_n, iterations, salted);

    secret_hmac(salted, sizeof salted, SLICE("Client Key"), client);
    SHA256(client, sizeof client, ret->stored);
    secret_hmac(salted, sizeof salted, SLICE("Server Key"), ret->server);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
    return ok;
}

/* ---------------------------------------------------------------- verifiers */
static bool decode_into(struct slice text, uint8_t *ret, size_t max, size_t *ret_n)
{
    struct buf b;
    bool ok;

    buf_init(&b, 0);
    ok = base64_decode(text, &b) == 0 && buf_len(&b) > 0 && buf_len(&b) <= max;
    if (ok) {
        *ret_n = buf_len(&b);
        memcpy(ret, buf_slice(&b).p, *ret_n);
    }
    buf_wipe(&b);
    return ok;
}

/* "SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY" */
bool secret_verifier(const char *text, struct secret_verifier *ret)
{
    struct slice rest = slice_of(text), name = slice_cut(&rest, '$'), iterations = slice_cut(&rest, ':');
    struct slice salt = slice_cut(&rest, '$'), stored = slice_cut(&rest, ':');
    uint64_t n;
    size_t stored_n, server_n;

    if (!slice_eq(name, SLICE("SCRAM-SHA-256")) || !slice_to_u64(iterations, SECRET_ITERATIONS_MAX, &n) || n == 0)
        return false;
    ret->iterations = (int)n;
    return decode_into(salt, ret->salt, sizeof ret->salt, &ret->salt_n) &&
           decode_into(stored, ret->keys.stored, sizeof ret->keys.stored, &stored_n) && stored_n == SASL_SHA256 &&
           decode_into(rest, ret->keys.server, sizeof ret->keys.server, &server_n) && server_n == SASL_SHA256;
}

bool secret_proof_is_right(const struct secret_keys *keys, struct slice auth_message, const uint8_t proof[SASL_SHA256])
{
    uint8_t client[SASL_SHA256], stored[SASL_SHA256];

    secret_hmac(keys->stored, sizeof keys->stored, auth_message, client);
    for (size_t i = 0; i < sizeof client; i++)
        client[i] ^= proof[i];
    SHA256(client, sizeof client, stored);
    explicit_bzero(client, sizeof client);
    return secret_same(stored, sizeof stored, keys->stored, sizeof keys->stored);
}

/* ---------------------------------------------------------------- crypt(3) */
/* NULL and a text that begins with '*' are failures of crypt(3), equal to nothing. */
bool secret_matches(const char *password, const char *hash)
{
    void *data = NULL;
    int size = 0;
    const char *made = crypt_ra(password, hash, &data, &size);
    bool ok = made && made[0] != '*' && hash[0] && hash[0] != '*' && secret_same(made, strlen(made), hash, strlen(hash));

    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
    return ok;
}

/* ---------------------------------------------------------------- makers */
int secret_make_hash(struct slice password, struct buf *out, struct fl_err *err)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char *text = slice_dup(password);
    void *data = NULL;
    int size = 0, rc = 0;
    const char *made = NULL;

    if (!text)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting))
        made = crypt_ra(text, setting, &data, &size);
    if (!made || made[0] == '*')
        rc = fl_fail(err, FL_EINVAL, "the system cannot make a yescrypt hash of it (at most %d octets)",
                     CRYPT_MAX_PASSPHRASE_SIZE - 1);
    else if (buf_add_text(out, made) < 0)
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
    explicit_bzero(text, password.n);
    free(text);
    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
    return rc;
}

int secret_make_verifier(struct slice password, struct buf *out, struct fl_err *err)
{
    uint8_t salt[SECRET_SALT];
    struct secret_keys keys;
    int rc = 0;

    if (secret_random(salt, sizeof salt) < 0)
        return fl_fail(err, FL_EIO, "the system gives no random bytes");
    if (!secret_derive(password, salt, sizeof salt, SECRET_ITERATIONS, &keys))
        return fl_fail(err, FL_ENOMEM, "out of memory");
    if (buf_printf(out, "SCRAM-SHA-256$%d:", SECRET_ITERATIONS) < 0 || base64_encode(slice_make(salt, sizeof salt), out) < 0 ||
        buf_add_char(out, '$') < 0 || base64_encode(slice_make(keys.stored, sizeof keys.stored), out) < 0 ||
        buf_add_char(out, ':') < 0 || base64_encode(slice_make(keys.server, sizeof keys.server), out) < 0)
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
    explicit_bzero(&keys, sizeof keys);
    return rc;
}
