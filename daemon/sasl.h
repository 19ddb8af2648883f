/* sasl.h: the server's side of one AUTH exchange (RFC 4954): PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195), SCRAM-SHA-256 (RFC
 * 5802, 7677), EXTERNAL (RFC 4422 A). It reads what the client says and knows what to ask next; whether a secret is right is
 * judged elsewhere (auth.h), so that no sum is done here.
 * Pure; one thread at a time. daemon/smtp_auth.c drives it:
 *   sasl_begin -> sasl_step for each response -> SASL_VERIFY -> sasl_verified -> SASL_DONE or SASL_FAILED.
 * Memory lives from sasl_begin to sasl_wipe and is overwritten then: no object serves a second exchange (CVE-2011-1720). */
#ifndef FL_SASL_H
#define FL_SASL_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_256, SASL_EXTERNAL, SASL_MECHANISMS };

/* "SCRAM-SHA-256" … */
const char *sasl_name(enum sasl_mechanism m);
/* SASL_NONE when unknown. Without regard to case. */
enum sasl_mechanism sasl_find(struct slice name);

enum {
    SASL_NAME_MAX = 255,       /* octets of a user name */
    SASL_NONCE = 24,           /* octets of the server's nonce, base64 text */
    SASL_ENTROPY = 18,         /* random octets that one exchange needs */
    SASL_SALT_MAX = 64,        /* octets of a SCRAM salt */
    SASL_SHA256 = 32,
    SASL_MD5 = 16,
};

enum sasl_status {
    SASL_CHALLENGE,  /* send the challenge (base64 of sasl_challenge), then step with the response */
    SASL_ASK_SALT,   /* SCRAM: sasl_request()'s user; answer by sasl_salt at once */
    SASL_VERIFY,     /* is sasl_request() right? answer by sasl_verified, now or later */
    SASL_DONE,       /* logged in */
    SASL_FAILED,     /* the secret was wrong, or must count as if */
    SASL_MALFORMED,  /* the response cannot be read: 501 */
};

/* What must be verified. Slices point into the exchange: valid until it is wiped. */
struct sasl_request {
    enum sasl_mechanism mechanism;
    struct slice user;           /* UTF-8, without NUL; for EXTERNAL the authorization id, or empty */
    struct slice password;       /* PLAIN, LOGIN */
    struct slice challenge;      /* CRAM-MD5: what was sent */
    uint8_t digest[SASL_MD5];    /* CRAM-MD5: HMAC-MD5(password, challenge), as the client has it */
    struct slice auth_message;   /* SCRAM: what the proof and the server's signature sign */
    uint8_t proof[SASL_SHA256];  /* SCRAM */
};

struct sasl {
    enum sasl_mechanism mechanism;
    int step;                    /* private, as all that follows: how many responses were taken */
    struct buf in;               /* the decoded response that request points into */
    struct buf challenge;        /* decoded */
    struct buf user;             /* LOGIN, SCRAM: the user */
    struct buf first;            /* SCRAM: client-first-bare, server-first, client-final without its proof */
    struct buf gs2_header;       /* SCRAM: what c= must repeat */
    struct buf nonces;           /* SCRAM: the client's, then ours */
    char nonce[SASL_NONCE + 1];
    struct sasl_request request;
};

/* Zeroes x and begins. entropy: SASL_ENTROPY random octets. hostname: for CRAM-MD5's challenge. now_ms: wall, for the same.
 * Returns SASL_CHALLENGE (with an empty sasl_challenge where the client speaks first), or SASL_MALFORMED without memory. */
enum sasl_status sasl_begin(struct sasl *x, enum sasl_mechanism m, const uint8_t *entropy, struct slice hostname,
                            int64_t now_ms);
/* Whether the client speaks first, so that an initial response may stand in the AUTH command. */
bool sasl_client_first(enum sasl_mechanism m);
/* The client's next response, decoded. Copied. */
enum sasl_status sasl_step(struct sasl *x, struct slice response);
/* Answer to SASL_ASK_SALT. */
enum sasl_status sasl_salt(struct sasl *x, struct slice salt, int iterations);
/* Answer to SASL_VERIFY. signature: of the server, for SCRAM when ok; else NULL. */
enum sasl_status sasl_verified(struct sasl *x, bool ok, const uint8_t signature[SASL_SHA256]);
/* Decoded; borrowed until the next call. */
struct slice sasl_challenge(const struct sasl *x);
const struct sasl_request *sasl_request(const struct sasl *x);
/* Overwrites and frees. Twice does no harm. */
void sasl_wipe(struct sasl *x);

#endif
