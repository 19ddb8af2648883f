/* digest.c: SHA-256 of bytes that are there whole. */
#include "digest.h"

#include <openssl/sha.h>
#include <stdint.h>

void digest_sha256_hex(struct slice bytes, char ret[DIGEST_HEX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH] = { 0 };

    SHA256((const unsigned char *)bytes.p, bytes.n, sum);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        ret[2 * i] = hex[sum[i] >> 4];
        ret[2 * i + 1] = hex[sum[i] & 15];
    }
    ret[DIGEST_HEX - 1] = '\0';
}
