/* tls_policy.c: the four policies, point by point. */
#include "tls_policy.h"

static struct tls_verdict go_on(void)
{
    return (struct tls_verdict){ .step = TLS_GO_ON };
}

static struct tls_verdict fail(enum reply_stage stage, const char *reason)
{
    return (struct tls_verdict){ .step = TLS_FAIL, .stage = stage, .reason = reason };
}

bool tls_policy_needs_tls(const struct profile *p)
{
    return p->tls == TLS_REQUIRE || p->tls == TLS_VERIFY;
}

struct tls_verdict tls_policy_after_ehlo(const struct profile *p, bool is_tls, bool offered, bool skip)
{
    if (is_tls || p->tls == TLS_NONE)
        return go_on();
    if (p->tls == TLS_OPPORTUNISTIC && (skip || !offered))
        return go_on();
    if (!offered)
        return fail(STAGE_STARTTLS, "the host does not offer STARTTLS, which the TLS policy needs");
    return (struct tls_verdict){ .step = TLS_START };
}

struct tls_verdict tls_policy_after_starttls(const struct profile *p, int code)
{
    if (code >= 200 && code < 300)
        return (struct tls_verdict){ .step = TLS_START };
    if (p->tls == TLS_OPPORTUNISTIC)
        return go_on();
    return fail(STAGE_STARTTLS, "the host refused STARTTLS, which the TLS policy needs");
}

struct tls_verdict tls_policy_after_handshake(const struct profile *p, bool verified)
{
    if (p->tls == TLS_VERIFY && !verified)
        return fail(STAGE_TLS, "the host's certificate could not be verified");
    return go_on();
}

bool tls_policy_may_fall_back(const struct profile *p)
{
    return p->tls == TLS_OPPORTUNISTIC && p->tls_fallback && !p->implicit_tls;
}

bool tls_policy_allows_login(const struct profile *p, bool is_tls)
{
    return is_tls || p->allow_plaintext_login;
}
