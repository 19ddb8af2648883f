/* sasl_client.c: gsasl as a client. */
#include "sasl_client.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

struct sasl_client {
    Gsasl *gsasl;
    Gsasl_session *session;
    unsigned mechanism;
    bool done;
};

/* In order of strength. */
static const struct {
    unsigned bit;
    const char *name;
    bool speaks_first;
} mechanisms[] = {
    { AUTH_SCRAM_SHA_256, "SCRAM-SHA-256", true },
    { AUTH_CRAM_MD5, "CRAM-MD5", false },
    { AUTH_PLAIN, "PLAIN", true },
    { AUTH_LOGIN, "LOGIN", false },
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

unsigned sasl_client_mechanism_bit(struct slice name)
{
    for (int i = 0; i < MECHANISMS; i++)
        if (slice_eq_nocase(name, slice_of(mechanisms[i].name)))
            return mechanisms[i].bit;
    return 0;
}

unsigned sasl_client_choose(unsigned offered)
{
    for (int i = 0; i < MECHANISMS; i++)
        if (offered & mechanisms[i].bit)
            return mechanisms[i].bit;
    return 0;
}

static int place_of(unsigned mechanism)
{
    int i = 0;

    while (i < MECHANISMS - 1 && mechanisms[i].bit != mechanism)
        i++;
    return i;
}

const char *sasl_client_mechanism_name(unsigned mechanism)
{
    return mechanisms[place_of(mechanism)].name;
}

int sasl_client_new(unsigned mechanism, const char *user, const char *password, struct sasl_client **ret)
{
    struct sasl_client *s = calloc(1, sizeof *s);

    if (!s)
        return FL_ENOMEM;
    s->mechanism = mechanism;
    if (gsasl_init(&s->gsasl) != GSASL_OK)
        goto fail;
    if (gsasl_client_start(s->gsasl, sasl_client_mechanism_name(mechanism), &s->session) != GSASL_OK)
        goto fail;
    if (gsasl_property_set(s->session, GSASL_AUTHID, user) != GSASL_OK ||
        gsasl_property_set(s->session, GSASL_PASSWORD, password) != GSASL_OK)
        goto fail;
    *ret = s;
    return 0;
fail:
    sasl_client_free(s);
    return FL_ENOMEM;
}

/* The library frees its copy as it is. */
static void forget_password(Gsasl_session *session)
{
    const char *copy = gsasl_property_fast(session, GSASL_PASSWORD);

    if (copy)
        explicit_bzero((char *)(uintptr_t)copy, strlen(copy));
}

void sasl_client_free(struct sasl_client *s)
{
    if (!s)
        return;
    if (s->session) {
        forget_password(s->session);
        gsasl_finish(s->session);
    }
    if (s->gsasl)
        gsasl_done(s->gsasl);
    free(s);
}

bool sasl_client_speaks_first(const struct sasl_client *s)
{
    return mechanisms[place_of(s->mechanism)].speaks_first;
}

/* "r=…,s=…,i=4096": the count that the server wants, or 0. */
static uint64_t iterations(struct slice server_first)
{
    uint64_t n;

    while (server_first.n) {
        struct slice part = slice_cut(&server_first, ',');

        if (part.n > 2 && part.p[0] == 'i' && part.p[1] == '=' && slice_to_u64(slice_skip(part, 2), UINT32_MAX, &n))
            return n;
    }
    return 0;
}

/* A challenge that would cost too much, or too little to protect the password. */
static bool is_too_cheap_or_dear(const struct sasl_client *s, struct slice challenge)
{
    uint64_t n;

    if (s->mechanism != AUTH_SCRAM_SHA_256 || challenge.n < 2 || challenge.p[0] != 'r')
        return false;
    n = iterations(challenge);
    return n < SASL_ITERATIONS_MIN || n > SASL_ITERATIONS_MAX;
}

static bool step_decoded(struct sasl_client *s, struct slice challenge, struct buf *out)
{
    char *words = NULL, *coded = NULL;
    size_t n = 0, coded_n = 0;
    int rc = gsasl_step(s->session, challenge.p, challenge.n, &words, &n);
    bool ok = rc == GSASL_OK || rc == GSASL_NEEDS_MORE;

    s->done = rc == GSASL_OK;
    if (ok && n)
        ok = gsasl_base64_to(words, n, &coded, &coded_n) == GSASL_OK && buf_add(out, slice_make(coded, coded_n)) == 0;
    if (words)
        explicit_bzero(words, n);
    if (coded)
        explicit_bzero(coded, coded_n);
    gsasl_free(words);
    gsasl_free(coded);
    return ok;
}

bool sasl_client_step(struct sasl_client *s, struct slice challenge, struct buf *out)
{
    char *plain = NULL;
    size_t n = 0;
    bool ok;

    if (challenge.n > SASL_CHALLENGE_MAX)
        return false;
    if (challenge.n && gsasl_base64_from(challenge.p, challenge.n, &plain, &n) != GSASL_OK)
        return false;
    ok = !is_too_cheap_or_dear(s, slice_make(plain, n)) && step_decoded(s, slice_make(plain ? plain : "", n), out);
    gsasl_free(plain);
    return ok;
}

bool sasl_client_is_done(const struct sasl_client *s)
{
    return s->done;
}
