/* daemon/session.c, session_body.c, session_peer.c: on a stream, an ingest and a spool that do as they are told. What the
 * protocol does is proved by the transcripts; here it is lives that end early, and clients that must wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "crypto.h"
#include "load.h"
#include "session.h"

/* ---------------------------------------------------------------- doubles */
struct stream {
    const struct stream_events *events;
    void *arg;
    struct buf out;
    int64_t queued;
    bool paused, closing, aborted, shaking;
};

struct store_spool {
    int64_t waiting;
    struct buf bytes;
    void (*written)(void *arg);
    void *written_arg;
    store_done *done;
    void *done_arg;
    bool aborted;
};

struct relay {
    struct conf *conf;
    uint64_t generation;
    bool draining;
};

struct ingest {
    bool must_wait;
    int64_t spool_after;
    ingest_done *done; /* a message waits for its COMMIT */
    void *arg;
    struct body *body;
    int forgotten, rejected;
    const struct conf_tenant *tenant;
    bool tls;
};

struct crypto {
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static struct relay relay;
static struct ingest ingest;
static struct store_spool spool;
static struct crypto pool;

void stream_adopt(struct stream *s, const struct stream_events *events, void *arg)
{
    s->events = events;
    s->arg = arg;
}

void stream_write(struct stream *s, struct slice bytes) { buf_add(&s->out, bytes); }
void stream_flush(struct stream *s) {}
int64_t stream_queued(const struct stream *s) { return s->queued; }
void stream_pause(struct stream *s) { s->paused = true; }
void stream_resume(struct stream *s) { s->paused = false; }
void stream_close(struct stream *s, int64_t grace_ms) { s->closing = true; }
void stream_abort(struct stream *s) { s->aborted = true; }
void stream_start_tls_server(struct stream *s, struct tls_server *tls) { s->shaking = true; }
struct inet_endpoint stream_peer(const struct stream *s)
{
    struct inet_endpoint e = { .port = 40000 };

    inet_addr_parse(SLICE("127.0.0.1"), &e.addr);
    return e;
}

struct ingest *relay_ingest(struct relay *r) { return &ingest; }
struct conf *relay_conf(struct relay *r) { return r->conf; }
uint64_t relay_generation(const struct relay *r) { return r->generation; }
bool relay_is_draining(const struct relay *r) { return r->draining; }

bool ingest_check_mail(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice domain,
                       int64_t declared_size, struct ingest_reply *ret)
{
    in->tenant = o->tenant;
    in->tls = o->tls_version != NULL;
    return true;
}

bool ingest_check_rcpt(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, const struct ingest_rcpt *rcpt,
                       struct ingest_reply *ret)
{
    return true;
}

void ingest_message(struct ingest *in, const struct ingest_message *m, ingest_done *done, void *arg)
{
    in->done = done;
    in->arg = arg;
    in->body = m->body;
}

void ingest_forget(struct ingest *in, void *arg) { in->forgotten++; }
void ingest_rejected(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice rcpt,
                     const char *reason, const struct ingest_reply *reply)
{
    in->rejected++;
}

bool ingest_must_wait(const struct ingest *in) { return in->must_wait; }
int64_t ingest_spool_after(const struct ingest *in) { return in->spool_after; }

int store_spool_open(struct store *s, struct store_spool **ret)
{
    *ret = &spool;
    return 0;
}

int store_spool_add(struct store_spool *sp, struct slice bytes) { return buf_add(&sp->bytes, bytes); }
int64_t store_spool_waiting(const struct store_spool *sp) { return sp->waiting; }
void store_spool_on_written(struct store_spool *sp, void (*written)(void *arg), void *arg)
{
    sp->written = written;
    sp->written_arg = arg;
}

void store_spool_finish(struct store_spool *sp, struct body *body, store_done *done, void *arg)
{
    sp->done = done;
    sp->done_arg = arg;
}

void store_spool_abort(struct store_spool *sp) { sp->aborted = true; }

int crypto_run(struct crypto *c, enum crypto_class class, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    *c = (struct crypto){ work, done, arg };
    return 0;
}

/* ---------------------------------------------------------------- the world */
struct world {
    struct session_context cx;
    struct timers timers;
    struct now now;
    struct body_budget budget;
    struct stream stream;
    struct conf *conf;
    int closed;
};

static const char yaml[] =
    "server: {hostname: mx.test, data_dir: /tmp, user: '', postmaster: p@mx.test}\n"
    "listeners: [{address: '127.0.0.1:2525', role: relay, tls: none}]\n"
    "sources:\n"
    "  - {network: any, require_auth: true, require_starttls_before_auth: false, auth_failure_delay: 1s, command_timeout: 5m}\n"
    "  - {network: 127.0.0.1/32, always_allow_relaying: true, tenant: acme}\n"
    "vmtas: {v: {source_addresses: [127.0.0.11], hostname: v.test}}\n"
    "tenants:\n"
    "  acme:\n"
    "    sender_domains: ['*']\n"
    "    vmtas: [v]\n"
    "    route: v\n"
    "    users: {foo: {method: password, password: {plain: barbaz}}}\n"
    "admin: {socket: /tmp/fairlead-test.sock}\n";

static struct conf *load(void)
{
    char path[] = "/tmp/fairlead-session-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    struct conf_findings findings;
    struct conf *c = NULL;

    fputs(yaml, f);
    fclose(f);
    conf_load(path, &c, &findings);
    for (int i = 0; !c && i < findings.count; i++)
        print_error("%d: %s\n", findings.items[i].at.line, findings.items[i].text);
    conf_findings_free(&findings);
    unlink(path);
    return c;
}

static void closed(void *arg, void *token)
{
    struct world *w = arg;

    assert_ptr_equal(token, w);
    w->closed++;
}

static void start(struct world *w, enum listener_role role, enum listener_tls tls)
{
    struct conf_listener l = { .role = role, .tls = tls };

    session_start(&w->cx, &w->stream, &l, SAYS, w);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    relay = (struct relay){ .conf = load(), .generation = 1 };
    ingest = (struct ingest){ .spool_after = 1 << 20 };
    spool = (struct store_spool){ 0 };
    pool = (struct crypto){ 0 };
    assert_non_null(relay.conf);
    w->conf = relay.conf;
    w->now.mono_ms = 1000;
    timers_init(&w->timers);
    w->cx = (struct session_context){
        .relay = &relay, .budget = &w->budget, .auth_guard = auth_guard_new(), .timers = &w->timers, .now = &w->now,
        .tls = (struct tls_server *)&w->cx, /* never looked into */
        .closed = closed, .arg = w,
    };
    assert_int_equal(auth_new(&pool, NULL, NULL, &w->cx.auth, NULL), 0);
    session_context_init(&w->cx);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    assert_int_equal(session_count(&w->cx), 0);
    assert_int_equal(w->closed, 1);
    body_unref(ingest.body);
    buf_free(&w->stream.out);
    buf_free(&spool.bytes);
    auth_free(w->cx.auth);
    auth_guard_free(w->cx.auth_guard);
    timers_free(&w->timers);
    conf_unref(w->conf);
    assert_int_equal(w->budget.used, 0);
    free(w);
    return 0;
}

static void says(struct world *w, const char *text)
{
    char *bytes = strdup(text); /* the session may overwrite them */

    w->stream.events->on_read(w->stream.arg, slice_of(bytes));
    free(bytes);
}

/* The last line that was said to the client; what came before is dropped. */
static void hears(struct world *w, const char *beginning)
{
    struct slice all = buf_slice(&w->stream.out), last = SLICE_NONE;

    while (all.n)
        last = slice_cut(&all, '\n');
    if (!slice_starts_nocase(last, slice_of(beginning)))
        print_error("'%.*s', not '%s'\n", SLICE_ARG(last), beginning);
    assert_true(slice_starts_nocase(last, slice_of(beginning)));
    buf_clear(&w->stream.out);
}

static void hears_nothing(struct world *w) { assert_int_equal(buf_len(&w->stream.out), 0); }
static void leaves(struct world *w, enum stream_end why) { w->stream.events->on_end(w->stream.arg, why, ""); }

static void passes(struct world *w, int64_t ms)
{
    w->now.mono_ms += ms;
    timers_run(&w->timers, w->now.mono_ms);
}

static void begins_content(struct world *w)
{
    start(w, ROLE_RELAY, LISTENER_TLS_NONE);
    hears(w, "220 mx.test");
    says(w, "EHLO client.test\r\nMAIL FROM:<a@one.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\n");
    hears(w, "354");
}

static void commits(struct world *w)
{
    struct ingest_reply reply = { 250, "2.0.0", "Ok: queued as ID" };
    ingest_done *done = ingest.done;

    assert_non_null(done);
    ingest.done = NULL;
    done(ingest.arg, &reply);
}

/* ---------------------------------------------------------------- a message */
static void a_message_is_answered_after_its_commit(void **state)
{
    struct world *w = *state;

    begins_content(w);
    says(w, "Subject: x\r\n\r\nhello\r\n.\r\n");
    hears_nothing(w);
    assert_string_equal(ingest.tenant->name, "acme");
    assert_int_equal(body_length(ingest.body), 21);
    commits(w);
    hears(w, "250 2.0.0 Ok: queued as ID");
    says(w, "QUIT\r\n");
    hears(w, "221");
    assert_true(w->stream.closing);
    leaves(w, STREAM_CLOSED_BY_US);
}

static void a_client_that_leaves_before_the_commit_is_forgotten(void **state)
{
    struct world *w = *state;

    begins_content(w);
    says(w, "x\r\n.\r\n");
    leaves(w, STREAM_EOF);
    assert_int_equal(ingest.forgotten, 1);
}

static void content_that_is_cut_off_is_no_message(void **state)
{
    struct world *w = *state;

    begins_content(w);
    says(w, "Subject: x\r\n\r\nhalf\r\n");
    leaves(w, STREAM_TLS_CLOSED);
    assert_null(ingest.done);
    assert_int_equal(ingest.forgotten, 0);
}

/* ---------------------------------------------------------------- the spool */
static void large_content_goes_to_the_spool_as_it_comes(void **state)
{
    struct world *w = *state;

    ingest.spool_after = 16;
    begins_content(w);
    says(w, "Subject: x\r\n");
    says(w, "X-Long: 0123456789\r\n\r\n"); /* the header stays in memory, whatever its size */
    says(w, "hello\r\n");
    assert_true(slice_eq(buf_slice(&spool.bytes), SLICE("hello\r\n")));
    says(w, ".\r\n");
    assert_null(ingest.done);
    spool.done(spool.done_arg, 0);
    commits(w);
    hears(w, "250 2.0.0");
    leaves(w, STREAM_EOF);
    assert_false(spool.aborted);
}

static void a_spool_that_fails_is_told_as_what_it_is(void **state)
{
    struct world *w = *state;

    ingest.spool_after = 1;
    begins_content(w);
    says(w, "a: b\r\n\r\n");
    says(w, "hello\r\n.\r\n");
    spool.done(spool.done_arg, FL_EFULL);
    hears(w, "452 4.3.1");
    assert_null(ingest.done);
    says(w, "NOOP\r\n");
    hears(w, "250");
    leaves(w, STREAM_EOF);
}

static void a_client_that_leaves_while_its_spool_is_closed_is_outlived(void **state)
{
    struct world *w = *state;

    ingest.spool_after = 1;
    begins_content(w);
    says(w, "a: b\r\n\r\n");
    says(w, "hello\r\n.\r\n");
    leaves(w, STREAM_RESET);
    assert_int_equal(w->closed, 1);
    spool.done(spool.done_arg, 0);
    assert_null(ingest.done);
}

static void a_client_that_leaves_in_the_middle_leaves_no_spool(void **state)
{
    struct world *w = *state;

    ingest.spool_after = 1;
    begins_content(w);
    says(w, "a: b\r\n\r\n");
    says(w, "hello\r\n");
    leaves(w, STREAM_EOF);
    assert_true(spool.aborted);
}

/* ---------------------------------------------------------------- waiting */
static void a_slow_spool_stops_reading_until_it_has_caught_up(void **state)
{
    struct world *w = *state;

    ingest.spool_after = 1;
    begins_content(w);
    says(w, "a: b\r\n\r\n");
    spool.waiting = 2 << 20;
    says(w, "hello\r\n");
    assert_true(w->stream.paused);
    spool.waiting = 0;
    spool.written(spool.written_arg);
    assert_false(w->stream.paused);
    leaves(w, STREAM_EOF);
}

static void short_memory_stops_reading_content_and_is_asked_again(void **state)
{
    struct world *w = *state;

    begins_content(w);
    ingest.must_wait = true;
    says(w, "hello\r\n");
    assert_true(w->stream.paused);
    passes(w, 20);
    assert_true(w->stream.paused);
    ingest.must_wait = false;
    passes(w, 20);
    assert_false(w->stream.paused);
    leaves(w, STREAM_EOF);
}

static void a_client_that_does_not_read_is_not_read(void **state)
{
    struct world *w = *state;

    start(w, ROLE_RELAY, LISTENER_TLS_NONE);
    w->stream.queued = STREAM_HIGH_WATER + 1;
    says(w, "NOOP\r\n");
    assert_true(w->stream.paused);
    w->stream.queued = 0;
    w->stream.events->on_drain(w->stream.arg);
    assert_false(w->stream.paused);
    leaves(w, STREAM_EOF);
}

static void much_input_behind_an_open_question_stops_reading(void **state)
{
    struct world *w = *state;

    begins_content(w);
    says(w, "x\r\n.\r\n");
    for (int i = 0; i < 10000; i++)
        says(w, "NOOP 123\r\n");
    assert_true(w->stream.paused);
    commits(w);
    assert_false(w->stream.paused);
    leaves(w, STREAM_EOF);
}

static void a_silent_client_is_sent_away_in_time(void **state)
{
    struct world *w = *state;

    start(w, ROLE_RELAY, LISTENER_TLS_NONE);
    passes(w, 200000);
    says(w, "NOOP\r\n");
    hears(w, "250");
    passes(w, 100000); /* the timer that was set first */
    hears_nothing(w);
    passes(w, 200000);
    hears(w, "421 4.4.2");
    assert_true(w->stream.closing);
    leaves(w, STREAM_CLOSED_BY_US);
}

/* ---------------------------------------------------------------- who may */
static void a_log_in_opens_the_way_and_names_the_tenant(void **state)
{
    struct world *w = *state;

    relay.conf = w->conf;
    start(w, ROLE_SUBMISSION, LISTENER_TLS_NONE);
    says(w, "EHLO client.test\r\nAUTH PLAIN AGZvbwBiYXJiYXo=\r\n");
    hears(w, "235");
    says(w, "MAIL FROM:<a@one.test>\r\n");
    hears(w, "250 2.1.0");
    leaves(w, STREAM_EOF);
}

static void a_wrong_log_in_waits_for_the_pool_and_for_its_time(void **state)
{
    struct world *w = *state;

    start(w, ROLE_SUBMISSION, LISTENER_TLS_NONE);
    says(w, "EHLO client.test\r\n");
    buf_clear(&w->stream.out);
    says(w, "AUTH PLAIN AGZvbwB3cm9uZw==\r\n");
    hears_nothing(w);
    pool.work(pool.arg);
    pool.done(pool.arg);
    hears_nothing(w);
    passes(w, 1000);
    hears(w, "535 5.7.8");
    assert_int_equal(ingest.rejected, 1);
    leaves(w, STREAM_EOF);
}

static void a_client_that_leaves_during_its_log_in_is_outlived(void **state)
{
    struct world *w = *state;

    start(w, ROLE_SUBMISSION, LISTENER_TLS_NONE);
    says(w, "EHLO client.test\r\nAUTH PLAIN AGZvbwB3cm9uZw==\r\n");
    leaves(w, STREAM_EOF);
    pool.work(pool.arg);
    pool.done(pool.arg);
}

static void a_reload_that_takes_trust_away_is_met_at_the_next_mail(void **state)
{
    struct world *w = *state;
    struct conf_source *s;

    start(w, ROLE_RELAY, LISTENER_TLS_NONE);
    says(w, "EHLO client.test\r\n");
    s = (struct conf_source *)conf_source(w->conf, &(struct inet_addr){ .family = 4, .b = { 127, 0, 0, 1 } });
    s->always_allow_relaying = false;
    relay.generation++;
    says(w, "MAIL FROM:<a@one.test>\r\n");
    hears(w, "421 4.3.2");
    assert_true(w->stream.closing);
    leaves(w, STREAM_CLOSED_BY_US);
}

static void a_draining_server_greets_nobody(void **state)
{
    struct world *w = *state;

    relay.draining = true;
    start(w, ROLE_RELAY, LISTENER_TLS_NONE);
    hears(w, "421 4.3.2");
    assert_true(w->stream.closing);
    leaves(w, STREAM_CLOSED_BY_US);
}

/* ---------------------------------------------------------------- TLS, shutdown */
static void implicit_tls_greets_after_the_handshake(void **state)
{
    static const struct stream_tls_info info = { .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384" };
    struct world *w = *state;

    start(w, ROLE_RELAY, LISTENER_TLS_IMPLICIT);
    assert_true(w->stream.shaking);
    hears_nothing(w);
    w->stream.events->on_tls(w->stream.arg, &info);
    hears(w, "220");
    says(w, "EHLO client.test\r\nMAIL FROM:<a@one.test>\r\n");
    hears(w, "250 2.1.0");
    assert_true(ingest.tls);
    leaves(w, STREAM_TLS_CLOSED);
}

static void at_shutdown_idle_clients_hear_421_and_others_their_answer_first(void **state)
{
    struct world *w = *state;

    begins_content(w);
    session_context_shutdown(&w->cx);
    hears_nothing(w);
    says(w, "x\r\n.\r\n");
    commits(w);
    assert_true(slice_starts_nocase(buf_slice(&w->stream.out), SLICE("250 2.0.0")));
    hears(w, "421 4.3.2");
    assert_true(w->stream.closing);
    leaves(w, STREAM_CLOSED_BY_US);
}

static void an_abort_leaves_nothing(void **state)
{
    struct world *w = *state;

    begins_content(w);
    says(w, "x\r\n.\r\n");
    session_context_abort(&w->cx);
    assert_true(w->stream.aborted);
    assert_int_equal(ingest.forgotten, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_answered_after_its_commit),
        TEST(a_client_that_leaves_before_the_commit_is_forgotten),
        TEST(content_that_is_cut_off_is_no_message),
        TEST(large_content_goes_to_the_spool_as_it_comes),
        TEST(a_spool_that_fails_is_told_as_what_it_is),
        TEST(a_client_that_leaves_while_its_spool_is_closed_is_outlived),
        TEST(a_client_that_leaves_in_the_middle_leaves_no_spool),
        TEST(a_slow_spool_stops_reading_until_it_has_caught_up),
        TEST(short_memory_stops_reading_content_and_is_asked_again),
        TEST(a_client_that_does_not_read_is_not_read),
        TEST(much_input_behind_an_open_question_stops_reading),
        TEST(a_silent_client_is_sent_away_in_time),
        TEST(a_log_in_opens_the_way_and_names_the_tenant),
        TEST(a_wrong_log_in_waits_for_the_pool_and_for_its_time),
        TEST(a_client_that_leaves_during_its_log_in_is_outlived),
        TEST(a_reload_that_takes_trust_away_is_met_at_the_next_mail),
        TEST(a_draining_server_greets_nobody),
        TEST(implicit_tls_greets_after_the_handshake),
        TEST(at_shutdown_idle_clients_hear_421_and_others_their_answer_first),
        TEST(an_abort_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
