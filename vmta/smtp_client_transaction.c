/* smtp_client_transaction.c: MAIL, RCPT, DATA and their replies: each recipient's result kept apart. With PIPELINING all of
 * them go in one write (RFC 2920), otherwise each waits for the reply before it. */
#include "smtp_client_state.h"

#include <assert.h>

#include "body.h"
#include "err.h"
#include "fault.h"

/* ---------------------------------------------------------------- phases */
#define TO(p) (1u << TX_##p)
static const struct {
    enum reply_stage stage; /* of what goes wrong there */
    unsigned to;
} phases[TX_PHASES] = {
    [TX_FREE] = { STAGE_NONE, TO(SCAN) | TO(RSET) | TO(MAIL) | TO(OVER) },
    [TX_SCAN] = { STAGE_MAIL, TO(RSET) | TO(MAIL) | TO(OVER) },
    [TX_RSET] = { STAGE_MAIL, TO(MAIL) | TO(OVER) },
    [TX_MAIL] = { STAGE_MAIL, TO(RCPT) | TO(OVER) },
    [TX_RCPT] = { STAGE_RCPT, TO(DATA) | TO(BODY) | TO(OVER) },
    [TX_DATA] = { STAGE_DATA, TO(BODY) | TO(DOT) | TO(OVER) },
    [TX_BODY] = { STAGE_DATA, TO(DOT) | TO(OVER) },
    [TX_DOT]  = { STAGE_DOT, TO(OVER) },
    [TX_OVER] = { STAGE_NONE, 0 },
};
#undef TO

void transaction_move(struct transaction *tx, enum tx_phase to)
{
    assert(phases[tx->phase].to & (1u << to));
    tx->phase = to;
}

enum reply_stage transaction_stage(const struct transaction *tx)
{
    return phases[tx->phase].stage;
}

/* ---------------------------------------------------------------- verdicts */
static bool was_taken(const struct rcpt_result *r)
{
    return !r->judged && !r->surplus && r->reply.code / 100 == 2;
}

void transaction_judge_taken(struct transaction *tx, enum reply_stage stage, const struct reply *r)
{
    for (int i = 0; i < tx->result.rcpt_count; i++) {
        struct rcpt_result *rcpt = &tx->result.rcpts[i];

        if (!was_taken(rcpt))
            continue;
        rcpt->judged = true;
        rcpt->stage = stage;
        rcpt->reply = *r;
    }
}

void transaction_over(struct transaction *tx, int64_t now_ms, enum reply_stage stage)
{
    tx->result.stage = stage;
    tx->result.ended_ms = now_ms;
    transaction_move(tx, TX_OVER);
}

/* A dot whose reply never came may have been taken: those recipients wait, so that a duplicate comes late, if at all.
 * Everybody else was not judged. */
void transaction_abandon(struct transaction *tx, int64_t now_ms, const struct reply *r, bool is_421)
{
    enum reply_stage stage = transaction_stage(tx);

    if (tx->phase == TX_OVER)
        return;
    if (tx->phase == TX_DOT && !is_421)
        transaction_judge_taken(tx, STAGE_DOT, FAULT(lost_dot_is_yes) ? &(struct reply){ .code = 250 } : r);
    for (int i = 0; i < tx->result.rcpt_count; i++) {
        struct rcpt_result *rcpt = &tx->result.rcpts[i];

        if (rcpt->judged || (rcpt->surplus && tx->phase == TX_DOT && !is_421))
            continue;
        rcpt->surplus = false;
        rcpt->stage = stage;
        rcpt->reply = *r;
    }
    if (!tx->result.reply.code)
        tx->result.reply = *r;
    transaction_over(tx, now_ms, stage);
}

/* Refused before its content: what the remote still holds of it must be cleared (RFC 5321 4.1.1.5). */
static void refused(struct smtp_client *c, struct transaction *tx, int64_t now_ms, enum reply_stage stage)
{
    c->needs_rset = true;
    transaction_over(tx, now_ms, stage);
}

static void nonsense(struct smtp_client *c, int64_t now_ms)
{
    client_lose(c, now_ms, NULL, "the host's reply does not fit the command");
}

/* ---------------------------------------------------------------- commands */
/* The first recipient from i on that RCPT is to be said for. */
static int next_rcpt(const struct transaction *tx, int i)
{
    while (i < tx->result.rcpt_count && tx->result.rcpts[i].judged)
        i++;
    return i;
}

static int say_mail(struct smtp_client *c, struct transaction *tx)
{
    struct buf *out = client_out(c);
    size_t from = buf_len(out);
    int rc = command_mail(&c->offer, tx, out);

    return rc ? rc : client_said(c, from);
}

static int say_rcpt(struct smtp_client *c, struct transaction *tx)
{
    struct buf *out = client_out(c);
    size_t from = buf_len(out);
    int rc = command_rcpt(&c->offer, tx, tx->said, out);

    tx->said = next_rcpt(tx, tx->said + 1);
    return rc ? rc : client_said(c, from);
}

static int say_all(struct smtp_client *c, struct transaction *tx)
{
    int rc = say_mail(c, tx);

    while (!rc && tx->said < tx->result.rcpt_count)
        rc = say_rcpt(c, tx);
    if (!rc && !tx->by_bdat)
        rc = client_say(c, "DATA");
    return rc;
}

/* The message fits: RSET if needed, MAIL, and the rest with it where the remote allows. */
static void say_first(struct smtp_client *c, struct transaction *tx, int64_t now_ms)
{
    int rc = 0;

    tx->said = tx->heard = next_rcpt(tx, 0);
    tx->at_once = c->offer.pipelining;
    if (c->needs_rset)
        rc = client_say(c, "RSET");
    transaction_move(tx, c->needs_rset ? TX_RSET : TX_MAIL);
    c->needs_rset = false;
    if (!rc && tx->at_once)
        rc = say_all(c, tx);
    else if (!rc && tx->phase == TX_MAIL)
        rc = say_mail(c, tx);
    client_out_failed(c, now_ms, rc);
}

/* The remote lacks what the message needs: nothing is said. */
static void does_not_fit(struct transaction *tx, int64_t now_ms)
{
    tx->result.cannot = true;
    for (int i = 0; i < tx->result.rcpt_count; i++) {
        struct rcpt_result *r = &tx->result.rcpts[i];

        if (r->judged)
            continue;
        r->judged = true;
        r->stage = STAGE_MAIL;
        r->reply = tx->result.reply;
    }
    transaction_over(tx, now_ms, STAGE_MAIL);
}

void transaction_begin(struct smtp_client *c, struct transaction *tx, int64_t now_ms)
{
    for (int i = 0; i < tx->result.rcpt_count; i++) {
        struct rcpt_result *r = &tx->result.rcpts[i];

        r->stage = STAGE_NONE;
        r->judged = r->surplus = false;
        r->reply.code = 0;
        r->reply.enhanced[0] = r->reply.text[0] = 0;
    }
    switch (fit_message(&c->offer, tx, &tx->result.reply)) {
    case FIT_OK:
        say_first(c, tx, now_ms);
        break;
    case FIT_SCAN:
        transaction_move(tx, TX_SCAN);
        c->ask_scan = true;
        break;
    case FIT_CANNOT:
        does_not_fit(tx, now_ms);
        break;
    }
}

bool transaction_unstuffs(const struct transaction *tx)
{
    return tx->by_bdat && !body_is_raw(tx->env->body);
}

void transaction_scanned(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct content_scan *scan)
{
    if (transaction_unstuffs(tx))
        tx->bdat_bytes = scan->raw_bytes;
    if (fit_content(&c->offer, tx, scan->eight_bit, scan->header_eight_bit, &tx->result.reply) == FIT_OK) {
        c->since_ms = now_ms;
        say_first(c, tx, now_ms);
    } else {
        does_not_fit(tx, now_ms);
    }
}

/* ---------------------------------------------------------------- replies */
static void on_rset(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    if (r->code / 100 != 2) {
        client_lose(c, now_ms, NULL, "the host refused RSET");
        return;
    }
    transaction_move(tx, TX_MAIL);
    if (!tx->at_once)
        client_out_failed(c, now_ms, say_mail(c, tx));
}

static void on_mail(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    tx->result.mail_refused = r->code >= 400;
    if (r->code / 100 == 3) {
        nonsense(c, now_ms);
    } else if (tx->result.mail_refused && !tx->at_once) {
        tx->result.reply = *r;
        refused(c, tx, now_ms, STAGE_MAIL);
    } else {
        if (tx->result.mail_refused)
            tx->result.reply = *r;
        transaction_move(tx, TX_RCPT);
        if (!tx->at_once)
            client_out_failed(c, now_ms, say_rcpt(c, tx));
    }
}

/* Too many recipients, and not: this one is bad (RFC 5321 4.5.3.1.10: 452; of old 552). Only after others were taken, so
 * that each transaction gets some through. */
static bool is_surplus(const struct transaction *tx, const struct reply *r)
{
    if (!tx->taken)
        return false;
    if (r->enhanced[0])
        return slice_eq(slice_skip(slice_of(r->enhanced), 1), SLICE(".5.3"));
    return r->code == 452 || (r->code == 552 && slice_find_slice(slice_of(r->text), SLICE("recipients")) < slice_of(r->text).n);
}

static void take_rcpt_reply(struct transaction *tx, const struct reply *r)
{
    struct rcpt_result *rcpt = &tx->result.rcpts[tx->heard];

    tx->heard = next_rcpt(tx, tx->heard + 1);
    if (tx->result.mail_refused)
        return;
    rcpt->stage = STAGE_RCPT;
    if (r->code / 100 == 2) {
        rcpt->reply.code = r->code;
        tx->taken++;
        return;
    }
    rcpt->reply = *r;
    rcpt->surplus = is_surplus(tx, r);
    rcpt->judged = !rcpt->surplus;
    if (FAULT(refusal_for_all))
        transaction_judge_taken(tx, STAGE_RCPT, r);
}

/* All recipients are answered. */
static void after_rcpts(struct smtp_client *c, struct transaction *tx, int64_t now_ms)
{
    if (tx->at_once && !tx->by_bdat) {
        transaction_move(tx, TX_DATA); /* said already */
    } else if (tx->result.mail_refused || !tx->taken) {
        refused(c, tx, now_ms, tx->result.mail_refused ? STAGE_MAIL : STAGE_RCPT);
    } else if (tx->by_bdat) {
        content_begin(c, tx, now_ms);
    } else {
        transaction_move(tx, TX_DATA);
        client_out_failed(c, now_ms, client_say(c, "DATA"));
    }
}

static void on_rcpt(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    if (r->code / 100 == 3) {
        nonsense(c, now_ms);
        return;
    }
    take_rcpt_reply(tx, r);
    if (tx->heard == tx->result.rcpt_count)
        after_rcpts(c, tx, now_ms);
    else if (!tx->at_once)
        client_out_failed(c, now_ms, say_rcpt(c, tx));
}

static void on_data(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    bool wanted = tx->taken > 0 && !tx->result.mail_refused;

    if (r->code / 100 == 2) {
        nonsense(c, now_ms);
    } else if (r->code / 100 == 3 && wanted) {
        content_begin(c, tx, now_ms);
    } else if (r->code / 100 == 3) {
        content_none(c, tx, now_ms);
    } else if (wanted) {
        tx->result.reply = *r;
        transaction_judge_taken(tx, STAGE_DATA, r);
        refused(c, tx, now_ms, STAGE_DATA);
    } else {
        refused(c, tx, now_ms, tx->result.mail_refused ? STAGE_MAIL : STAGE_RCPT);
    }
}

void transaction_on_reply(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    static void (*const on_reply[TX_PHASES])(struct smtp_client *, struct transaction *, int64_t, const struct reply *) = {
        [TX_RSET] = on_rset, [TX_MAIL] = on_mail, [TX_RCPT] = on_rcpt, [TX_DATA] = on_data, [TX_DOT] = content_on_reply,
    };

    on_reply[tx->phase](c, tx, now_ms, r);
}
