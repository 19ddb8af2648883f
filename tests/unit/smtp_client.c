/* Plays tests/unit/transcripts-client/ against the SMTP client: each conversation whole, line by line, byte by byte, and cut
 * in two at every byte; the outcome must be the same each time.
 *
 *   # comment                 = KEY VALUE   a setting, see settings[]
 *   S: text                   the host says this line           S*N: text   … N times       S| text   … without a line end
 *   C: text                   the client must have said it      C| text     … without a line end (its content)
 *   !: what                   the driver does it, see deeds[]   ?: what     the client must have reported it
 *
 * Escapes: \r \n \\ \xNN. A * at the end of C: and ?: stands for anything. What a line does not name must not happen: at the
 * end no output and no report may be left. Content is written when the client asks for it; with `= slow body` only by `!:
 * body`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "buf.h"
#include "clock.h"
#include "content_scan.h"
#include "outcome.h"
#include "smtp_client.h"
#include "units.h"

enum { RCPTS = 16, EVENTS = 64, EVENT_TEXT = 1200, LINE = 4096, SENT_MAX = 4 };

/* ---------------------------------------------------------------- the content, as smtp_client sees it */
struct body {
    struct slice content;
    bool raw;
};

bool body_is_raw(const struct body *b) { return b->raw; }
uint64_t body_length(const struct body *b) { return b->content.n; }

/* ---------------------------------------------------------------- one play of one conversation */
struct message {
    struct envelope env;
    struct body body;
    struct envelope_rcpt rcpts[RCPTS];
};

enum cut { CUT_NONE, CUT_LINES, CUT_BYTES, CUT_AT };

struct play {
    const char *file;
    int line;
    enum cut cut;
    size_t cut_at;          /* CUT_AT: in octets of all that the host says */
    size_t fed;

    struct profile profile;
    bool skip_tls, uncut, slow_body, rides;
    struct message template;
    char text[32][LINE];    /* settings live here */
    int texts;

    struct smtp_client *client;
    int64_t now_ms;
    struct message sent[SENT_MAX];
    int sent_n;
    struct envelope *body_of; /* asked for, not yet written */
    bool unstuffed;           /* … without its doubled dots */
    struct buf in, out;
    char events[EVENTS][EVENT_TEXT];
    int event_first, event_end;
};

static void complain(const struct play *p, const char *what, struct slice got)
{
    got = slice_head(got, 300);
    fail_msg("%s:%d (cut %d at %zu): %s; got \"%.*s\"", p->file, p->line, p->cut, p->cut_at, what, SLICE_ARG(got));
}

static const char *stage_name(enum reply_stage s)
{
    static const char *const names[STAGES] = { "none",     "dns",  "connect", "tls",  "banner", "ehlo",
                                               "starttls", "auth", "mail",    "rcpt", "data",   "dot" };

    return names[s];
}

static void __attribute__((format(printf, 2, 3))) report(struct play *p, const char *format, ...)
{
    va_list ap;

    assert_true(p->event_end < EVENTS);
    va_start(ap, format);
    vsnprintf(p->events[p->event_end++], EVENT_TEXT, format, ap);
    va_end(ap);
}

static void report_result(struct play *p, const struct envelope *env, const struct transaction_result *r)
{
    const struct message *m = (const struct message *)env;

    for (int i = 0; i < r->rcpt_count; i++) {
        const struct rcpt_result *rcpt = &r->rcpts[i];
        struct outcome o = outcome_of_rcpt(r, rcpt, false);
        char text[REPLY_SHOWN];

        reply_text(r->mail_refused ? &r->reply : &rcpt->reply, text);
        report(p, "%.*s %s %s%s %s", SLICE_ARG(m->rcpts[i].address), outcome_verdict_name(o.verdict),
               stage_name(r->mail_refused ? STAGE_MAIL : rcpt->stage), rcpt->surplus ? " surplus" : "", text);
    }
}

static void report_end(struct play *p, const struct connection_failure *f)
{
    static const char *const names[] = { [CONNECTION_QUIT] = "quit", [CONNECTION_FAILED] = "failed", [CONNECTION_LOST] = "lost",
                                         [CONNECTION_NO_RESOURCES] = "no resources" };
    char text[REPLY_SHOWN];

    reply_text(&f->reply, text);
    if (f->end == CONNECTION_QUIT)
        report(p, "quit");
    else
        report(p, "%s %s%s%s %s", names[f->end], stage_name(f->stage), f->tls_handshake ? " handshake" : "",
               f->was_busy ? " busy" : "", text);
}

static void write_body(struct play *p)
{
    struct slice content = p->body_of->body->content, rest = content, piece;
    struct wire_unstuff unstuff;

    p->body_of = NULL;
    wire_unstuff_init(&unstuff);
    if (!p->unstuffed)
        assert_int_equal(buf_add(&p->out, content), 0);
    while (p->unstuffed && wire_unstuff_next(&unstuff, &rest, &piece))
        assert_int_equal(buf_add(&p->out, piece), 0);
    smtp_client_body_sent(p->client, p->now_ms, content.n == 0 || slice_ends_nocase(content, SLICE("\r\n")));
}

static void scan(struct play *p, const struct envelope *env, bool measures)
{
    struct content_scan s = { .measures = measures };

    content_scan_add(&s, env->body->content);
    smtp_client_scanned(p->client, p->now_ms, &s);
}

static void pull(struct play *p)
{
    struct smtp_client_action a;

    for (;;) {
        enum smtp_client_action_type peeked = smtp_client_peek(p->client), type = smtp_client_next(p->client, &a);

        assert_int_equal(peeked, type);
        switch (type) {
        case SMTP_CLIENT_WAIT:
            return;
        case SMTP_CLIENT_SEND:
            assert_int_equal(buf_add(&p->out, a.bytes), 0);
            break;
        case SMTP_CLIENT_START_TLS:
            report(p, "start tls");
            break;
        case SMTP_CLIENT_READY:
            report(p, "ready");
            break;
        case SMTP_CLIENT_SCAN:
            scan(p, a.env, a.measures);
            break;
        case SMTP_CLIENT_BODY:
            p->body_of = a.env;
            p->unstuffed = a.unstuffed;
            if (!p->slow_body)
                write_body(p);
            break;
        case SMTP_CLIENT_ROOM:
            if (p->rides)
                report(p, "room");
            break;
        case SMTP_CLIENT_RESULT:
            report_result(p, a.env, a.result);
            break;
        case SMTP_CLIENT_CLOSE:
            report_end(p, a.failure);
            break;
        }
    }
}

/* How much of what waits is fed in one piece. */
static size_t piece(const struct play *p, struct slice in)
{
    switch (p->uncut ? CUT_NONE : p->cut) {
    case CUT_LINES: {
        size_t end = slice_find(in, '\n');

        return end < in.n ? end + 1 : in.n;
    }
    case CUT_BYTES:
        return 1;
    case CUT_AT:
        return p->fed < p->cut_at && p->fed + in.n > p->cut_at ? p->cut_at - p->fed : in.n;
    default:
        return in.n;
    }
}

static void feed(struct play *p)
{
    while (buf_len(&p->in)) {
        struct slice all = buf_slice(&p->in), in = slice_head(all, piece(p, all));
        size_t n = in.n;

        while (in.n) {
            smtp_client_input(p->client, p->now_ms, &in);
            pull(p);
        }
        p->fed += n;
        buf_consume(&p->in, n);
    }
}

/* ---------------------------------------------------------------- settings */
static char *keep(struct play *p, struct slice text)
{
    assert_true(p->texts < 32 && text.n < LINE);
    memcpy(p->text[p->texts], text.p, text.n);
    p->text[p->texts][text.n] = 0;
    return p->text[p->texts++];
}

static void set_tls(struct play *p, struct slice v)
{
    static const char *const names[] = { [TLS_NONE] = "none", [TLS_OPPORTUNISTIC] = "opportunistic", [TLS_REQUIRE] = "require",
                                         [TLS_VERIFY] = "verify" };

    for (int i = 0; i < 4; i++)
        if (slice_eq(v, slice_of(names[i])))
            p->profile.tls = (enum tls_mode)i;
}

static void set_user(struct play *p, struct slice v)
{
    p->profile.user = keep(p, slice_cut(&v, ' '));
    p->profile.password = keep(p, v);
}

static void set_body(struct play *p, struct slice v) { p->template.body.content = slice_of(keep(p, v)); }
static void set_from(struct play *p, struct slice v) { p->template.env.reverse_path = slice_of(keep(p, v)); }
static void set_envid(struct play *p, struct slice v) { p->template.env.envid = slice_of(keep(p, v)); }
static void set_orcpt(struct play *p, struct slice v) { p->template.rcpts[0].orcpt = slice_of(keep(p, v)); }
static void set_ret(struct play *p, struct slice v) { p->template.env.ret = slice_eq(v, SLICE("full")) ? RET_FULL : RET_HDRS; }
static void set_timeout(struct play *p, struct slice v) { units_span(v, &p->profile.reply_timeout_ms); }
static void set_implicit(struct play *p, struct slice v) { p->profile.implicit_tls = true; }
static void set_plaintext(struct play *p, struct slice v) { p->profile.allow_plaintext_login = true; }
static void set_8bit(struct play *p, struct slice v) { p->template.env.body_type = BODY_8BIT; }
static void set_smtputf8(struct play *p, struct slice v) { p->template.env.smtputf8 = true; }
static void set_skip_tls(struct play *p, struct slice v) { p->skip_tls = true; }
static void set_uncut(struct play *p, struct slice v) { p->uncut = true; }
static void set_slow(struct play *p, struct slice v) { p->slow_body = true; }
static void set_rides(struct play *p, struct slice v) { p->rides = true; }

static void set_raw(struct play *p, struct slice v)
{
    p->template.body.raw = true;
    p->template.env.body_type = BODY_BINARY;
}

static void set_long(struct play *p, struct slice v) { p->template.env.long_lines = true; }

static void set_size(struct play *p, struct slice v)
{
    uint64_t n = 0;

    slice_to_u64(v, INT64_MAX, &n);
    p->template.env.size = (int64_t)n;
}

static void set_notify(struct play *p, struct slice v)
{
    uint64_t n = 0;

    slice_to_u64(v, 15, &n);
    p->template.rcpts[0].notify = (unsigned)n;
}

struct word {
    const char *name;
    void (*act)(struct play *p, struct slice value);
};

static const struct word settings[] = {
    { "tls", set_tls },           { "user", set_user },         { "body", set_body },     { "from", set_from },
    { "envid", set_envid },       { "orcpt", set_orcpt },       { "ret", set_ret },       { "timeout", set_timeout },
    { "implicit", set_implicit }, { "plaintext", set_plaintext }, { "8bit", set_8bit },   { "smtputf8", set_smtputf8 },
    { "skip-tls", set_skip_tls }, { "uncut", set_uncut },       { "slow", set_slow },     { "rides", set_rides },
    { "raw", set_raw },           { "size", set_size },         { "notify", set_notify }, { "long", set_long },
    { NULL, NULL },
};

/* ---------------------------------------------------------------- what the driver does */
static void do_connect(struct play *p, struct slice v)
{
    smtp_client_connected(p->client, p->now_ms, slice_eq(v, SLICE("verified")));
}

static void do_tls(struct play *p, struct slice v)
{
    smtp_client_tls(p->client, p->now_ms, slice_eq(v, SLICE("verified")));
}

static void do_send(struct play *p, struct slice v)
{
    struct message *m;
    int index[RCPTS], count = 0;

    assert_true(p->sent_n < SENT_MAX && smtp_client_can_send(p->client));
    m = &p->sent[p->sent_n++];
    memcpy(m, &p->template, sizeof *m);
    while (v.n && count < RCPTS) {
        struct slice address = slice_cut(&v, ' ');
        unsigned notify = p->template.rcpts[0].notify;

        m->rcpts[count] = (struct envelope_rcpt){ .address = slice_of(keep(p, address)), .notify = notify,
                                                  .orcpt = p->template.rcpts[0].orcpt };
        index[count] = count;
        count++;
    }
    m->env.rcpts = m->rcpts;
    m->env.rcpt_count = count;
    m->env.body = &m->body;
    if (!m->env.size)
        m->env.size = (int64_t)m->body.content.n;
    assert_int_equal(smtp_client_send(p->client, p->now_ms, &m->env, index, count), 0);
}

static void do_lost(struct play *p, struct slice v)
{
    smtp_client_lost(p->client, p->now_ms, &(struct smtp_client_loss){ .text = keep(p, v) });
}

static void do_refused(struct play *p, struct slice v)
{
    smtp_client_lost(p->client, p->now_ms, &(struct smtp_client_loss){ .stage = STAGE_CONNECT, .text = keep(p, v) });
}

static void do_handshake_failed(struct play *p, struct slice v)
{
    struct smtp_client_loss loss = { .stage = STAGE_TLS, .tls_handshake = true, .text = keep(p, v) };

    smtp_client_lost(p->client, p->now_ms, &loss);
}

static void do_poor(struct play *p, struct slice v)
{
    smtp_client_lost(p->client, p->now_ms, &(struct smtp_client_loss){ .no_resources = true, .text = keep(p, v) });
}

/* Time passes; what is due at its end is told, as the driver does. */
static void do_wait(struct play *p, struct slice v)
{
    int64_t ms = 0;

    units_span(v, &ms);
    p->now_ms += ms;
    if (smtp_client_deadline_ms(p->client) <= p->now_ms)
        smtp_client_timeout(p->client, p->now_ms);
}

static void do_body(struct play *p, struct slice v)
{
    if (p->body_of && smtp_client_wants_body(p->client))
        write_body(p);
}

static void do_progress(struct play *p, struct slice v) { smtp_client_body_progress(p->client, p->now_ms); }
static void do_unreadable(struct play *p, struct slice v)
{
    smtp_client_body_failed(p->client, p->now_ms, "the content cannot be read");
}

static void do_quit(struct play *p, struct slice v) { smtp_client_quit(p->client, p->now_ms); }

static const struct word deeds[] = {
    { "connect", do_connect }, { "tls", do_tls },   { "send", do_send }, { "lost", do_lost }, { "refused", do_refused },
    { "handshake", do_handshake_failed }, { "poor", do_poor }, { "wait", do_wait }, { "body", do_body },
    { "progress", do_progress }, { "unreadable", do_unreadable }, { "quit", do_quit }, { NULL, NULL },
};

static void act(struct play *p, const struct word *words, struct slice line)
{
    struct slice name = slice_cut(&line, ' ');

    for (; words->name; words++) {
        if (slice_eq(name, slice_of(words->name))) {
            words->act(p, line);
            return;
        }
    }
    complain(p, "no such word", name);
}

/* ---------------------------------------------------------------- lines */
static struct slice unescape(struct slice s, char *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned byte;

        if (s.p[i] != '\\' || i + 1 == s.n) {
            ret[n++] = s.p[i];
            continue;
        }
        i++;
        if (s.p[i] == 'x' && i + 2 < s.n && sscanf(s.p + i + 1, "%2x", &byte) == 1) {
            ret[n++] = (char)byte;
            i += 2;
        } else {
            ret[n++] = s.p[i] == 'r' ? '\r' : s.p[i] == 'n' ? '\n' : s.p[i];
        }
    }
    return slice_make(ret, n);
}

static bool matches(struct slice want, struct slice got)
{
    if (want.n && want.p[want.n - 1] == '*')
        return got.n >= want.n - 1 && slice_eq(slice_head(got, want.n - 1), slice_head(want, want.n - 1));
    return slice_eq(want, got);
}

static void expect_output(struct play *p, struct slice want, bool whole_line)
{
    struct slice out = buf_slice(&p->out), line = out;

    if (whole_line) {
        size_t end = slice_find_slice(out, SLICE("\r\n"));

        if (end == out.n)
            complain(p, "the client did not say that line", out);
        line = slice_head(out, end);
    } else {
        line = slice_head(out, want.n);
    }
    if (!matches(want, line))
        complain(p, "the client said something else", line);
    buf_consume(&p->out, line.n + (whole_line ? 2 : 0));
}

static void expect_event(struct play *p, struct slice want)
{
    if (p->event_first == p->event_end)
        complain(p, "nothing was reported", buf_slice(&p->out));
    if (!matches(want, slice_of(p->events[p->event_first])))
        complain(p, "something else was reported", slice_of(p->events[p->event_first]));
    p->event_first++;
}

static void host_says(struct play *p, struct slice text, int times, bool whole_line)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(buf_add(&p->in, text), 0);
        if (whole_line)
            assert_int_equal(buf_add(&p->in, SLICE("\r\n")), 0);
    }
}

static void play_line(struct play *p, struct slice line)
{
    char text[LINE];
    struct slice rest = line, head;
    uint64_t times = 1;
    bool whole = true;

    if (!line.n || line.p[0] == '#')
        return;
    if (line.p[0] == '=') {
        act(p, settings, unescape(slice_skip(line, 2), text));
        return;
    }
    if (!p->client) {
        p->client = smtp_client_new(&p->profile, p->skip_tls);
        if (!p->profile.implicit_tls && !slice_starts_nocase(line, SLICE("!: refused")))
            do_connect(p, SLICE_NONE);
    }
    if (line.n > 1 && line.p[1] == '|') {
        whole = false;
        head = slice_head(line, 1);
        rest = slice_skip(line, 3);
    } else {
        head = slice_cut(&rest, ':');
        rest = slice_skip(rest, rest.n && rest.p[0] == ' ');
    }
    if (head.n > 2 && head.p[1] == '*')
        slice_to_u64(slice_skip(head, 2), 100000, &times);
    rest = unescape(rest, text);
    if (head.p[0] != 'S')
        feed(p);
    switch (head.p[0]) {
    case 'S':
        host_says(p, rest, (int)times, whole);
        break;
    case 'C':
        expect_output(p, rest, whole);
        break;
    case '!':
        act(p, deeds, rest);
        pull(p);
        break;
    case '?':
        expect_event(p, rest);
        break;
    default:
        complain(p, "no such line", line);
    }
}

/* Returns how many octets the host said. */
static size_t play(const char *file, struct slice script, enum cut cut, size_t cut_at)
{
    struct play *p = calloc(1, sizeof *p);
    size_t fed;

    assert_non_null(p);
    p->file = file;
    p->cut = cut;
    p->cut_at = cut_at;
    p->profile.ehlo = "me.test";
    p->now_ms = 1000;
    p->template.env.reverse_path = SLICE("a@one.test");
    p->template.body.content = SLICE("Subject: x\r\n\r\nhello\r\n");
    buf_init(&p->in, 0);
    buf_init(&p->out, 0);
    while (script.n) {
        p->line++;
        play_line(p, slice_cut(&script, '\n'));
    }
    feed(p);
    if (buf_len(&p->out))
        complain(p, "the client said more", buf_slice(&p->out));
    if (p->event_first < p->event_end)
        complain(p, "more was reported", slice_of(p->events[p->event_first]));
    fed = p->fed;
    smtp_client_free(p->client);
    buf_free(&p->in);
    buf_free(&p->out);
    free(p);
    return fed;
}

/* ---------------------------------------------------------------- all of them */
enum { CUTS_MAX = 1500 };

static void play_file(const char *folder, const char *name)
{
    char path[1024];
    struct buf script;
    char *at;
    FILE *f;
    size_t n, fed;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "r");
    assert_non_null(f);
    buf_init(&script, 0);
    do {
        assert_int_equal(buf_reserve(&script, 65536, &at), 0);
        n = fread(at, 1, 65536, f);
        buf_grown(&script, n);
    } while (n);
    fclose(f);
    fed = play(name, buf_slice(&script), CUT_NONE, 0);
    play(name, buf_slice(&script), CUT_LINES, 0);
    if (fed <= 10 * CUTS_MAX)
        play(name, buf_slice(&script), CUT_BYTES, 0);
    for (size_t i = 1; i < fed && i < CUTS_MAX; i++)
        play(name, buf_slice(&script), CUT_AT, i);
    buf_free(&script);
}

static const char *folder;

static void every_conversation_goes_as_written_however_it_is_cut(void **state)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort), played = 0;

    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        const char *only = getenv("TRANSCRIPT");
        struct slice name = slice_of(names[i]->d_name);

        if (slice_ends_nocase(name, SLICE(".smtp")) && (!only || strstr(names[i]->d_name, only))) {
            play_file(folder, names[i]->d_name);
            played++;
        }
        free(names[i]);
    }
    free(names);
    print_message("%d conversations\n", played);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_conversation_goes_as_written_however_it_is_cut),
    };

    folder = argc > 1 ? argv[1] : "tests/unit/transcripts-client";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
