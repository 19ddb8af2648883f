/* smtp_server.c: the frame of the SMTP server core: states, input, output, actions, time. See smtp_server.h. */
#include "smtp_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "err.h"
#include "smtp_state.h"

enum { KEPT_CAP = 1 << 20 }; /* a driver that obeys smtp_server_wants_input stays far below it */

static bool closing_run(struct smtp_server *s);

enum patience { ENDLESS, COMMAND_TIMEOUT, DATA_TIMEOUT };

#define TO(x) (1u << SMTP_STATE_##x)
#define ANY_END (TO(CLOSING) | TO(CLOSED))
static const struct {
    bool (*run)(struct smtp_server *s); /* takes one step; false: it needs more input */
    unsigned to;
    enum patience patience;
} states[SMTP_STATES] = {
    [SMTP_STATE_COMMAND] = { smtp_command_run,
                             TO(COMMAND) | TO(SASL) | TO(DATA) | TO(CHUNK) | TO(ASKED) | TO(DELAYED) | TO(HANDSHAKE) | ANY_END,
                             COMMAND_TIMEOUT },
    [SMTP_STATE_SASL] = { smtp_auth_run, TO(COMMAND) | TO(SASL) | TO(ASKED) | TO(DELAYED) | ANY_END, COMMAND_TIMEOUT },
    [SMTP_STATE_DATA] = { smtp_data_run, TO(COMMAND) | TO(ASKED) | ANY_END, DATA_TIMEOUT },
    [SMTP_STATE_CHUNK] = { smtp_chunk_run, TO(COMMAND) | TO(ASKED) | ANY_END, DATA_TIMEOUT },
    [SMTP_STATE_ASKED] = { NULL, TO(COMMAND) | TO(SASL) | TO(DELAYED) | ANY_END, ENDLESS },
    [SMTP_STATE_DELAYED] = { NULL, TO(COMMAND) | ANY_END, ENDLESS },
    [SMTP_STATE_HANDSHAKE] = { NULL, TO(COMMAND) | ANY_END, ENDLESS },
    [SMTP_STATE_CLOSING] = { closing_run, TO(CLOSED), ENDLESS },
    [SMTP_STATE_CLOSED] = { NULL, 0, ENDLESS },
};
#undef TO

void smtp_move(struct smtp_server *s, enum smtp_state to)
{
    assert(states[s->state].to & (1u << to));
    s->state = to;
    s->since_ms = s->now_ms;
}

/* ---------------------------------------------------------------- actions */
void smtp_act(struct smtp_server *s, struct smtp_action a)
{
    assert(s->action_count < SMTP_ACTIONS_MAX);
    s->actions[(s->action_first + s->action_count++) % SMTP_ACTIONS_MAX] = a;
}

void smtp_ask(struct smtp_server *s, struct smtp_action a)
{
    s->asked = a.type;
    smtp_act(s, a);
    smtp_move(s, SMTP_STATE_ASKED);
}

static bool closing_run(struct smtp_server *s)
{
    s->in = SLICE_NONE;
    smtp_act(s, (struct smtp_action){ .type = SMTP_CLOSE });
    smtp_move(s, SMTP_STATE_CLOSED);
    return true;
}

void smtp_refused(struct smtp_server *s, const struct smtp_reply *reply, const char *reason, const struct ingest_rcpt *rcpt)
{
    smtp_act(s, (struct smtp_action){ .type = SMTP_REFUSED, .reply = reply, .reason = reason, .rcpt = rcpt,
                                      .transaction = s->arena ? &s->transaction : NULL });
}

/* ---------------------------------------------------------------- output */
/* A reply that does not fit goes as a whole: half of one could be read as another. */
static void drop_half_line(struct buf *out)
{
    while (buf_len(out) && out->p[out->end - 1] != '\n')
        out->end--;
}

void smtp_out(struct smtp_server *s, struct slice bytes)
{
    if (s->broken || buf_add(&s->out, bytes) == 0)
        return;
    s->broken = true;
    drop_half_line(&s->out);
}

void smtp_write(struct smtp_server *s, int code, const char *enhanced, struct slice text)
{
    char head[24];
    size_t n = 0, e = strlen(enhanced);

    assert(code >= 200 && code <= 599 && e <= 12);
    head[n++] = (char)('0' + code / 100);
    head[n++] = (char)('0' + code / 10 % 10);
    head[n++] = (char)('0' + code % 10);
    head[n++] = ' ';
    memcpy(head + n, enhanced, e);
    n += e;
    if (e)
        head[n++] = ' ';
    smtp_out(s, slice_make(head, n));
    smtp_out(s, text);
    smtp_out(s, SLICE("\r\n"));
}

void smtp_say(struct smtp_server *s, enum smtp_say say)
{
    smtp_write(s, smtp_replies[say].code, smtp_replies[say].enhanced, slice_of(smtp_replies[say].text));
}

void smtp_bye(struct smtp_server *s, enum smtp_say say)
{
    smtp_content_drop(s);
    smtp_say(s, say);
    smtp_move(s, SMTP_STATE_CLOSING);
}

void smtp_error_text(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
    if (s->errors++ < s->options.max_errors) {
        smtp_write(s, code, enhanced, slice_of(text));
        return;
    }
    smtp_refused(s, &smtp_replies[SAY_TOO_MANY_ERRORS], "errors", NULL);
    smtp_bye(s, SAY_TOO_MANY_ERRORS);
}

void smtp_error(struct smtp_server *s, enum smtp_say say)
{
    smtp_error_text(s, smtp_replies[say].code, smtp_replies[say].enhanced, smtp_replies[say].text);
}

/* What the driver has seen goes before anything else happens. */
static void drop_fetched(struct smtp_server *s)
{
    buf_consume(&s->out, s->fetched);
    s->fetched = 0;
}

struct slice smtp_server_output(struct smtp_server *s)
{
    struct slice all;

    drop_fetched(s);
    all = buf_slice(&s->out);
    s->fetched = all.n;
    return all;
}

/* ---------------------------------------------------------------- input */
static bool is_too_long(struct slice line, size_t octets, size_t (*limit)(struct slice line))
{
    return octets > SMTP_LINE_MAX && octets > limit(line); /* no limit is below it: most lines are not looked up */
}

bool smtp_take_line(struct smtp_server *s, size_t (*limit)(struct slice line), struct slice *ret, enum smtp_say *ret_say)
{
    size_t end = slice_find(s->in, '\n');
    struct slice line = slice_head(s->in, end);

    if (end == s->in.n) {
        s->skipping |= is_too_long(line, end + 1, limit);
        if (s->skipping) /* nothing of it is needed any more */
            s->in = SLICE_NONE;
        return false;
    }
    s->in = slice_skip(s->in, end + 1);
    *ret_say = SAYS;
    if (s->skipping || is_too_long(line, end + 1, limit))
        *ret_say = SAY_LINE_TOO_LONG;
    else if (end == 0 || line.p[end - 1] != '\r')
        *ret_say = SAY_NOT_CRLF; /* RFC 5321 2.3.8: only CR LF ends a line */
    s->skipping = false;
    *ret = slice_head(line, *ret_say == SAYS ? end - 1 : end);
    return true;
}

void smtp_server_input(struct smtp_server *s, int64_t now_ms, struct slice in)
{
    drop_fetched(s);
    s->now_ms = now_ms;
    if (s->state == SMTP_STATE_DATA || s->state == SMTP_STATE_CHUNK)
        s->since_ms = now_ms; /* content that comes is progress; a command line counts when it is whole */
    if (s->state == SMTP_STATE_CLOSED || s->state == SMTP_STATE_CLOSING)
        return;
    if (!s->in.n) {
        s->in = in;
        s->in_is_kept = false;
        return;
    }
    if (buf_add(&s->kept, in) < 0) {
        s->broken = true;
        return;
    }
    s->in = buf_slice(&s->kept);
    s->in_is_kept = true;
}

/* The driver's bytes are about to vanish: what was not parsed is copied. */
static void keep_rest(struct smtp_server *s)
{
    if (s->in_is_kept) {
        buf_consume(&s->kept, buf_len(&s->kept) - s->in.n);
    } else if (s->in.n && buf_add(&s->kept, s->in) < 0) {
        s->broken = true;
        s->in = SLICE_NONE;
    }
    if (!s->in.n) {
        buf_wipe(&s->kept); /* it may have held a password; an idle connection holds no memory */
        s->in_is_kept = false;
        return;
    }
    s->in = buf_slice(&s->kept);
    s->in_is_kept = true;
}

/* Where nothing is under way that the client must hear of. */
static void quit_if_told(struct smtp_server *s)
{
    bool busy = s->content.begun || s->state == SMTP_STATE_ASKED || s->state == SMTP_STATE_HANDSHAKE;

    if (s->quit != SAYS && !busy && s->state != SMTP_STATE_CLOSING && s->state != SMTP_STATE_CLOSED)
        smtp_bye(s, s->quit);
}

static bool output_is_full(const struct smtp_server *s)
{
    return buf_len(&s->out) - s->fetched >= SMTP_OUTPUT_MAX;
}

enum smtp_action_type smtp_server_next(struct smtp_server *s, struct smtp_action *ret)
{
    drop_fetched(s);
    while (!s->action_count && !output_is_full(s)) {
        quit_if_told(s);
        if (s->broken && s->state != SMTP_STATE_CLOSING && s->state != SMTP_STATE_CLOSED && s->state != SMTP_STATE_ASKED)
            smtp_move(s, SMTP_STATE_CLOSING);
        if (!states[s->state].run || !states[s->state].run(s))
            break;
    }
    if (s->action_count) {
        *ret = s->actions[s->action_first];
        s->action_first = (s->action_first + 1) % SMTP_ACTIONS_MAX;
        s->action_count--;
        return ret->type;
    }
    s->output_was_full = output_is_full(s);
    keep_rest(s);
    *ret = (struct smtp_action){ .type = SMTP_WAIT };
    return SMTP_WAIT;
}

bool smtp_server_has_more(const struct smtp_server *s)
{
    return s->output_was_full;
}

bool smtp_server_hears_secrets(const struct smtp_server *s)
{
    return s->options.mechanisms && !s->has_said_auth && s->state != SMTP_STATE_DATA && s->state != SMTP_STATE_CHUNK;
}

bool smtp_server_wants_input(const struct smtp_server *s)
{
    return s->in.n < SMTP_KEPT_MAX;
}

/* ---------------------------------------------------------------- answers */
void smtp_reset(struct smtp_server *s)
{
    smtp_content_drop(s);
    arena_free(s->arena);
    s->arena = NULL;
    s->transaction = (struct smtp_transaction){ 0 };
    s->candidate = (struct ingest_rcpt){ 0 };
    s->rcpt_room = 0;
    s->in_mail = false;
}

void smtp_server_answer(struct smtp_server *s, int64_t now_ms, const struct ingest_reply *reply)
{
    assert(s->state == SMTP_STATE_ASKED);
    drop_fetched(s);
    s->now_ms = now_ms;
    smtp_move(s, SMTP_STATE_COMMAND);
    if (s->asked == SMTP_ASK_COMMIT)
        smtp_data_answer(s, reply);
    else
        smtp_command_answer(s, reply);
    if (reply->code == 421 && s->state == SMTP_STATE_COMMAND)
        smtp_move(s, SMTP_STATE_CLOSING);
}

void smtp_server_quit(struct smtp_server *s, enum smtp_say say)
{
    s->quit = say;
}

void smtp_server_tls_done(struct smtp_server *s, int64_t now_ms, bool knows_user)
{
    assert(s->state == SMTP_STATE_HANDSHAKE);
    s->now_ms = now_ms;
    s->is_tls = true;
    s->knows_user = knows_user;
    s->logged_in = knows_user;
    smtp_move(s, SMTP_STATE_COMMAND);
}

/* ---------------------------------------------------------------- time */
int64_t smtp_server_deadline_ms(const struct smtp_server *s)
{
    if (s->state == SMTP_STATE_DELAYED)
        return s->auth_asked_ms + s->options.auth_failure_delay_ms;
    switch (states[s->state].patience) {
    case COMMAND_TIMEOUT:
        return s->since_ms + s->options.command_timeout_ms;
    case DATA_TIMEOUT:
        return s->since_ms + s->options.data_timeout_ms;
    case ENDLESS:
        break;
    }
    return NEVER_MS;
}

void smtp_server_tick(struct smtp_server *s, int64_t now_ms)
{
    drop_fetched(s);
    s->now_ms = now_ms;
    if (now_ms < smtp_server_deadline_ms(s))
        return;
    if (s->state == SMTP_STATE_DELAYED)
        smtp_auth_say_wrong(s);
    else
        smtp_bye(s, SAY_TIMEOUT);
}

/* ---------------------------------------------------------------- life */
struct smtp_server *smtp_server_new(const struct smtp_server_options *options, enum smtp_say refusal, enum smtp_channel channel,
                                    int64_t now_ms)
{
    struct smtp_server *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->options = *options;
    s->now_ms = s->since_ms = now_ms;
    s->is_tls = channel != SMTP_CLEAR;
    s->knows_user = s->logged_in = channel == SMTP_TLS_KNOWS_USER;
    s->quit = SAYS;
    s->content.refusal = s->content.chunk_reply = SAYS;
    buf_init_secret(&s->kept, KEPT_CAP);
    buf_init(&s->out, 0);
    buf_init(&s->content.rewritten, 0);
    s->state = refusal == SAYS ? SMTP_STATE_COMMAND : SMTP_STATE_CLOSING;
    if (refusal != SAYS) {
        smtp_say(s, refusal);
        return s;
    }
    smtp_out(s, SLICE("220 "));
    smtp_out(s, options->hostname);
    smtp_out(s, SLICE(" ESMTP Fairlead\r\n"));
    return s;
}

void smtp_server_free(struct smtp_server *s)
{
    if (!s)
        return;
    sasl_wipe(&s->sasl);
    arena_free(s->arena);
    buf_wipe(&s->kept);
    buf_free(&s->out);
    buf_free(&s->content.rewritten);
    explicit_bzero(s->entropy, sizeof s->entropy);
    free(s);
}

void smtp_server_set_options(struct smtp_server *s, const struct smtp_server_options *options)
{
    s->options = *options;
}

void smtp_server_seed(struct smtp_server *s, const uint8_t entropy[SASL_ENTROPY], int64_t wall_ms)
{
    memcpy(s->entropy, entropy, sizeof s->entropy);
    s->wall_ms = wall_ms;
    s->seeded = true;
}

struct slice smtp_server_helo(const struct smtp_server *s) { return slice_of(s->helo); }
bool smtp_server_is_esmtp(const struct smtp_server *s) { return s->is_esmtp; }
