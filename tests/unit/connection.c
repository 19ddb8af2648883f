/* The driver of an outgoing connection over a stream of paper: what is written, when it is flushed, when the owner is
 * called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "body_feed.h"
#include "buf.h"
#include "connection.h"
#include "err.h"
#include "store.h"

/* ---------------------------------------------------------------- a stream of paper: one at a time */
static struct stream {
    const struct stream_events *events;
    void *arg;
    struct buf out;
    int flushes;      /* that had something to send */
    size_t flushed;   /* octets of out so far */
    bool slow;        /* flushes send nothing */
    bool closed, aborted, shaking, must_verify;
} paper;

int stream_connect(struct streams *ss, const struct inet_addr *source, const struct inet_endpoint *dest, int64_t timeout_ms,
                   const struct stream_events *events, void *arg, struct stream **ret)
{
    buf_free(&paper.out);
    paper = (struct stream){ .events = events, .arg = arg };
    *ret = &paper;
    return 0;
}

void stream_start_tls_client(struct stream *s, const struct tls_client_params *params)
{
    assert_string_equal(params->host, "mx.two.test");
    s->shaking = true;
    s->must_verify = params->must_verify;
}

void stream_write(struct stream *s, struct slice bytes) { assert_int_equal(buf_add(&s->out, bytes), 0); }
int64_t stream_queued(const struct stream *s) { return (int64_t)(buf_len(&s->out) - s->flushed); }
void stream_close(struct stream *s, int64_t grace_ms) { s->closed = true; }
void stream_abort(struct stream *s) { s->aborted = true; }

void stream_flush(struct stream *s)
{
    if (s->slow || stream_queued(s) == 0)
        return;
    s->flushes++;
    s->flushed = buf_len(&s->out);
}

static void host_says(const char *text)
{
    paper.events->on_read(paper.arg, slice_of(text));
}

/* What was written since it was last looked at, and in how many flushes. */
static void expect_written(const char *text, int flushes)
{
    struct slice out = buf_slice(&paper.out);

    if (!slice_eq(out, slice_of(text)))
        fail_msg("written: %.*s", SLICE_ARG(out));
    assert_int_equal(paper.flushes, flushes);
    buf_clear(&paper.out);
    paper.flushed = 0;
    paper.flushes = 0;
}

/* ---------------------------------------------------------------- content, in memory or in a store of paper */
struct body {
    struct slice content;
    uint64_t in_memory;
    int refs;
};

struct body *body_ref(struct body *b) { b->refs++; return b; }
void body_unref(struct body *b) { if (b) b->refs--; }
bool body_is_raw(const struct body *b) { return false; }
uint64_t body_length(const struct body *b) { return b->content.n; }
uint64_t body_in_memory(const struct body *b) { return b->in_memory; }

int body_pieces(const struct body *b, uint64_t offset, struct iovec *ret, int max)
{
    ret[0] = (struct iovec){ .iov_base = (char *)(uintptr_t)b->content.p + offset, .iov_len = b->in_memory - offset };
    return 1;
}

void stream_write_body(struct stream *s, struct body *body, uint64_t offset, uint64_t n)
{
    stream_write(s, slice_head(slice_skip(body->content, offset), n));
}

static struct {
    store_read_done *done;
    void *arg;
    struct slice bytes;
} reading;

void store_read(struct store *s, struct body *body, uint64_t offset, size_t n, store_read_done *done, void *arg)
{
    assert_null(reading.done);
    reading.done = done;
    reading.arg = arg;
    reading.bytes = slice_head(slice_skip(body->content, offset), n);
}

static void store_answers(int rc)
{
    store_read_done *done = reading.done;

    assert_non_null(done);
    reading.done = NULL;
    done(reading.arg, rc, rc < 0 ? SLICE_NONE : reading.bytes);
}

/* ---------------------------------------------------------------- the owner */
static struct {
    int ready, room, results, ended;
    bool in_call;
    struct transaction_result result;
    struct rcpt_result rcpt;
    struct connection_failure failure;
    struct envelope *next; /* to be sent when there is room */
    bool abort_on_result;
    char protocol[4000];
} owner;

static struct connection *conn;
static struct envelope_rcpt rcpts[] = { { .address = { "b@two.test", 10 } } };
static const int first_rcpt[] = { 0 };

struct envelope *envelope_ref(struct envelope *e) { e->refs++; return e; }
void envelope_unref(struct envelope *e) { e->refs--; }

static void send_next(struct envelope *e)
{
    assert_true(connection_can_send(conn));
    connection_send(conn, e, first_rcpt, 1);
}

static void on_ready(void *arg)
{
    assert_false(owner.in_call);
    owner.ready++;
}

static void on_may_send(void *arg)
{
    assert_false(owner.in_call);
    owner.room++;
    if (owner.next)
        send_next(owner.next);
    owner.next = NULL;
}

static void on_result(void *arg, const struct transaction_result *r)
{
    assert_false(owner.in_call);
    owner.results++;
    owner.result = *r;
    owner.rcpt = r->rcpts[0];
    if (owner.abort_on_result)
        connection_abort(conn);
}

static void on_ended(void *arg, const struct connection_failure *f)
{
    struct slice lines = connection_protocol(conn);

    assert_false(owner.in_call);
    owner.ended++;
    owner.failure = *f;
    snprintf(owner.protocol, sizeof owner.protocol, "%.*s", SLICE_ARG(lines));
}

static const struct connection_events events = { .on_ready = on_ready, .on_may_send = on_may_send, .on_result = on_result,
                                                 .on_ended = on_ended };
static struct timers timers;
static struct now now;
static struct connection_context context = { .timers = &timers, .now = &now };
static struct profile profile;
static struct body body;

static void open_connection(bool is_probe)
{
    struct connection_target t = { .mx = "mx.two.test", .is_probe = is_probe, .profile = &profile };

    memset(&owner, 0, sizeof owner);
    body = (struct body){ .content = SLICE("Subject: x\r\n\r\nhello\r\n"), .in_memory = 21 };
    assert_int_equal(connection_open(&context, &t, &events, NULL, &conn), 0);
}

static void greet(const char *offer)
{
    paper.events->on_connect(paper.arg);
    host_says("220 mx\r\n");
    expect_written("EHLO me.test\r\n", 1);
    host_says(offer);
}

static struct envelope envelope(void)
{
    return (struct envelope){ .reverse_path = SLICE("a@one.test"), .rcpts = rcpts, .rcpt_count = 1, .body = &body, .size = 21 };
}

static void send_outside(struct envelope *e)
{
    owner.in_call = true;
    send_next(e);
    owner.in_call = false;
}

/* The stream has ended as the driver asked. */
static void stream_is_gone(void)
{
    assert_true(paper.closed);
    paper.events->on_end(paper.arg, STREAM_CLOSED_BY_US, NULL);
    buf_free(&paper.out);
}

static void pass(int64_t ms)
{
    now.mono_ms += ms;
    timers_run(&timers, now.mono_ms);
}

static int setup(void **state)
{
    profile = (struct profile){ .ehlo = "me.test" };
    now.mono_ms = 1000;
    timers_init(&timers);
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(timers_next_ms(&timers), NEVER_MS);
    assert_int_equal(body.refs, 0);
    timers_free(&timers);
    return 0;
}

/* ---------------------------------------------------------------- what holds */
#define TRANSACTION "MAIL FROM:<a@one.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\n"
#define CONTENT "Subject: x\r\n\r\nhello\r\n.\r\n"

static void a_message_takes_two_flushes_and_the_next_rides_with_its_dot(void **state)
{
    struct envelope one = envelope(), two = envelope();

    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    assert_int_equal(owner.ready, 1);
    send_outside(&one);
    expect_written(TRANSACTION, 1);
    owner.next = &two;
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_int_equal(owner.room, 1);
    expect_written(CONTENT TRANSACTION, 1);
    host_says("250 queued\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    assert_int_equal(owner.results, 1);
    assert_int_equal(owner.rcpt.reply.code, 250);
    assert_int_equal(one.refs, 0);
    assert_int_equal(two.refs, 1);
    expect_written(CONTENT, 1);
    host_says("250 queued\r\n");
    assert_int_equal(owner.results, 2);
    assert_int_equal(two.refs, 0);
    assert_int_equal(connection_transactions(conn), 2);
    connection_quit(conn);
    expect_written("QUIT\r\n", 1);
    host_says("221 bye\r\n");
    assert_int_equal(owner.ended, 1);
    assert_int_equal(owner.failure.end, CONNECTION_QUIT);
    stream_is_gone();
}

static void nothing_rides_with_the_first_of_a_probe(void **state)
{
    struct envelope one = envelope(), two = envelope();

    open_connection(true);
    greet("250-mx\r\n250 PIPELINING\r\n");
    send_outside(&one);
    expect_written(TRANSACTION, 1);
    owner.next = &two;
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_int_equal(owner.room, 0);
    assert_false(connection_can_send(conn));
    expect_written(CONTENT, 1);
    host_says("250 queued\r\n");
    assert_true(connection_can_send(conn));
    connection_abort(conn);
    assert_true(paper.aborted);
    buf_free(&paper.out);
}

static void what_does_not_fit_is_told_outside_the_owners_call(void **state)
{
    struct envelope big = envelope();

    big.size = 2000;
    open_connection(false);
    greet("250-mx\r\n250 SIZE 1000\r\n");
    send_outside(&big);
    assert_int_equal(owner.results, 0);
    pass(0);
    assert_int_equal(owner.results, 1);
    assert_true(owner.result.cannot);
    assert_string_equal(owner.rcpt.reply.enhanced, "5.3.4");
    assert_int_equal(big.refs, 0);
    assert_int_equal(connection_remote_size(conn), 1000);
    connection_abort(conn);
    buf_free(&paper.out);
}

static void content_on_disk_is_read_piece_by_piece_at_the_peers_pace(void **state)
{
    enum { BIG = 700 << 10 };
    struct envelope one = envelope();
    char *big = malloc(BIG);

    memset(big, 'x', BIG);
    memcpy(big + BIG - 2, "\r\n", 2);
    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    body = (struct body){ .content = slice_make(big, BIG) };
    send_outside(&one);
    expect_written(TRANSACTION, 1);
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    paper.slow = true;
    store_answers(0);
    store_answers(0); /* 512 KiB now, all of it queued */
    assert_null(reading.done);
    paper.slow = false;
    stream_flush(&paper);
    paper.events->on_drain(paper.arg);
    store_answers(0);
    assert_int_equal(buf_len(&paper.out), BIG + 3);
    assert_memory_equal(buf_slice(&paper.out).p + BIG - 2, "\r\n.\r\n", 5);
    assert_int_equal(owner.room, 1);
    connection_abort(conn);
    assert_int_equal(one.refs, 0);
    buf_free(&paper.out);
    free(big);
}

static void content_that_cannot_be_read_defers_and_ends_the_connection(void **state)
{
    struct envelope one = envelope();

    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    body.in_memory = 0;
    send_outside(&one);
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    store_answers(FL_ECORRUPT);
    assert_int_equal(owner.results, 1);
    assert_true(owner.rcpt.judged);
    assert_string_equal(owner.rcpt.reply.enhanced, "4.3.0");
    assert_int_equal(owner.failure.end, CONNECTION_NO_RESOURCES);
    stream_is_gone();
}

static void a_stream_that_ends_in_the_middle_of_a_read_leaves_nothing_behind(void **state)
{
    struct envelope one = envelope();

    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    body.in_memory = 0;
    send_outside(&one);
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    paper.events->on_end(paper.arg, STREAM_RESET, "Connection reset by peer");
    assert_int_equal(owner.results, 1);
    assert_false(owner.rcpt.judged);
    assert_int_equal(owner.ended, 1);
    assert_int_equal(owner.failure.stage, STAGE_DATA);
    store_answers(0);
    assert_int_equal(one.refs, 0);
    buf_free(&paper.out);
}

static void an_abort_inside_a_callback_is_the_last_that_is_heard(void **state)
{
    struct envelope one = envelope();

    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    send_outside(&one);
    host_says("250 ok\r\n250 ok\r\n354 go\r\n");
    owner.abort_on_result = true;
    host_says("250 queued\r\n250 and more\r\n");
    assert_int_equal(owner.results, 1);
    assert_int_equal(owner.ended, 0);
    assert_true(paper.aborted);
    assert_int_equal(one.refs, 0);
    buf_free(&paper.out);
}

static void a_host_that_is_silent_is_given_up(void **state)
{
    struct envelope one = envelope();

    open_connection(false);
    greet("250-mx\r\n250 PIPELINING\r\n");
    pass(HOUR_MS); /* idle: that is the owner's to judge */
    assert_int_equal(owner.ended, 0);
    send_outside(&one);
    pass(5 * MINUTE_MS - 1);
    assert_int_equal(owner.ended, 0);
    pass(1);
    assert_int_equal(owner.results, 1);
    assert_int_equal(owner.ended, 1);
    assert_int_equal(owner.failure.end, CONNECTION_LOST);
    stream_is_gone();
}

static void a_refused_connection_is_told_with_its_stage(void **state)
{
    open_connection(false);
    paper.events->on_end(paper.arg, STREAM_REFUSED, NULL);
    assert_int_equal(owner.ended, 1);
    assert_int_equal(owner.failure.end, CONNECTION_FAILED);
    assert_int_equal(owner.failure.stage, STAGE_CONNECT);
    assert_string_equal(owner.failure.reply.text, "connection refused");
    buf_free(&paper.out);
}

static void our_own_lack_is_told_as_ours(void **state)
{
    open_connection(false);
    paper.events->on_end(paper.arg, STREAM_NO_RESOURCES, "too many open files");
    assert_int_equal(owner.failure.end, CONNECTION_NO_RESOURCES);
    buf_free(&paper.out);
}

static void tls_goes_by_the_profile_and_what_came_with_the_220_is_dropped(void **state)
{
    struct stream_tls_info info = { .version = "TLSv1.3", .cipher = "X", .verified = true };

    profile.tls = TLS_VERIFY;
    open_connection(false);
    greet("250-mx\r\n250 STARTTLS\r\n");
    expect_written("STARTTLS\r\n", 1);
    host_says("220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n");
    assert_true(paper.shaking && paper.must_verify);
    assert_null(connection_tls(conn));
    paper.events->on_tls(paper.arg, &info);
    expect_written("EHLO me.test\r\n", 1);
    host_says("250 mx\r\n");
    assert_int_equal(owner.ready, 1);
    assert_string_equal(connection_tls(conn)->version, "TLSv1.3");
    connection_abort(conn);
    buf_free(&paper.out);
}

static void a_failed_handshake_is_told_from_a_reset(void **state)
{
    profile.tls = TLS_OPPORTUNISTIC;
    profile.implicit_tls = true;
    for (int alert = 0; alert < 2; alert++) {
        open_connection(false);
        paper.events->on_connect(paper.arg);
        assert_true(paper.shaking);
        paper.events->on_end(paper.arg, alert ? STREAM_TLS_FAILED : STREAM_RESET, "x");
        assert_int_equal(owner.failure.stage, STAGE_TLS);
        assert_int_equal(owner.failure.tls_handshake, alert);
        buf_free(&paper.out);
    }
}

static void the_protocol_can_be_shown_without_credentials(void **state)
{
    profile.user = "u";
    profile.password = "secret";
    profile.allow_plaintext_login = true;
    open_connection(false);
    greet("250-mx\r\n250 AUTH PLAIN\r\n");
    host_says("535 5.7.8 no\r\n");
    assert_int_equal(owner.failure.stage, STAGE_AUTH);
    assert_string_equal(owner.protocol, "S: 220 mx\nC: EHLO me.test\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\n"
                                        "S: 535 5.7.8 no");
    stream_is_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_takes_two_flushes_and_the_next_rides_with_its_dot, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_rides_with_the_first_of_a_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_told_outside_the_owners_call, setup, teardown),
        cmocka_unit_test_setup_teardown(content_on_disk_is_read_piece_by_piece_at_the_peers_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(content_that_cannot_be_read_defers_and_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_ends_in_the_middle_of_a_read_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abort_inside_a_callback_is_the_last_that_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_that_is_silent_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_connection_is_told_with_its_stage, setup, teardown),
        cmocka_unit_test_setup_teardown(our_own_lack_is_told_as_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(tls_goes_by_the_profile_and_what_came_with_the_220_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_handshake_is_told_from_a_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(the_protocol_can_be_shown_without_credentials, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
