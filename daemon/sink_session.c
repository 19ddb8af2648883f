/* sink_session.c: the server's side of one conversation with a test MX. */
#include "sink_session.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "wire.h"

enum { TRANSACTION_FIRST = 512 };

enum state {
    BANNER,  /* nothing was said yet */
    COMMAND, /* a line is awaited */
    DATA,    /* content, up to the final dot */
    CHUNK,   /* `chunk` octets of BDAT are to come */
    SKIP,    /* likewise, of a chunk that was refused */
    DOT,     /* the content is complete, the reply to it is due */
    CLOSED,
};

struct sink_session {
    struct sink_rules rules;
    struct buf in, out, content;
    enum state state;
    bool paused;
    bool judged; /* the script has spoken on what is handled now, and waited */
    bool secure;
    bool last_chunk;
    bool chunking; /* a BDAT of this transaction was taken */
    uint64_t chunk;
    uint64_t size;
    struct wire_scan scan;
    struct wire_unstuff unstuff;
    struct sink_action action; /* to be handed out by the next call */
    char *ehlo;
    char *client_ip;
    struct arena *transaction; /* NULL: no MAIL */
    struct slice from, *to;
    size_t to_count, to_room;
};

struct sink_session *sink_session_new(const struct sink_rules *rules, struct slice client_ip)
{
    struct sink_session *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->rules = *rules;
    buf_init(&s->in, 0);
    buf_init(&s->out, 0);
    buf_init(&s->content, SINK_MESSAGE_MAX);
    s->client_ip = slice_dup(client_ip);
    if (!s->client_ip) {
        sink_session_free(s);
        return NULL;
    }
    return s;
}

static void forget_transaction(struct sink_session *s)
{
    arena_free(s->transaction);
    s->transaction = NULL;
    s->to_count = 0;
    s->chunking = false;
    s->size = 0;
    buf_clear(&s->content);
}

void sink_session_free(struct sink_session *s)
{
    if (!s)
        return;
    forget_transaction(s);
    buf_free(&s->in);
    buf_free(&s->out);
    buf_free(&s->content);
    free(s->to);
    free(s->ehlo);
    free(s->client_ip);
    free(s);
}

/* ---------------------------------------------------------------- replies and the script */
static void end(struct sink_session *s, enum sink_action_type how)
{
    s->state = CLOSED;
    s->action.type = how;
}

static void say(struct sink_session *s, const char *lines)
{
    if (buf_add_text(&s->out, lines) < 0)
        end(s, SINK_DROP); /* out of memory: the test ends here */
}

/* Lets the script speak at this stage, else answers `usual` (NULL: nothing). True: the session goes on as after a yes. False: it
 * was refused, the connection ends, or (paused is set) the same call is to be made again later. */
static bool allowed(struct sink_session *s, enum sink_stage at, struct slice subject, const char *usual)
{
    const struct sink_rule *rule = s->judged ? NULL : sink_script_find(s->rules.script, at, subject, s->rules.dice);

    s->judged = false;
    if (rule && rule->mood == SINK_MOOD_DELAY) {
        s->judged = s->paused = true;
        s->action = (struct sink_action){ .type = SINK_PAUSE, .ms = rule->delay_ms };
        return false;
    }
    if (rule && rule->mood == SINK_MOOD_DROP) {
        end(s, SINK_DROP);
        return false;
    }
    if (rule && rule->mood == SINK_MOOD_RATE)
        s->action = (struct sink_action){ .type = SINK_SLOW, .bytes_per_s = rule->bytes_per_s };
    if (!rule || rule->mood != SINK_MOOD_REPLY) {
        if (usual)
            say(s, usual);
        return s->state != CLOSED;
    }
    say(s, rule->reply);
    if (strncmp(rule->reply, "421", 3) == 0)
        end(s, SINK_CLOSE);
    return rule->reply[0] < '4' && s->state != CLOSED;
}

/* "reverse-path recipient…", and the beginning of the content when it is asked for. In the transaction's memory. */
static struct slice envelope_subject(struct sink_session *s, bool with_content)
{
    struct buf b;
    struct slice ret;

    buf_init(&b, 0);
    buf_add(&b, s->from);
    for (size_t i = 0; i < s->to_count; i++) {
        buf_add_char(&b, ' ');
        buf_add(&b, s->to[i]);
    }
    if (with_content) {
        buf_add_char(&b, '\n');
        buf_add(&b, slice_head(buf_slice(&s->content), SINK_MATCH_MAX));
    }
    ret = arena_copy(s->transaction, buf_slice(&b));
    buf_free(&b);
    return ret.p ? ret : SLICE_NONE;
}

/* As allowed(), for the stages whose subject is costly to build. */
static bool envelope_allowed(struct sink_session *s, enum sink_stage at, const char *usual)
{
    struct slice subject = SLICE_NONE;

    if (!s->judged && sink_script_has(s->rules.script, at))
        subject = envelope_subject(s, at == SINK_AT_DOT);
    return allowed(s, at, subject, usual);
}

/* ---------------------------------------------------------------- commands
 * Each is called with what stands behind the verb. One that is paused is called again with the same line. */
static void on_ehlo(struct sink_session *s, struct slice arg)
{
    const char *offers = s->rules.offer_starttls && !s->secure
                             ? "250-STARTTLS\r\n250-PIPELINING\r\n250-SIZE 268435456\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
                               "250-BINARYMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
                             : "250-PIPELINING\r\n250-SIZE 268435456\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
                               "250-BINARYMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n";
    size_t before = buf_len(&s->out);
    char *name;

    if (!allowed(s, SINK_AT_EHLO, arg, NULL))
        return;
    name = slice_dup(arg);
    if (!name) {
        end(s, SINK_DROP);
        return;
    }
    free(s->ehlo);
    s->ehlo = name;
    forget_transaction(s);
    if (buf_len(&s->out) != before)
        return; /* the script answered: it offers what it said, which is nothing */
    if (buf_printf(&s->out, "250-%s\r\n", s->rules.hostname) < 0)
        end(s, SINK_DROP);
    else
        say(s, offers);
}

static void on_helo(struct sink_session *s, struct slice arg)
{
    char *name;

    if (!allowed(s, SINK_AT_EHLO, arg, "250 sink\r\n"))
        return;
    name = slice_dup(arg);
    if (name) {
        free(s->ehlo);
        s->ehlo = name;
    }
    forget_transaction(s);
}

static void on_starttls(struct sink_session *s, struct slice arg)
{
    if (!s->rules.offer_starttls || s->secure) {
        say(s, "502 5.5.1 STARTTLS is not offered here\r\n");
        return;
    }
    if (!allowed(s, SINK_AT_STARTTLS, slice_of(s->ehlo), "220 2.0.0 Go ahead\r\n"))
        return;
    s->action.type = SINK_START_TLS;
}

/* What stands between < and > after "FROM:" or "TO:", or false. */
static bool path_of(struct slice arg, struct slice keyword, struct slice *ret)
{
    struct slice rest;
    bool quoted = false;

    if (!slice_starts_nocase(arg, keyword))
        return false;
    rest = slice_trim(slice_skip(arg, keyword.n));
    if (!rest.n || rest.p[0] != '<')
        return false;
    for (size_t i = 1; i < rest.n; i++) {
        if (quoted && rest.p[i] == '\\')
            i++;
        else if (rest.p[i] == '"')
            quoted = !quoted;
        else if (rest.p[i] == '>' && !quoted) {
            *ret = slice_make(rest.p + 1, i - 1);
            return true;
        }
    }
    return false;
}

static void on_mail(struct sink_session *s, struct slice arg)
{
    struct slice path;

    if (!path_of(arg, SLICE("FROM:"), &path)) {
        say(s, "501 5.5.4 MAIL FROM:<address> is what is understood here\r\n");
        return;
    }
    if (s->transaction) {
        say(s, "503 5.5.1 One transaction at a time\r\n");
        return;
    }
    if (!allowed(s, SINK_AT_MAIL, path, "250 2.1.0 Ok\r\n"))
        return;
    s->transaction = arena_new(TRANSACTION_FIRST);
    if (s->transaction)
        s->from = arena_copy(s->transaction, path);
    if (!s->transaction || !s->from.p)
        end(s, SINK_DROP);
}

static bool add_recipient(struct sink_session *s, struct slice path)
{
    if (s->to_count == s->to_room) {
        size_t room = s->to_room ? 2 * s->to_room : 8;
        struct slice *grown = realloc(s->to, room * sizeof *grown);

        if (!grown)
            return false;
        s->to = grown;
        s->to_room = room;
    }
    s->to[s->to_count] = arena_copy(s->transaction, path);
    return s->to[s->to_count++].p;
}

static void on_rcpt(struct sink_session *s, struct slice arg)
{
    struct slice path;

    if (!s->transaction)
        say(s, "503 5.5.1 MAIL first\r\n");
    else if (!path_of(arg, SLICE("TO:"), &path) || !path.n)
        say(s, "501 5.5.4 RCPT TO:<address> is what is understood here\r\n");
    else if (s->to_count >= SINK_RECIPIENTS_MAX)
        say(s, "452 4.5.3 Too many recipients\r\n");
    else if (allowed(s, SINK_AT_RCPT, path, "250 2.1.5 Ok\r\n") && !add_recipient(s, path))
        end(s, SINK_DROP);
}

static void begin_content(struct sink_session *s)
{
    wire_scan_init(&s->scan);
    wire_unstuff_init(&s->unstuff);
    buf_clear(&s->content);
    s->size = 0;
}

static void on_data(struct sink_session *s, struct slice arg)
{
    if (s->chunking) {
        say(s, "503 5.5.1 BDAT was used for this message\r\n");
    } else if (!s->to_count) {
        say(s, s->transaction ? "554 5.5.1 No valid recipients\r\n" : "503 5.5.1 MAIL first\r\n");
    } else if (envelope_allowed(s, SINK_AT_DATA, "354 Go ahead\r\n")) {
        begin_content(s);
        s->state = DATA;
    }
}

static void on_bdat(struct sink_session *s, struct slice arg)
{
    struct slice last = arg, number = slice_cut(&last, ' ');
    bool is_last = slice_eq_nocase(slice_trim(last), SLICE("LAST"));
    uint64_t n;

    if (!slice_to_u64(number, INT64_MAX, &n) || (slice_trim(last).n && !is_last)) {
        say(s, "501 5.5.4 BDAT size [LAST] is what is understood here\r\n");
        end(s, SINK_CLOSE); /* where the next command begins is unknown */
        return;
    }
    s->chunk = n;
    s->last_chunk = is_last;
    if (!s->to_count) {
        say(s, s->transaction ? "554 5.5.1 No valid recipients\r\n" : "503 5.5.1 MAIL first\r\n");
        s->state = SKIP;
    } else if (s->chunking || envelope_allowed(s, SINK_AT_DATA, NULL)) {
        if (!s->chunking)
            begin_content(s);
        s->chunking = true;
        s->state = CHUNK;
    } else if (!s->paused && s->state == COMMAND) {
        s->state = SKIP;
    }
}

static void on_rset(struct sink_session *s, struct slice arg)
{
    forget_transaction(s);
    say(s, "250 2.0.0 Ok\r\n");
}

static void on_noop(struct sink_session *s, struct slice arg)
{
    say(s, "250 2.0.0 Ok\r\n");
}

static void on_vrfy(struct sink_session *s, struct slice arg)
{
    say(s, "252 2.5.0 Send it and see\r\n");
}

static void on_quit(struct sink_session *s, struct slice arg)
{
    say(s, "221 2.0.0 Bye\r\n");
    end(s, SINK_CLOSE);
}

static const struct {
    struct slice verb;
    void (*handle)(struct sink_session *s, struct slice arg);
} commands[] = {
    { { "MAIL", 4 }, on_mail }, { { "RCPT", 4 }, on_rcpt },         { { "DATA", 4 }, on_data }, { { "BDAT", 4 }, on_bdat },
    { { "EHLO", 4 }, on_ehlo }, { { "HELO", 4 }, on_helo },         { { "RSET", 4 }, on_rset }, { { "NOOP", 4 }, on_noop },
    { { "VRFY", 4 }, on_vrfy }, { { "STARTTLS", 8 }, on_starttls }, { { "QUIT", 4 }, on_quit },
};

static void handle_line(struct sink_session *s, struct slice line)
{
    struct slice arg = line, verb = slice_cut(&arg, ' ');

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (slice_eq_nocase(verb, commands[i].verb)) {
            commands[i].handle(s, slice_trim(arg));
            return;
        }
    }
    say(s, "500 5.5.2 That is no command of this server\r\n");
}

/* ---------------------------------------------------------------- the states: each takes what it can; false: more input is needed */
static bool take_command(struct sink_session *s)
{
    struct slice in = buf_slice(&s->in);
    size_t n = slice_find(in, '\n');

    if (n == in.n) {
        if (in.n > SINK_LINE_MAX) {
            say(s, "500 5.5.2 The line is too long\r\n");
            end(s, SINK_CLOSE);
        }
        return false;
    }
    handle_line(s, slice_trim_crlf(slice_head(in, n)));
    if (!s->paused)
        buf_consume(&s->in, s->action.type == SINK_START_TLS ? in.n : n + 1);
    return true;
}

/* Keeps a piece of content, if content is kept: what is over SINK_MESSAGE_MAX is not, and the dot will be refused. */
static void keep(struct sink_session *s, struct slice raw)
{
    if (s->rules.keep_content && s->size <= SINK_MESSAGE_MAX && buf_add(&s->content, raw) < 0)
        s->size = SINK_MESSAGE_MAX + 1;
}

static bool take_data(struct sink_session *s)
{
    struct slice in = buf_slice(&s->in), piece, raw;
    size_t before = in.n;

    if (!in.n)
        return false;
    while (wire_scan_next(&s->scan, &in, &piece))
        while (s->rules.keep_content && wire_unstuff_next(&s->unstuff, &piece, &raw))
            keep(s, raw);
    buf_consume(&s->in, before - in.n);
    if (s->size <= SINK_MESSAGE_MAX)
        s->size = s->scan.facts.bytes;
    if (!s->scan.ended)
        return false;
    s->state = DOT;
    return true;
}

static bool take_chunk(struct sink_session *s)
{
    struct slice in = slice_head(buf_slice(&s->in), s->chunk > SIZE_MAX ? SIZE_MAX : (size_t)s->chunk);

    if (s->state == CHUNK) {
        s->size += in.n;
        keep(s, in);
    }
    s->chunk -= in.n;
    buf_consume(&s->in, in.n);
    if (s->chunk)
        return false;
    if (s->state == CHUNK && s->last_chunk) {
        s->state = DOT;
    } else {
        if (s->state == CHUNK)
            say(s, "250 2.0.0 Go on\r\n");
        s->state = COMMAND;
    }
    return true;
}

static void take_dot(struct sink_session *s)
{
    if (s->size > SINK_MESSAGE_MAX) {
        say(s, "552 5.3.4 The message is too large\r\n");
    } else if (envelope_allowed(s, SINK_AT_DOT, "250 2.0.0 Ok\r\n")) {
        s->action = (struct sink_action){
            .type = SINK_MESSAGE,
            .bytes_per_s = s->action.bytes_per_s,
            .message = { .ehlo = slice_of(s->ehlo), .from = s->from, .to = s->to, .to_count = s->to_count,
                         .content = buf_slice(&s->content), .size = s->size },
        };
        s->state = COMMAND;
        return;
    } else if (s->paused || s->state == CLOSED) {
        return;
    }
    s->state = COMMAND;
    forget_transaction(s);
}

static void take_banner(struct sink_session *s)
{
    bool yes = allowed(s, SINK_AT_CONNECT, slice_of(s->client_ip), "220 sink ESMTP Fairlead's test server\r\n");

    if (s->paused || s->state == CLOSED)
        return;
    if (yes)
        s->state = COMMAND;
    else
        end(s, SINK_CLOSE); /* refused at the banner */
}

/* One step; false: nothing more can be done now. */
static bool step(struct sink_session *s)
{
    switch (s->state) {
    case BANNER:
        take_banner(s);
        return true;
    case COMMAND:
        return take_command(s);
    case DATA:
        return take_data(s);
    case CHUNK:
    case SKIP:
        return take_chunk(s);
    case DOT:
        take_dot(s);
        return true;
    case CLOSED:
        break;
    }
    return false;
}

/* ---------------------------------------------------------------- the driver's side */
enum sink_action_type sink_session_next(struct sink_session *s, struct sink_action *ret)
{
    if (s->action.type == SINK_MESSAGE) {
        forget_transaction(s); /* the message of the last call */
        s->action = (struct sink_action){ 0 };
    }
    *ret = (struct sink_action){ .type = SINK_WAIT };
    while (s->action.type == SINK_WAIT && !s->paused && step(s))
        ;
    *ret = s->action;
    if (s->action.type != SINK_MESSAGE)
        s->action = (struct sink_action){ 0 };
    return ret->type;
}

int sink_session_room(struct sink_session *s, size_t n, char **ret)
{
    return buf_reserve(&s->in, n, ret);
}

void sink_session_filled(struct sink_session *s, size_t n)
{
    buf_grown(&s->in, n);
}

bool sink_session_reads(const struct sink_session *s)
{
    return !s->paused && s->state != CLOSED;
}

struct slice sink_session_output(struct sink_session *s)
{
    return buf_slice(&s->out);
}

void sink_session_sent(struct sink_session *s, size_t n)
{
    buf_consume(&s->out, n);
}

void sink_session_resume(struct sink_session *s)
{
    s->paused = false;
}

void sink_session_secured(struct sink_session *s)
{
    s->secure = true;
    free(s->ehlo);
    s->ehlo = NULL;
    forget_transaction(s);
    buf_clear(&s->in);
}
