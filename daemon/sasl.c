/* sasl.c: see sasl.h. */
#include "sasl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "err.h"

enum { CLIENT_NONCE_MAX = 512, IN_MAX = 12288, FIRST_MAX = 4096 };

typedef enum sasl_status step_function(struct sasl *x);

/* ---------------------------------------------------------------- PLAIN, LOGIN, EXTERNAL */
static bool name_is_valid(struct slice name)
{
    return name.n > 0 && name.n <= SASL_NAME_MAX && slice_is_utf8(name) && slice_find(name, '\0') == name.n;
}

/* authzid NUL authcid NUL password. Nobody acts for somebody else here: another authzid is a wrong log-in. */
static enum sasl_status plain_step(struct sasl *x)
{
    struct slice rest = buf_slice(&x->in), authzid = slice_head(rest, slice_find(rest, '\0')), user;

    if (authzid.n == rest.n)
        return SASL_MALFORMED;
    rest = slice_skip(rest, authzid.n + 1);
    user = slice_head(rest, slice_find(rest, '\0'));
    if (user.n == rest.n)
        return SASL_MALFORMED;
    rest = slice_skip(rest, user.n + 1);
    if (slice_find(rest, '\0') != rest.n)
        return SASL_MALFORMED;
    if (!name_is_valid(user) || (authzid.n && !slice_eq(authzid, user)))
        return SASL_FAILED;
    x->request.user = user;
    x->request.password = rest;
    return SASL_VERIFY;
}

/* Asks for the next line of LOGIN. */
static enum sasl_status login_prompt(struct sasl *x, const char *prompt)
{
    buf_clear(&x->challenge);
    return buf_add_text(&x->challenge, prompt) < 0 ? SASL_MALFORMED : SASL_CHALLENGE;
}

static enum sasl_status login_step(struct sasl *x)
{
    if (x->step == 1) {
        if (buf_add(&x->user, buf_slice(&x->in)) < 0)
            return SASL_MALFORMED;
        return login_prompt(x, "Password:");
    }
    x->request.user = buf_slice(&x->user);
    x->request.password = buf_slice(&x->in);
    if (!name_is_valid(x->request.user) || slice_find(x->request.password, '\0') != x->request.password.n)
        return SASL_FAILED;
    return SASL_VERIFY;
}

static enum sasl_status external_step(struct sasl *x)
{
    x->request.user = buf_slice(&x->in); /* an authorization id, or nothing: who the certificate names */
    if (x->request.user.n && !name_is_valid(x->request.user))
        return SASL_FAILED;
    return SASL_VERIFY;
}

/* ---------------------------------------------------------------- CRAM-MD5 */
static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* user SP 32 hexadecimal digits in lower case (RFC 2195 2). */
static enum sasl_status cram_step(struct sasl *x)
{
    struct slice all = buf_slice(&x->in), hex;

    if (all.n < 2 * SASL_MD5 + 1 || all.p[all.n - 2 * SASL_MD5 - 1] != ' ')
        return SASL_MALFORMED;
    hex = slice_skip(all, all.n - 2 * SASL_MD5);
    for (size_t i = 0; i < SASL_MD5; i++) {
        int high = hex_value(hex.p[2 * i]), low = hex_value(hex.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return SASL_MALFORMED;
        x->request.digest[i] = (uint8_t)(high << 4 | low);
    }
    x->request.user = slice_head(all, all.n - 2 * SASL_MD5 - 1);
    x->request.challenge = buf_slice(&x->challenge);
    return name_is_valid(x->request.user) ? SASL_VERIFY : SASL_FAILED;
}

/* ---------------------------------------------------------------- SCRAM-SHA-256 */
/* "x=value" at the front of *rest, up to a comma. */
static bool take_attribute(struct slice *rest, char name, struct slice *ret)
{
    struct slice whole = slice_cut(rest, ',');

    if (whole.n < 2 || whole.p[0] != name || whole.p[1] != '=')
        return false;
    *ret = slice_skip(whole, 2);
    return true;
}

/* A saslname: "=2C" and "=3D" for the comma and the equals sign, and no other "=" (RFC 5802 5.1). Adds what it means to out. */
static bool saslname_decode(struct slice name, struct buf *out)
{
    while (name.n) {
        size_t n = slice_find(name, '=');
        char c = 0;

        if (buf_add(out, slice_head(name, n)) < 0)
            return false;
        name = slice_skip(name, n);
        if (!name.n)
            return true;
        c = slice_starts_nocase(name, SLICE("=2C")) ? ',' : slice_starts_nocase(name, SLICE("=3D")) ? '=' : 0;
        if (!c || buf_add_char(out, c) < 0)
            return false;
        name = slice_skip(name, 3);
    }
    return true;
}

static bool nonce_is_valid(struct slice nonce)
{
    for (size_t i = 0; i < nonce.n; i++)
        if (nonce.p[i] < '!' || nonce.p[i] > '~')
            return false; /* a comma cannot be in it: it would have ended it */
    return nonce.n > 0 && nonce.n <= CLIENT_NONCE_MAX;
}

/* gs2-header client-first-bare. Keeps the header in x->gs2_header, the bare part in x->first, the user in x->user. */
static enum sasl_status scram_first(struct sasl *x)
{
    struct slice all = buf_slice(&x->in), rest = all, flag = slice_cut(&rest, ','), authzid = slice_cut(&rest, ',');
    struct slice bare, name, nonce;

    if (flag.n != 1 || (flag.p[0] != 'n' && flag.p[0] != 'y')) /* "p=…": channel binding is not offered */
        return SASL_MALFORMED;
    if (authzid.n && (authzid.n < 3 || authzid.p[0] != 'a' || authzid.p[1] != '='))
        return SASL_MALFORMED;
    if (rest.p == NULL || rest.p <= all.p)
        return SASL_MALFORMED;
    bare = rest;
    if (!take_attribute(&rest, 'n', &name) || !take_attribute(&rest, 'r', &nonce) || !nonce_is_valid(nonce)) /* also "m=…" */
        return SASL_MALFORMED;
    if (authzid.n && !slice_eq(slice_skip(authzid, 2), name))
        return SASL_FAILED;
    if (!saslname_decode(name, &x->user) || buf_add(&x->first, bare) < 0)
        return SASL_MALFORMED;
    if (!name_is_valid(buf_slice(&x->user)))
        return SASL_FAILED;
    if (buf_add(&x->gs2_header, slice_head(all, (size_t)(bare.p - all.p))) < 0 || buf_add(&x->nonces, nonce) < 0 ||
        buf_add_text(&x->nonces, x->nonce) < 0)
        return SASL_MALFORMED;
    x->request.user = buf_slice(&x->user);
    return SASL_ASK_SALT;
}

enum sasl_status sasl_salt(struct sasl *x, struct slice salt, int iterations)
{
    struct slice nonces = buf_slice(&x->nonces), challenge;

    buf_clear(&x->challenge);
    if (buf_printf(&x->challenge, "r=%.*s,s=", SLICE_ARG(nonces)) < 0 || base64_encode(salt, &x->challenge) < 0 ||
        buf_printf(&x->challenge, ",i=%d", iterations) < 0)
        return SASL_MALFORMED;
    challenge = buf_slice(&x->challenge);
    if (buf_add_char(&x->first, ',') < 0 || buf_add(&x->first, challenge) < 0)
        return SASL_MALFORMED;
    return SASL_CHALLENGE;
}

/* Whether c= repeats the header that the client began with. */
static bool binding_is_right(const struct sasl *x, struct slice binding)
{
    struct buf plain;
    bool same;

    buf_init(&plain, IN_MAX);
    same = base64_decode(binding, &plain) == 0 && slice_eq(buf_slice(&plain), buf_slice(&x->gs2_header));
    buf_free(&plain);
    return same;
}

/* "c=…,r=…[,extensions],p=…". */
static enum sasl_status scram_final(struct sasl *x)
{
    struct slice all = buf_slice(&x->in), rest = all, binding, nonce, proof, without;
    struct buf plain;
    size_t at = all.n;

    while (at && all.p[at - 1] != ',')
        at--;
    if (at < 3 || all.n - at < 2 || all.p[at] != 'p' || all.p[at + 1] != '=')
        return SASL_MALFORMED;
    without = slice_head(all, at - 1);
    proof = slice_skip(all, at + 2);
    if (!take_attribute(&rest, 'c', &binding) || !take_attribute(&rest, 'r', &nonce))
        return SASL_MALFORMED;
    if (!binding_is_right(x, binding) || !slice_eq(nonce, buf_slice(&x->nonces)))
        return SASL_FAILED;
    buf_init(&plain, IN_MAX);
    if (base64_decode(proof, &plain) < 0 || buf_len(&plain) != SASL_SHA256) {
        buf_free(&plain);
        return SASL_MALFORMED;
    }
    memcpy(x->request.proof, buf_slice(&plain).p, SASL_SHA256);
    buf_wipe(&plain);
    if (buf_add_char(&x->first, ',') < 0 || buf_add(&x->first, without) < 0)
        return SASL_MALFORMED;
    x->request.auth_message = buf_slice(&x->first);
    return SASL_VERIFY;
}

static enum sasl_status scram_step(struct sasl *x)
{
    switch (x->step) {
    case 1:
        return scram_first(x);
    case 2:
        return scram_final(x);
    default: /* the client has seen the server's signature, and has nothing to add (RFC 4954 4: an empty line) */
        return buf_len(&x->in) ? SASL_MALFORMED : SASL_DONE;
    }
}

/* ---------------------------------------------------------------- the table */
static const struct {
    const char *name;
    step_function *step;
    bool client_first;
    bool has_challenge; /* the first 334 carries something: a prompt, or CRAM's challenge */
} mechanisms[SASL_MECHANISMS] = {
    [SASL_NONE] = { "", NULL, false, false },
    [SASL_PLAIN] = { "PLAIN", plain_step, true, false },
    [SASL_LOGIN] = { "LOGIN", login_step, true, true }, /* its user may stand in the command: nearly all clients do so */
    [SASL_CRAM_MD5] = { "CRAM-MD5", cram_step, false, true },
    [SASL_SCRAM_SHA_256] = { "SCRAM-SHA-256", scram_step, true, false },
    [SASL_EXTERNAL] = { "EXTERNAL", external_step, true, false },
};

const char *sasl_name(enum sasl_mechanism m) { return mechanisms[m].name; }
bool sasl_client_first(enum sasl_mechanism m) { return mechanisms[m].client_first; }

enum sasl_mechanism sasl_find(struct slice name)
{
    for (enum sasl_mechanism m = SASL_PLAIN; m < SASL_MECHANISMS; m++)
        if (slice_eq_nocase(name, slice_of(mechanisms[m].name)))
            return m;
    return SASL_NONE;
}

/* ---------------------------------------------------------------- the exchange */
static int first_challenge(struct sasl *x, struct slice hostname, int64_t now_ms)
{
    if (x->mechanism == SASL_LOGIN)
        return buf_add_text(&x->challenge, "Username:");
    return buf_printf(&x->challenge, "<%s.%lld@%.*s>", x->nonce, (long long)(now_ms / 1000), SLICE_ARG(hostname));
}

enum sasl_status sasl_begin(struct sasl *x, enum sasl_mechanism m, const uint8_t *entropy, struct slice hostname,
                            int64_t now_ms)
{
    struct buf nonce;

    *x = (struct sasl){ .mechanism = m, .request.mechanism = m };
    buf_init_secret(&x->in, IN_MAX);
    buf_init(&x->first, FIRST_MAX);
    buf_init(&x->challenge, FIRST_MAX);
    buf_init_secret(&x->user, IN_MAX);
    buf_init(&x->gs2_header, FIRST_MAX);
    buf_init(&x->nonces, FIRST_MAX);
    buf_init(&nonce, 0);
    if (base64_encode(slice_make(entropy, SASL_ENTROPY), &nonce) < 0)
        return SASL_MALFORMED;
    memcpy(x->nonce, buf_slice(&nonce).p, SASL_NONCE);
    buf_wipe(&nonce);
    if (mechanisms[m].has_challenge && first_challenge(x, hostname, now_ms) < 0)
        return SASL_MALFORMED;
    return SASL_CHALLENGE;
}

enum sasl_status sasl_step(struct sasl *x, struct slice response)
{
    char *room;

    buf_wipe(&x->in);
    if (buf_reserve(&x->in, response.n + 1, &room) < 0) /* once: growing would leave copies behind */
        return SASL_MALFORMED;
    memcpy(room, response.p ? response.p : "", response.n);
    buf_grown(&x->in, response.n);
    x->step++;
    return mechanisms[x->mechanism].step(x);
}

enum sasl_status sasl_verified(struct sasl *x, bool ok, const uint8_t signature[SASL_SHA256])
{
    if (!ok)
        return SASL_FAILED;
    if (x->mechanism != SASL_SCRAM_SHA_256)
        return SASL_DONE;
    buf_clear(&x->challenge);
    if (!signature || buf_add_text(&x->challenge, "v=") < 0 ||
        base64_encode(slice_make(signature, SASL_SHA256), &x->challenge) < 0)
        return SASL_FAILED;
    return SASL_CHALLENGE;
}

struct slice sasl_challenge(const struct sasl *x) { return buf_slice(&x->challenge); }
const struct sasl_request *sasl_request(const struct sasl *x) { return &x->request; }

void sasl_wipe(struct sasl *x)
{
    buf_wipe(&x->in);
    buf_wipe(&x->first);
    buf_wipe(&x->challenge);
    buf_wipe(&x->user);
    buf_wipe(&x->gs2_header);
    buf_wipe(&x->nonces);
    explicit_bzero(x, sizeof *x);
}
