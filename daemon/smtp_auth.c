/* smtp_auth.c: AUTH (RFC 4954): its lines around a SASL exchange, when it is allowed, and how failures are answered. See
 * smtp_state.h. */
#include <stdlib.h>

#include "base64.h"
#include "smtp_state.h"

unsigned smtp_auth_offered(const struct smtp_server *s)
{
    unsigned m = s->options.mechanisms;

    if (s->options.require_tls_before_auth && !s->is_tls)
        return 0;
    return s->knows_user ? m | 1u << SASL_EXTERNAL : m;
}

/* ---------------------------------------------------------------- outcomes */
/* The exchange is over, whatever it came to. */
static void auth_over(struct smtp_server *s)
{
    sasl_wipe(&s->sasl);
    if (s->state != SMTP_STATE_COMMAND)
        smtp_move(s, SMTP_STATE_COMMAND);
}

static void auth_wrong(struct smtp_server *s)
{
    sasl_wipe(&s->sasl);
    smtp_move(s, SMTP_STATE_DELAYED);
    if (smtp_server_deadline_ms(s) <= s->now_ms)
        smtp_auth_say_wrong(s);
}

void smtp_auth_say_wrong(struct smtp_server *s)
{
    s->auth_failures++;
    smtp_refused(s, &smtp_replies[SAY_AUTH_FAILED], "auth", NULL);
    smtp_say(s, SAY_AUTH_FAILED);
    smtp_move(s, SMTP_STATE_COMMAND);
}

static void auth_right(struct smtp_server *s)
{
    s->logged_in = true;
    s->has_said_auth = true;
    auth_over(s);
    smtp_say(s, SAY_AUTH_OK);
}

static void auth_error(struct smtp_server *s, enum smtp_say say)
{
    auth_over(s);
    smtp_error(s, say);
}

static void send_challenge(struct smtp_server *s)
{
    smtp_out(s, SLICE("334 "));
    if (base64_encode(sasl_challenge(&s->sasl), &s->out) < 0)
        s->broken = true;
    smtp_out(s, SLICE("\r\n"));
    smtp_move(s, SMTP_STATE_SASL);
}

static void auth_follow(struct smtp_server *s, enum sasl_status status)
{
    switch (status) {
    case SASL_CHALLENGE:
        send_challenge(s);
        break;
    case SASL_ASK_SALT:
        smtp_ask(s, (struct smtp_action){ .type = SMTP_ASK_SALT, .auth = sasl_request(&s->sasl) });
        break;
    case SASL_VERIFY:
        s->auth_asked_ms = s->now_ms;
        smtp_ask(s, (struct smtp_action){ .type = SMTP_ASK_AUTH, .auth = sasl_request(&s->sasl) });
        break;
    case SASL_DONE:
        auth_right(s);
        break;
    case SASL_FAILED:
        auth_wrong(s);
        break;
    case SASL_MALFORMED:
        auth_error(s, SAY_AUTH_MALFORMED);
        break;
    }
}

/* ---------------------------------------------------------------- lines */
/* A response in base64; "=" stands for the empty one in the AUTH command (RFC 4954 4). */
static void auth_response(struct smtp_server *s, struct slice text)
{
    struct buf plain;
    int rc;

    buf_init_secret(&plain, SMTP_AUTH_LINE_MAX);
    rc = slice_eq(text, SLICE("=")) ? 0 : base64_decode(text, &plain);
    if (rc < 0)
        auth_error(s, SAY_AUTH_BASE64);
    else
        auth_follow(s, sasl_step(&s->sasl, buf_slice(&plain)));
    buf_wipe(&plain);
}

static size_t auth_line_limit(struct slice line) { return SMTP_AUTH_LINE_MAX; }

bool smtp_auth_run(struct smtp_server *s)
{
    struct slice line;
    enum smtp_say say;

    if (!smtp_take_line(s, auth_line_limit, &line, &say))
        return false;
    s->since_ms = s->now_ms;
    if (say != SAYS)
        auth_error(s, say == SAY_LINE_TOO_LONG ? SAY_AUTH_LINE_TOO_LONG : say);
    else if (slice_eq(line, SLICE("*")))
        auth_error(s, SAY_AUTH_CANCELED);
    else
        auth_response(s, line);
    return true;
}

/* Why AUTH cannot begin now, or SAYS. */
static enum smtp_say hindrance(const struct smtp_server *s)
{
    if (!s->options.mechanisms && !s->knows_user)
        return SAY_AUTH_UNAVAILABLE;
    if (s->logged_in && (s->has_said_auth || !s->knows_user)) /* who is known by certificate may still say EXTERNAL */
        return SAY_AUTH_TWICE;
    if (s->in_mail)
        return SAY_AUTH_IN_MAIL;
    return smtp_auth_offered(s) ? SAYS : SAY_AUTH_NEEDS_TLS;
}

void smtp_auth_begin(struct smtp_server *s, struct slice args)
{
    struct slice rest = args, name = slice_cut(&rest, ' ');
    enum sasl_mechanism m = sasl_find(name);
    enum smtp_say say = hindrance(s);

    rest = slice_trim(rest);
    if (say == SAYS && s->auth_failures >= s->options.max_auth_failures) {
        smtp_bye(s, SAY_TOO_MANY_FAILURES);
        return;
    }
    if (say == SAYS && (m == SASL_NONE || !(smtp_auth_offered(s) & 1u << m)))
        say = SAY_AUTH_UNKNOWN;
    if (say == SAYS && rest.n && !sasl_client_first(m))
        say = SAY_AUTH_NO_INITIAL;
    if (say != SAYS) {
        smtp_error(s, say);
        return;
    }
    s->seeded = false; /* no entropy serves twice */
    s->auth_asked_ms = s->now_ms;
    if (sasl_begin(&s->sasl, m, s->entropy, s->options.hostname, s->wall_ms) != SASL_CHALLENGE)
        smtp_bye(s, SAY_NO_MEMORY);
    else if (rest.n)
        auth_response(s, rest);
    else
        send_challenge(s);
}

/* ---------------------------------------------------------------- answers */
void smtp_server_salt(struct smtp_server *s, struct slice salt, int iterations)
{
    auth_follow(s, sasl_salt(&s->sasl, salt, iterations));
}

void smtp_server_auth(struct smtp_server *s, int64_t now_ms, enum smtp_auth_verdict verdict, const uint8_t *signature)
{
    s->now_ms = now_ms;
    if (verdict == SMTP_AUTH_LATER) {
        auth_over(s);
        smtp_say(s, SAY_AUTH_LATER);
    } else {
        auth_follow(s, sasl_verified(&s->sasl, verdict == SMTP_AUTH_RIGHT, signature));
    }
}
