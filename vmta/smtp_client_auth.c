/* smtp_client_auth.c: logging in (RFC 4954). Credentials never reach the log. */
#include "smtp_client_state.h"
#include "tls_policy.h"

#include "err.h"

/* Base64 words of SASL behind what stands in out, as one line. An empty initial response is "=" (RFC 4954 4). */
static int say_words(struct smtp_client *c, struct slice challenge, bool is_initial, bool *ret_understood)
{
    struct buf *out = client_out(c);
    size_t before = buf_len(out);

    *ret_understood = sasl_client_step(c->sasl, challenge, out);
    if (*ret_understood && is_initial && buf_len(out) == before)
        return buf_add_char(out, '=');
    return 0;
}

static void give_up(struct smtp_client *c, int64_t now_ms, const char *text)
{
    client_refuse(c, now_ms, STAGE_AUTH, NULL, "4.7.8", text);
}

/* "AUTH NAME" and, where the mechanism lets us, the first words with it. */
static void say_auth(struct smtp_client *c, int64_t now_ms)
{
    struct buf *out = client_out(c);
    bool understood = true;
    int rc = buf_printf(out, "AUTH %s", sasl_client_mechanism_name(c->auth_mechanism));

    protocol_log_add(&c->log, 'C', buf_slice(out));
    if (!rc && sasl_client_speaks_first(c->sasl)) {
        rc = buf_add_char(out, ' ');
        if (!rc)
            rc = say_words(c, SLICE_NONE, true, &understood);
    }
    if (!rc)
        rc = buf_add(out, SLICE("\r\n"));
    if (client_out_failed(c, now_ms, rc))
        return;
    c->issued++;
    if (!understood)
        give_up(c, now_ms, "the login cannot be said in this mechanism");
}

static void try_next(struct smtp_client *c, int64_t now_ms)
{
    c->auth_mechanism = sasl_client_choose(c->offer.auth & ~c->auth_tried);
    if (!c->auth_mechanism) {
        give_up(c, now_ms, "the host offers no login that we know");
        return;
    }
    sasl_client_free(c->sasl);
    c->sasl = NULL;
    if (!client_out_failed(c, now_ms, sasl_client_new(c->auth_mechanism, c->profile->user, c->profile->password, &c->sasl)))
        say_auth(c, now_ms);
}

void auth_begin(struct smtp_client *c, int64_t now_ms)
{
    client_move(c, CLIENT_AUTH);
    if (tls_policy_allows_login(c->profile, c->is_tls))
        try_next(c, now_ms);
    else
        give_up(c, now_ms, "the connection is in clear, and allow_plaintext_login does not let us log in there");
}

static void on_challenge(struct smtp_client *c, int64_t now_ms)
{
    bool understood;
    int rc = say_words(c, slice_trim_crlf(reply_line(&c->parser)), false, &understood);

    if (!understood) {
        client_fail(c, now_ms, CONNECTION_FAILED, STAGE_AUTH, NULL, "4.7.8",
                    "the host's challenge makes no sense, or the host is not who it claims to be");
        return;
    }
    if (!rc)
        rc = buf_add(client_out(c), SLICE("\r\n"));
    if (client_out_failed(c, now_ms, rc))
        return;
    protocol_log_add(&c->log, 'C', SLICE("(credentials)"));
    c->issued++;
}

void auth_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    if (r->code == 334) {
        on_challenge(c, now_ms);
    } else if (r->code / 100 == 2) {
        if (!sasl_client_is_done(c->sasl))
            give_up(c, now_ms, "the host ended the login without proving that it knows the password");
        else
            client_ready(c, now_ms);
    } else if (r->code == 504) { /* offered, but not known after all */
        c->auth_tried |= c->auth_mechanism;
        try_next(c, now_ms);
    } else {
        client_refuse(c, now_ms, STAGE_AUTH, r, NULL, NULL);
    }
    if (c->phase != CLIENT_AUTH) {
        sasl_client_free(c->sasl);
        c->sasl = NULL;
    }
}
