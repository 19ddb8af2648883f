/* sasl_client.h: logging in at another host (RFC 4954): which mechanism, and its words. The one door to gsasl's client side.
 * Pure but for gsasl's nonce; one thread at a time. SCRAM costs a key derivation (RFC 5802 3), so its count is bounded. */
#ifndef FL_SASL_CLIENT_H
#define FL_SASL_CLIENT_H

#include <stdbool.h>

#include "buf.h"
#include "conf.h"
#include "slice.h"

enum {
    SASL_ITERATIONS_MIN = 4096,   /* RFC 7677 4: less would let a listener guess */
    SASL_ITERATIONS_MAX = 100000, /* about 50 ms of the loop; more is refused */
    SASL_CHALLENGE_MAX = 990,     /* base64 characters; longer ones would be cut by reply.h */
};

struct sasl_client;

/* The bit (enum auth_mechanism) of a mechanism's name in EHLO, or 0. */
unsigned sasl_client_mechanism_bit(struct slice name);
/* The strongest of offered (bits): SCRAM-SHA-256, CRAM-MD5, PLAIN, LOGIN. 0: none. */
unsigned sasl_client_choose(unsigned offered);
const char *sasl_client_mechanism_name(unsigned mechanism);

/* user and password are borrowed. 0, or FL_ENOMEM. */
int sasl_client_new(unsigned mechanism, const char *user, const char *password, struct sasl_client **ret);
void sasl_client_free(struct sasl_client *s); /* takes NULL */
/* Does the client speak first (an initial response)? */
bool sasl_client_speaks_first(const struct sasl_client *s);
/* The next words, base64, into out, for a challenge in base64 (empty for the initial response). False: the challenge is
 * nonsense or the server is not who it claims to be; the exchange must be given up. */
bool sasl_client_step(struct sasl_client *s, struct slice challenge, struct buf *out);
/* The server said 235: is that all it has to prove (SCRAM: its signature was seen and is right)? */
bool sasl_client_is_done(const struct sasl_client *s);

#endif
