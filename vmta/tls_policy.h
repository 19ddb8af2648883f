/* tls_policy.h: what a connection must prove before mail may go over it. Pure; any thread. smtp_client asks at each point
 * where TLS decides: after EHLO, after the reply to STARTTLS, after the handshake; delivery asks after a handshake that
 * failed. The reasons are for people. */
#ifndef FL_TLS_POLICY_H
#define FL_TLS_POLICY_H

#include <stdbool.h>

#include "envelope.h"
#include "profile.h"

enum tls_step {
    TLS_GO_ON,      /* nothing more to prove: in clear or under TLS, as it is */
    TLS_START,      /* say STARTTLS, or shake hands now */
    TLS_FAIL,       /* not with this host: stage and reason say why */
};

struct tls_verdict {
    enum tls_step step;
    enum reply_stage stage; /* of a failure: STAGE_STARTTLS or STAGE_TLS */
    const char *reason;     /* of a failure: a constant */
};

/* Does the policy need TLS whatever the host offers? (Then EHLO must not fall back to HELO, and nothing goes in clear.) */
bool tls_policy_needs_tls(const struct profile *p);
/* EHLO was answered. is_tls: the connection is under TLS already; skip: this host's handshake is known to fail
 * (opportunistic only). */
struct tls_verdict tls_policy_after_ehlo(const struct profile *p, bool is_tls, bool offered, bool skip);
/* STARTTLS was answered with code (not 421). Under opportunistic any refusal goes on in clear. */
struct tls_verdict tls_policy_after_starttls(const struct profile *p, int code);
/* The handshake is done. verified: chain and name; verify_error: why not, or NULL. */
struct tls_verdict tls_policy_after_handshake(const struct profile *p, bool verified);
/* The handshake failed by an alert or protocol error: may the host be tried again without TLS (tls_fallback)? */
bool tls_policy_may_fall_back(const struct profile *p);
/* May a login be said on this connection? In clear only where that is allowed, whatever the mechanism: SCRAM and CRAM-MD5 hide the
 * password from a listener's eyes but not from guessing, and all that follows could be another's. */
bool tls_policy_allows_login(const struct profile *p, bool is_tls);

#endif
