/* auth_sequences.c: random sequences of log-ins that fail, succeed, are cancelled or broken off by RSET, EHLO, STARTTLS and MAIL,
 * against a model of what RFC 4954 allows: who is logged in, and what each line is answered. Each is played twice, line by line and
 * byte by byte, and says the same both times. A failing seed is printed; `test_auth_sequences SEED` plays it alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "rand.h"
#include "smtp_server.h"

enum { SEEDS = 1000, LINES_MOST = 60, MAX_ERRORS = 1000, LONG_RESPONSE = 9000, LONGER_THAN_ALLOWED = 13000, LINE_MOST = 16384 };

static uint64_t first_seed = 1, last_seed = SEEDS;

struct talk {
    struct smtp_server *server;
    bool by_bytes;
    struct buf said;
    size_t looked_at;       /* of said */
    bool shaking, closed;
    bool asked_right;       /* the last question about credentials was answered so */
    int verdicts;
    /* the model */
    bool under_tls, logged_in, greeted, in_mail, exchanging;
};

/* ---------------------------------------------------------------- the driver */
static bool is_right(const struct sasl_request *r)
{
    if (r->mechanism == SASL_PLAIN || r->mechanism == SASL_LOGIN)
        return slice_eq(r->user, SLICE("foo")) && slice_eq(r->password, SLICE("barbaz"));
    return slice_eq(r->user, SLICE("foo"));
}

static void answer_auth(struct talk *t, const struct sasl_request *r)
{
    static const uint8_t signature[SASL_SHA256] = { 1 };

    t->asked_right = is_right(r);
    t->verdicts++;
    smtp_server_auth(t->server, 0, t->asked_right ? SMTP_AUTH_RIGHT : SMTP_AUTH_WRONG, signature);
}

static void pump(struct talk *t)
{
    static const uint8_t entropy[SASL_ENTROPY] = "entropy of 18 oct";
    const struct ingest_reply yes = { .code = 250, .enhanced = "2.0.0", .text = "Ok" };
    struct smtp_action a;

    do {
        while (smtp_server_next(t->server, &a) != SMTP_WAIT) {
            switch (a.type) {
            case SMTP_START_TLS: t->shaking = true; break;
            case SMTP_ASK_SEED: smtp_server_seed(t->server, entropy, 0); break;
            case SMTP_ASK_SALT: smtp_server_salt(t->server, SLICE("salt"), 4096); break;
            case SMTP_ASK_AUTH: answer_auth(t, a.auth); break;
            case SMTP_ASK_MAIL:
            case SMTP_ASK_RCPT:
            case SMTP_ASK_COMMIT: smtp_server_answer(t->server, 0, &yes); break;
            case SMTP_CLOSE: t->closed = true; break;
            default: break;
            }
        }
        assert_int_equal(buf_add(&t->said, smtp_server_output(t->server)), 0);
    } while (smtp_server_has_more(t->server));
}

static void say(struct talk *t, const char *line)
{
    struct slice all = slice_of(line);

    for (size_t at = 0, n = t->by_bytes ? 1 : all.n; at < all.n && !t->closed; at += n) {
        smtp_server_input(t->server, 0, slice_make(all.p + at, n));
        pump(t);
    }
    if (!t->shaking)
        return;
    t->shaking = false;
    smtp_server_tls_done(t->server, 0, false);
    pump(t);
}

/* The code of the only reply since the last call; 0: none. */
static int reply(struct talk *t)
{
    struct slice rest = slice_skip(buf_slice(&t->said), t->looked_at);
    int code = 0;

    t->looked_at = buf_len(&t->said);
    while (rest.n) {
        struct slice line = slice_cut(&rest, '\n');

        assert_true(line.n > 4 && line.p[line.n - 1] == '\r');
        if (line.p[3] == '-')
            continue;
        assert_int_equal(code, 0); /* one reply a line */
        code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
    }
    return code;
}

/* ---------------------------------------------------------------- what may be said */
enum kind { EHLO, RSET, NOOP, MAIL, STARTTLS, AUTH_WHOLE, AUTH_OPEN, AUTH_UNKNOWN, RESPONSE, CANCEL };

static const struct {
    enum kind kind;
    const char *line;
} lines[] = {
    { EHLO, "EHLO client.test\r\n" },
    { RSET, "RSET\r\n" },
    { NOOP, "NOOP\r\n" },
    { MAIL, "MAIL FROM:<a@one.test>\r\n" },
    { STARTTLS, "STARTTLS\r\n" },
    { AUTH_WHOLE, "AUTH PLAIN AGZvbwBiYXJiYXo=\r\n" },     /* foo, barbaz */
    { AUTH_WHOLE, "AUTH PLAIN AGZvbwB3cm9uZw==\r\n" },     /* foo, wrong */
    { AUTH_WHOLE, "AUTH PLAIN =\r\n" },
    { AUTH_WHOLE, "AUTH PLAIN %%%%\r\n" },
    { AUTH_OPEN, "AUTH PLAIN\r\n" },
    { AUTH_OPEN, "AUTH LOGIN\r\n" },
    { AUTH_OPEN, "AUTH LOGIN Zm9v\r\n" },
    { AUTH_OPEN, "AUTH CRAM-MD5\r\n" },
    { AUTH_OPEN, "AUTH SCRAM-SHA-256\r\n" },
    { AUTH_OPEN, "AUTH SCRAM-SHA-256 biwsbj1mb28scj1hYmM=\r\n" }, /* n,,n=foo,r=abc */
    { AUTH_UNKNOWN, "AUTH NTLM TlRMTVNTUAABAAAA\r\n" },
    { AUTH_UNKNOWN, "AUTH EXTERNAL =\r\n" },
    { RESPONSE, "AGZvbwBiYXJiYXo=\r\n" },
    { RESPONSE, "Zm9v\r\n" },
    { RESPONSE, "YmFyYmF6\r\n" },
    { RESPONSE, "Zm9vIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\r\n" }, /* foo and a digest */
    { RESPONSE, "biwsbj1mb28scj1hYmM=\r\n" },
    { RESPONSE, "\r\n" },
    { RESPONSE, "=\r\n" },
    { RESPONSE, "no base64!\r\n" },
    { CANCEL, "*\r\n" },
};

enum { LINES = sizeof lines / sizeof *lines };

/* A response of many octets (CVE-2023-42115 and 42116 were writes past a buffer). */
static void long_response(char *line, size_t n)
{
    memset(line, 'A', n);
    memcpy(line + n, "\r\n", 3);
}

/* ---------------------------------------------------------------- the model */
static void end_exchange(struct talk *t, int code)
{
    if (code == 334)
        return;
    t->exchanging = false;
    if (code == 235) {
        assert_true(t->asked_right);
        assert_false(t->logged_in);
        t->logged_in = true;
    }
}

/* A line of the exchange is never a command: whatever it says, it is answered as a response. */
static void judge_response(struct talk *t, enum kind kind, int code)
{
    if (kind == CANCEL)
        assert_int_equal(code, 501);
    else
        assert_true(code == 334 || code == 235 || code == 535 || code == 501 || code == 500);
    end_exchange(t, code);
}

static void judge_auth(struct talk *t, enum kind kind, int code, int verdicts)
{
    if (!t->greeted || t->logged_in || t->in_mail) {
        assert_int_equal(code, 503);
        assert_int_equal(t->verdicts, verdicts);
        return;
    }
    if (kind == AUTH_UNKNOWN)
        assert_int_equal(code, 504);
    else if (kind == AUTH_WHOLE)
        assert_true(code == 235 || code == 535 || code == 501);
    else
        assert_int_equal(code, 334);
    t->exchanging = code == 334;
    end_exchange(t, code);
}

static void judge(struct talk *t, enum kind kind, int code, int verdicts)
{
    if (t->exchanging) {
        judge_response(t, kind, code);
        return;
    }
    switch (kind) {
    case EHLO:
        assert_int_equal(code, 250);
        t->greeted = true;
        t->in_mail = false;
        break;
    case RSET:
        assert_int_equal(code, 250);
        t->in_mail = false;
        break;
    case NOOP:
        assert_int_equal(code, 250);
        break;
    case MAIL:
        assert_int_equal(code, !t->greeted || t->in_mail ? 503 : t->logged_in ? 250 : 530);
        t->in_mail |= code == 250;
        break;
    case STARTTLS: /* RFC 3207 4.2: what was said before is forgotten */
        assert_int_equal(code, t->under_tls || !t->greeted ? 503 : 220);
        if (code == 220) {
            t->under_tls = true;
            t->logged_in = t->greeted = t->in_mail = false;
        }
        break;
    case AUTH_WHOLE:
    case AUTH_OPEN:
    case AUTH_UNKNOWN:
        judge_auth(t, kind, code, verdicts);
        break;
    case RESPONSE:
    case CANCEL:
        assert_int_equal(code, 500); /* no exchange, no command */
        break;
    }
}

static void one_line(struct talk *t, struct rand *r)
{
    static char text[LINE_MOST];
    uint64_t dice = rand_below(r, LINES + 2);
    enum kind kind = dice < LINES ? lines[dice].kind : RESPONSE;
    int verdicts = t->verdicts;

    if (dice < LINES)
        snprintf(text, sizeof text, "%s", lines[dice].line);
    else
        long_response(text, dice == LINES ? LONG_RESPONSE : LONGER_THAN_ALLOWED);
    say(t, text);
    if (first_seed == last_seed)
        print_message("%.60s", text);
    judge(t, kind, reply(t), verdicts);
}

/* What was said in all; given. */
static struct buf play(uint64_t seed, bool by_bytes)
{
    const struct smtp_server_options o = {
        .hostname = SLICE("mx.test"), .access = SMTP_ACCESS_LOGIN, .offer_tls = true, .max_size = 1 << 20, .max_rcpts = 10,
        .mechanisms = 1u << SASL_PLAIN | 1u << SASL_LOGIN | 1u << SASL_CRAM_MD5 | 1u << SASL_SCRAM_SHA_256, .max_errors = MAX_ERRORS,
        .max_auth_failures = MAX_ERRORS, .command_timeout_ms = 300000, .data_timeout_ms = 600000,
    };
    struct talk t = { .by_bytes = by_bytes };
    struct rand r;

    rand_seed(&r, seed);
    buf_init(&t.said, 0);
    t.server = smtp_server_new(&o, SAYS, SMTP_CLEAR, 0);
    assert_non_null(t.server);
    pump(&t);
    assert_int_equal(reply(&t), 220);
    for (uint64_t n = 1 + rand_below(&r, LINES_MOST); n > 0; n--)
        one_line(&t, &r);
    assert_false(t.closed);
    smtp_server_free(t.server);
    return t.said;
}

static void any_sequence_is_answered_as_the_model_says(void **state)
{
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        struct buf lines_said, bytes_said;

        if (first_seed == last_seed)
            print_message("seed %llu\n", (unsigned long long)seed);
        lines_said = play(seed, false);
        bytes_said = play(seed, true);
        if (!slice_eq(buf_slice(&lines_said), buf_slice(&bytes_said)))
            fail_msg("seed %llu: cut at every byte it says something else", (unsigned long long)seed);
        buf_free(&lines_said);
        buf_free(&bytes_said);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(any_sequence_is_answered_as_the_model_says) };

    if (argc > 1)
        first_seed = last_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
