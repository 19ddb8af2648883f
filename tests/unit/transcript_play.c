/* transcript_play.c: see transcript.h. A driver of smtp_server.h like daemon/session.c, with a script in the place of the
 * world. */
#include <stdio.h>

#include "buf.h"
#include "clock.h"
#include "smtp_server.h"
#include "transcript.h"

enum { START_MS = 1000, WALL_MS = 0 };

struct player {
    struct arena *arena;
    const struct conversation *c;
    bool check;
    struct smtp_server *server;
    int64_t now_ms;
    int reply_at, ask_at;    /* steps looked at for replies and questions */
    bool shaking, closed;
    int commits;
    struct buf out, body, committed, pending;
    const char *wrong;       /* what went wrong first */
};

static void complain(struct player *p, int line, const char *what, struct slice found, struct slice wanted)
{
    if (p->check && !p->wrong)
        p->wrong = arena_printf(p->arena, "%s:%d: %s: '%.*s', wanted '%.*s'", p->c->file, line, what, SLICE_ARG(found),
                                SLICE_ARG(wanted));
}

/* ---------------------------------------------------------------- options */
static unsigned mechanisms(struct slice list)
{
    unsigned m = 0;

    while (list.n)
        m |= 1u << sasl_find(slice_cut(&list, ','));
    return m & ~(1u << SASL_NONE);
}

struct setup {
    struct smtp_server_options o;
    enum smtp_say refusal;
    enum smtp_channel channel;
};

static bool set_option(struct setup *u, struct slice option)
{
    struct slice value = option, name = slice_cut(&value, '=');
    uint64_t n = 0;
    bool is_number = slice_to_u64(value, 1u << 30, &n);

    if (slice_eq(option, SLICE("one-write"))) /* transcript_is_one_write */
        return true;
    if (slice_eq(name, SLICE("size")) && is_number)
        u->o.max_size = (int64_t)n;
    else if (slice_eq(name, SLICE("rcpts")) && is_number)
        u->o.max_rcpts = (int64_t)n;
    else if (slice_eq(name, SLICE("errors")) && is_number)
        u->o.max_errors = (int64_t)n;
    else if (slice_eq(name, SLICE("failures")) && is_number)
        u->o.max_auth_failures = (int64_t)n;
    else if (slice_eq(name, SLICE("delay")) && is_number)
        u->o.auth_failure_delay_ms = (int64_t)n;
    else if (slice_eq(name, SLICE("auth")))
        u->o.mechanisms = mechanisms(value);
    else if (slice_eq(option, SLICE("login")))
        u->o.access = SMTP_ACCESS_LOGIN;
    else if (slice_eq(option, SLICE("nobody")))
        u->o.access = SMTP_ACCESS_NONE;
    else if (slice_eq(option, SLICE("no-starttls")))
        u->o.offer_tls = false;
    else if (slice_eq(option, SLICE("tls-first")))
        u->o.require_tls_before_auth = true;
    else if (slice_eq(option, SLICE("normalise")))
        u->o.normalise_newlines = true;
    else if (slice_eq(option, SLICE("distrust")))
        u->o.distrust = true;
    else if (slice_eq(option, SLICE("tls")))
        u->channel = SMTP_TLS;
    else if (slice_eq(option, SLICE("certificate")))
        u->channel = SMTP_TLS_KNOWS_USER;
    else if (slice_eq(option, SLICE("drain")))
        u->refusal = SAY_DRAINING;
    else
        return false;
    return true;
}

static struct setup setup_of(struct player *p)
{
    struct setup u = { .refusal = SAYS,
                       .o = { .hostname = SLICE("mx.test"), .offer_tls = true, .max_size = 1 << 20, .max_rcpts = 100,
                              .max_errors = 10, .max_auth_failures = 5,
                              .command_timeout_ms = 300000, .data_timeout_ms = 600000 } };

    for (int i = 0; i < p->c->count; i++) {
        struct slice rest = p->c->steps[i].text;

        while (p->c->steps[i].kind == STEP_OPTION && rest.n) {
            struct slice option = slice_cut(&rest, ' ');

            if (!set_option(&u, option))
                complain(p, p->c->steps[i].line, "unknown option", option, SLICE_NONE);
        }
    }
    return u;
}

/* ---------------------------------------------------------------- what is expected */
static const struct step *next_step(struct player *p, int *at, enum step_kind a, enum step_kind b)
{
    while (*at < p->c->count && p->c->steps[*at].kind != a && p->c->steps[*at].kind != b)
        ++*at;
    return *at < p->c->count ? &p->c->steps[*at] : NULL;
}

static bool matches(struct slice pattern, struct slice text)
{
    if (pattern.n && pattern.p[pattern.n - 1] == '*')
        return text.n >= pattern.n - 1 && slice_eq(slice_head(pattern, pattern.n - 1), slice_head(text, pattern.n - 1));
    return slice_eq(pattern, text);
}

/* One line of a reply: S- steps take each line, an S: step the last of a reply. */
static void take_line(struct player *p, struct slice line)
{
    const struct step *s = next_step(p, &p->reply_at, STEP_REPLY, STEP_LINE);
    bool last = line.n < 4 || line.p[3] != '-';

    if (!s) {
        complain(p, p->c->line, "a reply too many", line, SLICE_NONE);
    } else if (s->kind == STEP_LINE || last) {
        if (!matches(s->text, line))
            complain(p, s->line, "reply", line, s->text);
        p->reply_at++;
    }
}

static void take_output(struct player *p)
{
    struct slice all, line;

    buf_add(&p->out, smtp_server_output(p->server));
    for (all = buf_slice(&p->out); all.n; all = buf_slice(&p->out)) {
        size_t end = slice_find(all, '\n');

        line = slice_head(all, end);
        if ((end == all.n || !line.n || line.p[line.n - 1] != '\r' || line.n + 1 > 512) && !p->wrong) /* whatever is checked */
            p->wrong = arena_printf(p->arena, "%s:%d: a reply that is no line: '%.*s'", p->c->file, p->c->line, SLICE_ARG(line));
        take_line(p, slice_head(line, line.n ? line.n - 1 : 0));
        buf_consume(&p->out, end + 1);
    }
}

static void take_close(struct player *p)
{
    const struct step *s = next_step(p, &p->reply_at, STEP_REPLY, STEP_LINE);

    p->closed = true;
    take_output(p);
    s = next_step(p, &p->reply_at, STEP_REPLY, STEP_LINE);
    if (!s || !slice_eq(s->text, SLICE("closed")))
        complain(p, s ? s->line : p->c->line, "reply", SLICE("closed"), s ? s->text : SLICE("something else"));
    else
        p->reply_at++;
}

/* The script's answer to this question, or the usual one. */
static struct slice answer_of(struct player *p, const char *question, const char *usual)
{
    const struct step *s = next_step(p, &p->ask_at, STEP_ASK, STEP_ASK);
    struct slice q = slice_of(question), want = s ? s->text : SLICE_NONE, kind = slice_head(q, slice_find(q, ' '));

    if (!s || !slice_starts_nocase(want, kind))
        return slice_of(usual);
    if (!matches(want, q))
        complain(p, s->line, "question", q, want);
    p->ask_at++;
    if (s + 1 < p->c->steps + p->c->count && s[1].kind == STEP_ANSWER)
        return s[1].text;
    return slice_of(usual);
}

/* ---------------------------------------------------------------- answers */
static struct ingest_reply reply_of(struct slice answer, const char *text_250)
{
    struct ingest_reply r = { .code = 250, .enhanced = "2.0.0" };
    struct slice rest = answer, code = slice_cut(&rest, ' '), enhanced = slice_cut(&rest, ' ');
    uint64_t n = 0;

    if (slice_eq(answer, SLICE("accept")) || !slice_to_u64(code, 599, &n) || n < 200) {
        snprintf(r.text, sizeof r.text, "%s", text_250);
        return r;
    }
    r.code = (int)n;
    snprintf(r.enhanced, sizeof r.enhanced, "%.*s", SLICE_ARG(enhanced));
    snprintf(r.text, sizeof r.text, "%.*s", SLICE_ARG(rest));
    return r;
}

static void answer(struct player *p, const char *question)
{
    struct ingest_reply r = reply_of(answer_of(p, question, "accept"), "Ok: queued as ID");

    smtp_server_answer(p->server, p->now_ms, &r);
}

/* foo's password is barbaz; what needs sums is right. */
static void answer_auth(struct player *p, const struct sasl_request *r)
{
    static const uint8_t signature[SASL_SHA256] = { 0 };
    bool secret = r->mechanism == SASL_PLAIN || r->mechanism == SASL_LOGIN;
    bool right = !secret || (slice_eq(r->user, SLICE("foo")) && slice_eq(r->password, SLICE("barbaz")));
    const char *q = arena_printf(p->arena, "auth %s %.*s %.*s", sasl_name(r->mechanism), SLICE_ARG(r->user),
                                 SLICE_ARG(r->password));
    struct slice said = answer_of(p, q, right ? "right" : "wrong");
    bool is_right = slice_eq(said, SLICE("right"));

    smtp_server_auth(p->server, p->now_ms,
                     slice_eq(said, SLICE("later")) ? SMTP_AUTH_LATER
                     : is_right                     ? SMTP_AUTH_RIGHT
                                                    : SMTP_AUTH_WRONG,
                     is_right && r->mechanism == SASL_SCRAM_SHA_256 ? signature : NULL);
}

static void commit(struct player *p, const struct smtp_transaction *t)
{
    p->commits++;
    buf_clear(&p->committed);
    buf_add(&p->committed, buf_slice(&p->body));
    buf_clear(&p->body);
    answer(p, arena_printf(p->arena, "commit %llu %d", (unsigned long long)t->size, t->rcpt_count));
}

static void perform(struct player *p, const struct smtp_action *a)
{
    static const uint8_t entropy[SASL_ENTROPY] = "entropy of 18 oct";

    switch (a->type) {
    case SMTP_WAIT: break;
    case SMTP_START_TLS: p->shaking = true; break;
    case SMTP_ASK_SEED: smtp_server_seed(p->server, entropy, WALL_MS); break;
    case SMTP_ASK_SALT: smtp_server_salt(p->server, SLICE("salt"), 4096); break;
    case SMTP_ASK_AUTH: answer_auth(p, a->auth); break;
    case SMTP_ASK_MAIL:
        answer(p, arena_printf(p->arena, "mail %.*s", SLICE_ARG(a->transaction->reverse_path)));
        break;
    case SMTP_ASK_RCPT: answer(p, arena_printf(p->arena, "rcpt %.*s", SLICE_ARG(a->rcpt->address))); break;
    case SMTP_BEGIN_BODY:
    case SMTP_DROP_BODY: buf_clear(&p->body); break;
    case SMTP_BODY: buf_add(&p->body, a->bytes); break;
    case SMTP_ASK_COMMIT: commit(p, a->transaction); break;
    case SMTP_REFUSED: break;
    case SMTP_CLOSE: take_close(p); break;
    }
}

static void pump(struct player *p)
{
    struct smtp_action a;

    do {
        while (smtp_server_next(p->server, &a) != SMTP_WAIT)
            perform(p, &a);
        take_output(p);
    } while (smtp_server_has_more(p->server));
}

/* ---------------------------------------------------------------- the client */
static void read_in(struct player *p, struct slice bytes)
{
    if (p->closed || !bytes.n)
        return;
    smtp_server_input(p->server, p->now_ms, bytes);
    pump(p);
}

static void flush(struct player *p)
{
    read_in(p, buf_slice(&p->pending));
    buf_clear(&p->pending);
}

static void client_sends(struct player *p, enum play_mode mode, struct slice bytes)
{
    if (mode == PLAY_WHOLE)
        buf_add(&p->pending, bytes);
    else if (mode == PLAY_LINES)
        read_in(p, bytes);
    else
        for (size_t i = 0; i < bytes.n; i++)
            read_in(p, slice_make(bytes.p + i, 1));
}

static void handshake(struct player *p, const struct step *s)
{
    flush(p);
    if (!p->shaking) {
        complain(p, s->line, "no handshake was begun", SLICE_NONE, SLICE_NONE);
        return;
    }
    p->shaking = false;
    smtp_server_tls_done(p->server, p->now_ms, s->text.n > sizeof "handshake" - 1);
    pump(p);
}

static void pass_time(struct player *p, const struct step *s)
{
    uint64_t ms = 0;

    flush(p);
    slice_to_u64(s->text, DAY_MS, &ms);
    p->now_ms += (int64_t)ms;
    if (p->closed)
        return;
    smtp_server_tick(p->server, p->now_ms);
    pump(p);
}

static void step(struct player *p, enum play_mode mode, const struct step *s)
{
    switch (s->kind) {
    case STEP_SEND: client_sends(p, mode, s->text); break;
    case STEP_TLS: handshake(p, s); break;
    case STEP_PASS: pass_time(p, s); break;
    case STEP_UNKNOWN: complain(p, s->line, "a line that means nothing", s->text, SLICE_NONE); break;
    default: break;
    }
}

/* ---------------------------------------------------------------- the end */
static void check_content(struct player *p)
{
    struct buf want;
    int line = 0;

    buf_init(&want, 0);
    for (int i = 0; i < p->c->count; i++)
        if (p->c->steps[i].kind == STEP_CONTENT) {
            buf_add(&want, p->c->steps[i].text);
            line = p->c->steps[i].line;
        }
    if (line && !slice_eq(buf_slice(&want), buf_slice(&p->committed)))
        complain(p, line, "content", buf_slice(&p->committed), buf_slice(&want));
    buf_free(&want);
}

static void check_end(struct player *p)
{
    const struct step *s = next_step(p, &p->reply_at, STEP_REPLY, STEP_LINE);

    if (s)
        complain(p, s->line, "no reply", SLICE_NONE, s->text);
    while ((s = next_step(p, &p->ask_at, STEP_ASK, STEP_ASK))) {
        if (!slice_eq(s->text, SLICE("nothing committed")))
            complain(p, s->line, "no question", SLICE_NONE, s->text);
        else if (p->commits)
            complain(p, s->line, "a message was committed", buf_slice(&p->committed), SLICE_NONE);
        p->ask_at++;
    }
    check_content(p);
}

const char *transcript_play(struct arena *a, const struct conversation *c, enum play_mode mode, bool check)
{
    struct player p = { .arena = a, .c = c, .check = check, .now_ms = START_MS };
    struct setup u = setup_of(&p);

    buf_init(&p.out, 0);
    buf_init(&p.body, 0);
    buf_init(&p.committed, 0);
    buf_init(&p.pending, 0);
    p.server = smtp_server_new(&u.o, u.refusal, u.channel, p.now_ms);
    if (p.server) {
        pump(&p);
        for (int i = 0; i < c->count; i++)
            step(&p, mode, &c->steps[i]);
        flush(&p);
        check_end(&p);
    }
    smtp_server_free(p.server);
    buf_free(&p.out);
    buf_free(&p.body);
    buf_free(&p.committed);
    buf_free(&p.pending);
    return p.wrong;
}
