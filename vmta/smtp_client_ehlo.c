/* smtp_client_ehlo.c: who the remote is and what it offers: EHLO, HELO, STARTTLS, and what follows from them. */
#include "smtp_client_state.h"
#include "tls_policy.h"

#include "err.h"

static void say_hello(struct smtp_client *c, int64_t now_ms, const char *verb, enum client_phase phase)
{
    struct buf *out = client_out(c);
    size_t from = buf_len(out);
    int rc = buf_printf(out, "%s %s", verb, c->profile->ehlo);

    if (!rc)
        rc = client_said(c, from);
    if (client_out_failed(c, now_ms, rc))
        return;
    c->offer = (struct offer){ .size = 0 }; /* what was learnt in clear is forgotten (RFC 3207 4.2) */
    c->ehlo_lines = 0;
    client_move(c, phase);
}

void ehlo_say(struct smtp_client *c, int64_t now_ms)
{
    say_hello(c, now_ms, "EHLO", CLIENT_EHLO);
}

/* ---------------------------------------------------------------- keywords */
static void take_size(struct offer *o, struct slice arg)
{
    uint64_t n;

    o->has_size = true;
    if (slice_to_u64(slice_trim(arg), INT64_MAX, &n))
        o->size = (int64_t)n;
}

static void take_auth(struct offer *o, struct slice arg)
{
    while (arg.n)
        o->auth |= sasl_client_mechanism_bit(slice_trim(slice_cut(&arg, ' ')));
}

static void take_pipelining(struct offer *o, struct slice arg) { o->pipelining = true; }
static void take_eight_bit_mime(struct offer *o, struct slice arg) { o->eight_bit_mime = true; }
static void take_smtputf8(struct offer *o, struct slice arg) { o->smtputf8 = true; }
static void take_chunking(struct offer *o, struct slice arg) { o->chunking = true; }
static void take_binarymime(struct offer *o, struct slice arg) { o->binarymime = true; }
static void take_dsn(struct offer *o, struct slice arg) { o->dsn = true; }
static void take_starttls(struct offer *o, struct slice arg) { o->starttls = true; }

static const struct {
    const char *keyword;
    void (*take)(struct offer *o, struct slice arg);
} keywords[] = {
    { "PIPELINING", take_pipelining }, { "SIZE", take_size },
    { "8BITMIME", take_eight_bit_mime }, { "SMTPUTF8", take_smtputf8 },
    { "CHUNKING", take_chunking },     { "BINARYMIME", take_binarymime },
    { "DSN", take_dsn },               { "STARTTLS", take_starttls },
    { "AUTH", take_auth },
};

void ehlo_take_line(struct smtp_client *c, struct slice line)
{
    struct slice arg = slice_trim_crlf(line), keyword;

    if (c->ehlo_lines++ == 0) /* its name */
        return;
    keyword = slice_cut(&arg, ' ');
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (slice_eq_nocase(keyword, slice_of(keywords[i].keyword)))
            keywords[i].take(&c->offer, arg);
    if (slice_starts_nocase(keyword, SLICE("AUTH="))) { /* a form older than RFC 4954 */
        take_auth(&c->offer, slice_skip(keyword, sizeof "AUTH=" - 1));
        take_auth(&c->offer, arg);
    }
}

/* ---------------------------------------------------------------- what follows */
static void log_in_or_ready(struct smtp_client *c, int64_t now_ms)
{
    if (c->profile->user)
        auth_begin(c, now_ms);
    else
        client_ready(c, now_ms);
}

static void follow(struct smtp_client *c, int64_t now_ms, struct tls_verdict v)
{
    switch (v.step) {
    case TLS_GO_ON:
        log_in_or_ready(c, now_ms);
        break;
    case TLS_START:
        if (!client_out_failed(c, now_ms, client_say(c, "STARTTLS")))
            client_move(c, CLIENT_STARTTLS);
        break;
    case TLS_FAIL:
        client_refuse(c, now_ms, v.stage, NULL, "4.7.4", v.reason);
        break;
    }
}

void ehlo_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    bool helo_will_do = !c->profile->user && !tls_policy_needs_tls(c->profile) && !c->is_tls;

    if (r->code / 100 == 2)
        follow(c, now_ms, tls_policy_after_ehlo(c->profile, c->is_tls, c->offer.starttls, c->skip_tls));
    else if (r->code / 100 == 5 && helo_will_do) /* a server from before ESMTP (RFC 5321 3.2) */
        say_hello(c, now_ms, "HELO", CLIENT_HELO);
    else
        client_refuse(c, now_ms, STAGE_EHLO, r, NULL, NULL);
}

void helo_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    if (r->code / 100 == 2)
        client_ready(c, now_ms);
    else
        client_refuse(c, now_ms, STAGE_EHLO, r, NULL, NULL);
}

void starttls_on_reply(struct smtp_client *c, int64_t now_ms, const struct reply *r)
{
    struct tls_verdict v = tls_policy_after_starttls(c->profile, r->code);

    if (v.step == TLS_FAIL) {
        client_refuse(c, now_ms, v.stage, r, NULL, NULL);
        return;
    }
    if (v.step == TLS_GO_ON) {
        log_in_or_ready(c, now_ms);
        return;
    }
    client_move(c, CLIENT_HANDSHAKE); /* what came with the 220 finds nobody who reads it */
    reply_init(&c->parser);
    c->ask_tls = true;
}
