/* smtp_client_content.c: the content, and the reply that decides: DATA with its dot, or one BDAT (RFC 3030) for what should not
 * go by DATA: BINARYMIME, and lines longer than SMTP's (RFC 5321 4.5.3.1.6). */
#include "body.h"
#include "smtp_client_state.h"

#include "err.h"

/* Its reply is due once its content was written, so it counts as said only then. */
static int say_bdat(struct smtp_client *c, const struct transaction *tx)
{
    struct buf *out = client_out(c);
    size_t from = buf_len(out);
    int rc = buf_printf(out, "BDAT %llu LAST", (unsigned long long)tx->bdat_bytes);

    protocol_log_add(&c->log, 'C', slice_skip(buf_slice(out), from));
    return rc ? rc : buf_add(out, SLICE("\r\n"));
}

void content_begin(struct smtp_client *c, struct transaction *tx, int64_t now_ms)
{
    transaction_move(tx, TX_BODY);
    if (tx->by_bdat && client_out_failed(c, now_ms, say_bdat(c, tx)))
        return;
    c->ask_body = true;
}

/* The dot is no command for the log, but it has a reply. */
static int say_dot(struct smtp_client *c, bool ends_in_crlf)
{
    c->issued++;
    return buf_add(client_out(c), ends_in_crlf ? SLICE(".\r\n") : SLICE("\r\n.\r\n"));
}

void content_none(struct smtp_client *c, struct transaction *tx, int64_t now_ms)
{
    transaction_move(tx, TX_DOT);
    tx->lone_dot = true;
    client_out_failed(c, now_ms, say_dot(c, true));
}

void content_sent(struct smtp_client *c, struct transaction *tx, int64_t now_ms, bool ends_in_crlf)
{
    transaction_move(tx, TX_DOT);
    if (tx->by_bdat) { /* nothing rides behind it: a refused BDAT needs RSET first */
        c->handed = ++c->issued;
        return;
    }
    if (!client_out_failed(c, now_ms, say_dot(c, ends_in_crlf)))
        c->say_room = c->offer.pipelining;
}

void content_on_reply(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    if (tx->lone_dot) {
        transaction_over(tx, now_ms, tx->result.mail_refused ? STAGE_MAIL : STAGE_RCPT);
        return;
    }
    if (r->code / 100 == 3) {
        client_lose(c, now_ms, NULL, "the host's reply does not fit the final dot");
        return;
    }
    tx->result.reply = *r;
    transaction_judge_taken(tx, STAGE_DOT, r);
    c->needs_rset = tx->by_bdat && r->code >= 400; /* RFC 3030 2; a dot clears all by itself (RFC 5321 4.1.1.4) */
    transaction_over(tx, now_ms, STAGE_DOT);
}

void content_interrupted(struct smtp_client *c, struct transaction *tx, int64_t now_ms, const struct reply *r)
{
    tx->result.reply = *r;
    transaction_judge_taken(tx, STAGE_DATA, r);
    client_fail(c, now_ms, CONNECTION_LOST, STAGE_DATA, r, NULL, NULL);
}

void content_unreadable(struct transaction *tx, const char *text)
{
    attempt_reply(&tx->result.reply, "4.3.0", text);
    transaction_judge_taken(tx, STAGE_DATA, &tx->result.reply);
}
