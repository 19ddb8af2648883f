/* memory_short.c: the same short life again and again, in which the first, second, … allocation fails, once and with all that
 * follow: conversations of the SMTP server (the transcripts) and of the client, and the loading of a configuration. Nothing
 * breaks, half a reply is never said, and what was not done is not reported as done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "allocation.h"
#include "buf.h"
#include "clock.h"
#include "load.h"
#include "outcome.h"
#include "smtp_client.h"
#include "smtp_server.h"
#include "transcript.h"

enum { ALLOCATIONS_MAX = 100000, RCPTS = 3 };

static char **files;
static int file_count;

/* ---------------------------------------------------------------- the server: only what it allocates itself counts */
#define WATCHED(type, name, parameters, arguments)   \
    type __real_##name parameters;                   \
    type __wrap_##name parameters;                   \
    type __wrap_##name parameters                    \
    {                                                \
        type r;                                      \
                                                     \
        allocation_watch();                          \
        r = __real_##name arguments;                 \
        allocation_ignore();                         \
        return r;                                    \
    }
#define WATCHED_VOID(name, parameters, arguments)    \
    void __real_##name parameters;                   \
    void __wrap_##name parameters;                   \
    void __wrap_##name parameters                    \
    {                                                \
        allocation_watch();                          \
        __real_##name arguments;                     \
        allocation_ignore();                         \
    }

WATCHED(struct smtp_server *, smtp_server_new,
        (const struct smtp_server_options *o, enum smtp_say refusal, enum smtp_channel channel, int64_t now_ms),
        (o, refusal, channel, now_ms))
WATCHED(enum smtp_action_type, smtp_server_next, (struct smtp_server *s, struct smtp_action *ret), (s, ret))
WATCHED_VOID(smtp_server_input, (struct smtp_server *s, int64_t now_ms, struct slice in), (s, now_ms, in))
WATCHED_VOID(smtp_server_answer, (struct smtp_server *s, int64_t now_ms, const struct ingest_reply *r), (s, now_ms, r))
WATCHED_VOID(smtp_server_auth, (struct smtp_server *s, int64_t now_ms, enum smtp_auth_verdict v, const uint8_t *sig),
             (s, now_ms, v, sig))
WATCHED_VOID(smtp_server_salt, (struct smtp_server *s, struct slice salt, int iterations), (s, salt, iterations))
WATCHED_VOID(smtp_server_tick, (struct smtp_server *s, int64_t now_ms), (s, now_ms))

static struct slice read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];
    struct buf b;
    struct slice all;
    size_t n;

    assert_non_null(f);
    buf_init(&b, TRANSCRIPT_BYTES_MAX);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        assert_int_equal(buf_add(&b, slice_make(piece, n)), 0);
    fclose(f);
    all = arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return all;
}

/* False when the conversation needed fewer. */
static bool converse(const struct conversation *c, int n, bool for_good)
{
    struct arena *a = arena_new(4096);
    const char *wrong;

    allocation_fail(n, for_good);
    wrong = transcript_play(a, c, PLAY_LINES, false);
    if (wrong)
        print_error("allocation %d%s: %s\n", n, for_good ? " and all behind it" : "", wrong);
    assert_null(wrong);
    arena_free(a);
    return allocation_failed();
}

static void a_server_says_whole_replies_or_closes(void **state)
{
    struct arena *a = arena_new(1 << 16);
    int played = 0;

    for (int i = 0; i < file_count; i++) {
        struct slice rest = read_file(a, files[i]);
        struct conversation *c;
        int line = 0;

        while ((c = transcript_next(a, files[i], &rest, &line))) {
            for (int n = 1; converse(c, n, false); n++, played++)
                assert_true(n < ALLOCATIONS_MAX);
            for (int n = 1; converse(c, n, true); n++, played++)
                assert_true(n < ALLOCATIONS_MAX);
        }
    }
    assert_true(played > 0);
    print_message("%d conversations with a server without memory\n", played);
    allocation_fail(0, false);
    arena_free(a);
}

/* ---------------------------------------------------------------- the client */
static const struct slice body_content = SLICE("A: b\r\n\r\nhello\r\n");
bool body_is_raw(const struct body *b) { return false; }
uint64_t body_length(const struct body *b) { return body_content.n; }

struct call {
    struct smtp_client *client;
    struct envelope_rcpt rcpts[RCPTS];
    struct envelope env;
    bool sent, reported, closed, dotted;
};

static void pull(struct call *c)
{
    static const int index[RCPTS] = { 0, 1, 2 };
    struct smtp_client_action a;
    enum smtp_client_action_type type;

    while ((type = smtp_client_next(c->client, &a)) != SMTP_CLIENT_WAIT) {
        assert_false(c->closed);
        if (type == SMTP_CLIENT_READY && smtp_client_send(c->client, 0, &c->env, index, RCPTS) == 0)
            c->sent = true;
        else if (type == SMTP_CLIENT_SEND)
            assert_memory_equal(a.bytes.p + a.bytes.n - 2, "\r\n", 2);
        else if (type == SMTP_CLIENT_SCAN)
            smtp_client_scanned(c->client, 0, &(struct content_scan){ 0 });
        else if (type == SMTP_CLIENT_BODY)
            smtp_client_body_sent(c->client, 0, true);
        else if (type == SMTP_CLIENT_CLOSE)
            c->closed = true;
        else if (type == SMTP_CLIENT_RESULT) {
            c->reported = true;
            for (int i = 0; i < RCPTS; i++)
                if (outcome_of_rcpt(a.result, &a.result->rcpts[i], false).verdict == OUTCOME_DELIVERED)
                    assert_true(c->dotted);
        }
    }
}

/* What the host says, piece by piece, whatever the client does. False when fewer were needed. */
static bool call_host(int n, bool for_good)
{
    static const char *const said[] = {
        "220 mx.test\r\n", "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-AUTH PLAIN\r\n250 DSN\r\n", "235 ok\r\n",
        "250 ok\r\n250 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n250 ok\r\n354 go\r\n", "250 2.0.0 taken\r\n", "221 bye\r\n",
    };
    struct profile profile = { .tls = TLS_NONE, .ehlo = "me.test", .user = "u", .password = "p", .allow_plaintext_login = true };
    struct call c = { .env = { .reverse_path = SLICE("a@one.test"), .size = 15, .rcpt_count = RCPTS } };

    for (int i = 0; i < RCPTS; i++)
        c.rcpts[i].address = SLICE("b@two.test");
    c.env.rcpts = c.rcpts;
    allocation_fail(n, for_good);
    allocation_watch();
    c.client = smtp_client_new(&profile, false);
    if (c.client)
        smtp_client_connected(c.client, 0, false);
    for (size_t i = 0; c.client && i < sizeof said / sizeof *said; i++) {
        c.dotted |= i == 4;
        for (struct slice in = slice_of(said[i]); in.n && !c.closed;) {
            smtp_client_input(c.client, 0, &in);
            pull(&c);
        }
    }
    if (c.client)
        smtp_client_lost(c.client, 0, &(struct smtp_client_loss){ .text = "lost" });
    if (c.client)
        pull(&c);
    smtp_client_free(c.client);
    allocation_ignore();
    assert_int_equal(c.sent, c.reported);
    return allocation_failed();
}

static void a_client_reports_every_transaction_that_it_began(void **state)
{
    int n;

    for (n = 1; call_host(n, false); n++)
        assert_true(n < ALLOCATIONS_MAX);
    for (n = 1; call_host(n, true); n++)
        assert_true(n < ALLOCATIONS_MAX);
    allocation_fail(0, false);
    print_message("%d allocations\n", n - 1);
}

/* ---------------------------------------------------------------- the configuration */
static bool load(const char *file, int n, bool for_good)
{
    struct conf *conf = NULL;
    struct conf_findings findings = { 0 };
    int rc;

    allocation_fail(n, for_good);
    allocation_watch();
    rc = conf_load(file, &conf, &findings);
    allocation_ignore();
    if (allocation_failed() && rc == 0)
        assert_non_null(conf); /* what failed was not needed */
    if (rc < 0)
        assert_null(conf);
    conf_unref(conf);
    conf_findings_free(&findings);
    return allocation_failed();
}

static void a_configuration_is_whole_or_refused(void **state)
{
    char file[4096];
    int n;

    snprintf(file, sizeof file, "%s/conf/examples/powermta.yaml", getenv("FAIRLEAD_SOURCE"));
    for (n = 1; load(file, n, false); n++)
        assert_true(n < ALLOCATIONS_MAX);
    for (n = 1; load(file, n, true); n++)
        assert_true(n < ALLOCATIONS_MAX);
    allocation_fail(0, false);
    print_message("%d allocations\n", n - 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_says_whole_replies_or_closes),
        cmocka_unit_test(a_client_reports_every_transaction_that_it_began),
        cmocka_unit_test(a_configuration_is_whole_or_refused),
    };

    files = argv + 1;
    file_count = argc - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
