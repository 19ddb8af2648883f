/* smtp_data.c: the content of a message: DATA (RFC 5321 4.1.1.4), BDAT and BINARYMIME (RFC 3030), its limits, and what bare
 * line ends do to it. See smtp_state.h. Only CRLF.CRLF ends DATA, and only octet counts end a chunk: there is no second
 * reading. */
#include <stdio.h>

#include "smtp_state.h"

/* ---------------------------------------------------------------- begin and end */
static void content_begin(struct smtp_server *s, bool chunked)
{
    struct smtp_content *c = &s->content;

    c->begun = true;
    c->chunked = chunked;
    c->raw = s->transaction.body_type == BODY_BINARY;
    c->refusal = SAYS;
    c->raw_bytes = 0;
    c->newline = (struct newline){ 0 };
    wire_scan_init(&c->scan);
    wire_stuff_init(&c->stuff);
    wire_unstuff_init(&c->unstuff);
    smtp_act(s, (struct smtp_action){ .type = SMTP_BEGIN_BODY, .transaction = &s->transaction });
}

/* Nothing of it is wanted any more. */
static void content_void(struct smtp_server *s)
{
    if (s->content.begun)
        smtp_act(s, (struct smtp_action){ .type = SMTP_DROP_BODY });
    s->content.begun = false;
}

void smtp_content_drop(struct smtp_server *s)
{
    content_void(s);
    s->content.chunked = false;
    buf_free(&s->content.rewritten);
}

/* The transaction ends by a refusal. Its memory stays for the event that tells of it; the next MAIL takes it. */
static void refuse_content(struct smtp_server *s, enum smtp_say say)
{
    smtp_content_drop(s);
    s->in_mail = false;
    smtp_refused(s, &smtp_replies[say], say == SAY_TOO_BIG ? "size" : "content", NULL);
    smtp_say(s, say);
}

static void ask_commit(struct smtp_server *s, const struct wire_facts *f)
{
    struct smtp_transaction *t = &s->transaction;

    t->size = f->bytes;
    t->eight_bit = f->eight_bit;
    t->long_lines = f->longest_line > WIRE_LINE_MAX;
    t->dot_ms = s->now_ms;
    s->content.begun = s->content.chunked = false; /* it is the driver's now */
    smtp_ask(s, (struct smtp_action){ .type = SMTP_ASK_COMMIT, .transaction = t });
}

void smtp_data_answer(struct smtp_server *s, const struct ingest_reply *reply)
{
    smtp_write(s, reply->code, reply->enhanced, slice_of(reply->text));
    if (reply->code == 250)
        s->errors = 0; /* max_errors is for those who bring nothing else */
    smtp_reset(s);
}

/* ---------------------------------------------------------------- what comes in */
static const struct wire_facts *facts_of(const struct smtp_content *c)
{
    return c->chunked || c->newline_mode ? &c->stuff.facts : &c->scan.facts;
}

static enum smtp_say judge(const struct smtp_server *s, const struct wire_facts *f)
{
    if (f->bytes > (uint64_t)s->options.max_size)
        return SAY_TOO_BIG;
    if (f->bare_cr || f->bare_lf)
        return SAY_BARE_NEWLINE;
    return f->nul ? SAY_NUL : SAYS;
}

/* Notes what the facts so far make impossible. False: so much came that the connection ends. */
static bool content_judge(struct smtp_server *s)
{
    struct smtp_content *c = &s->content;
    const struct wire_facts *f = facts_of(c);

    if (c->refusal == SAYS) {
        c->refusal = judge(s, f);
        if (c->refusal != SAYS)
            content_void(s);
    }
    if (c->refusal == SAYS || f->bytes <= (uint64_t)s->options.max_size ||
        f->bytes - (uint64_t)s->options.max_size <= SMTP_EXCESS_MAX)
        return true;
    smtp_refused(s, &smtp_replies[c->refusal], "size", NULL);
    smtp_bye(s, c->refusal);
    return false;
}

static void emit(struct smtp_server *s, struct slice piece)
{
    if (s->content.refusal == SAYS && piece.n)
        smtp_act(s, (struct smtp_action){ .type = SMTP_BODY, .bytes = piece });
}

/* Raw octets, one kind of line end, stuffed, onto the end of rewritten. */
static void normalise(struct smtp_server *s, struct slice raw)
{
    struct smtp_content *c = &s->content;
    struct slice piece;

    while (newline_next(&c->newline, &raw, &piece))
        if (wire_stuff_add(&c->stuff, piece, &c->rewritten) < 0)
            s->broken = true;
}

static void normalise_end(struct smtp_server *s)
{
    if (wire_stuff_add(&s->content.stuff, newline_end(&s->content.newline), &s->content.rewritten) < 0)
        s->broken = true;
}

/* ---------------------------------------------------------------- DATA */
void smtp_data_begin(struct smtp_server *s)
{
    s->content.newline_mode = s->options.normalise_newlines;
    content_begin(s, false);
    smtp_say(s, SAY_GO_AHEAD);
    smtp_move(s, SMTP_STATE_DATA);
}

static void data_take(struct smtp_server *s, struct slice piece)
{
    struct smtp_content *c = &s->content;
    struct slice raw;

    if (c->newline_mode) {
        buf_clear(&c->rewritten);
        while (wire_unstuff_next(&c->unstuff, &piece, &raw))
            normalise(s, raw);
        piece = buf_slice(&c->rewritten);
    }
    if (content_judge(s))
        emit(s, piece);
}

static void data_end(struct smtp_server *s)
{
    struct smtp_content *c = &s->content;
    const struct wire_facts *f = facts_of(c);

    if (c->refusal == SAYS)
        c->refusal = judge(s, f); /* what the last octets changed */
    if (c->refusal == SAYS) {
        ask_commit(s, f);
        return;
    }
    refuse_content(s, c->refusal);
    smtp_move(s, SMTP_STATE_COMMAND);
}

bool smtp_data_run(struct smtp_server *s)
{
    struct slice piece;

    if (wire_scan_next(&s->content.scan, &s->in, &piece)) {
        data_take(s, piece);
        return true;
    }
    if (!s->content.scan.ended)
        return false;
    data_end(s);
    return true;
}

/* ---------------------------------------------------------------- BDAT */
static uint64_t bytes_so_far(const struct smtp_content *c)
{
    return !c->begun ? 0 : c->raw ? c->raw_bytes : c->stuff.facts.bytes;
}

void smtp_chunk_begin(struct smtp_server *s, uint64_t n, bool last, enum smtp_say say)
{
    struct smtp_content *c = &s->content;
    uint64_t max = (uint64_t)s->options.max_size, before = bytes_so_far(c);

    if (say == SAYS && n > max - (before < max ? before : max))
        say = SAY_TOO_BIG;
    if (say != SAYS && n > max && n - max > SMTP_EXCESS_MAX) { /* too much to swallow, and nothing else would be in step */
        smtp_bye(s, say);
        return;
    }
    c->chunk_left = n;
    c->chunk_last = last;
    c->chunk_reply = say;
    if (say == SAYS && !c->chunked) {
        c->newline_mode = s->options.normalise_newlines && s->transaction.body_type != BODY_BINARY;
        content_begin(s, true);
    }
    smtp_move(s, SMTP_STATE_CHUNK);
}

/* Octets of the chunk that are there, and were taken off the input. */
static void chunk_advance(struct smtp_server *s, size_t n)
{
    s->in = slice_skip(s->in, n);
    s->content.chunk_left -= n;
}

static void chunk_take(struct smtp_server *s, struct slice part)
{
    struct smtp_content *c = &s->content;
    struct slice rest = part, piece = SLICE_NONE;

    if (c->raw) {
        c->raw_bytes += part.n;
        chunk_advance(s, part.n);
        emit(s, part);
        return;
    }
    if (c->newline_mode) {
        buf_clear(&c->rewritten);
        normalise(s, part);
        rest = SLICE_NONE;
        piece = buf_slice(&c->rewritten);
    } else {
        wire_stuff_next(&c->stuff, &rest, &piece);
    }
    chunk_advance(s, part.n - rest.n);
    if (content_judge(s))
        emit(s, piece);
}

/* The last chunk is whole: what its end adds, and the question. */
static void last_chunk_end(struct smtp_server *s)
{
    struct smtp_content *c = &s->content;
    struct slice rest = SLICE_NONE, tail;

    if (c->raw) {
        ask_commit(s, &(struct wire_facts){ .bytes = c->raw_bytes, .eight_bit = true });
        return;
    }
    if (c->newline_mode) {
        buf_clear(&c->rewritten);
        normalise_end(s);
        rest = buf_slice(&c->rewritten);
    }
    tail = wire_stuff_end(&c->stuff);
    if (c->refusal == SAYS)
        c->refusal = judge(s, &c->stuff.facts);
    if (c->refusal == SAYS) {
        emit(s, rest);
        emit(s, tail);
        ask_commit(s, &c->stuff.facts);
    } else {
        refuse_content(s, c->refusal);
        smtp_move(s, SMTP_STATE_COMMAND);
    }
}

static void chunk_end(struct smtp_server *s)
{
    struct smtp_content *c = &s->content;
    enum smtp_say say = c->chunk_reply != SAYS ? c->chunk_reply : c->refusal;

    if (c->chunk_reply == SAYS && c->chunk_last) {
        last_chunk_end(s);
        return;
    }
    smtp_move(s, SMTP_STATE_COMMAND);
    if (c->chunk_reply == SAYS && c->refusal == SAYS)
        smtp_say(s, SAY_CHUNK_OK);
    else if (say == SAY_TOO_BIG || c->chunk_reply == SAYS)
        refuse_content(s, say);
    else
        smtp_error(s, say);
}

bool smtp_chunk_run(struct smtp_server *s)
{
    struct smtp_content *c = &s->content;
    struct slice part = slice_head(s->in, c->chunk_left < SIZE_MAX ? (size_t)c->chunk_left : SIZE_MAX);

    if (!c->chunk_left) {
        chunk_end(s);
        return true;
    }
    if (!part.n)
        return false;
    if (c->chunk_reply != SAYS)
        chunk_advance(s, part.n);
    else
        chunk_take(s, part);
    return true;
}
