/* smtp_client_fit.c: does the message fit the host? What needs an extension that is not offered is not converted, since that
 * would break signatures: it goes out where it turns out not to need the extension, and bounces with the right code where it
 * does. */
#include "address.h"
#include "body.h"
#include "smtp_client_state.h"

#include "err.h"

static enum fit cannot(struct reply *ret, const char *enhanced, const char *text)
{
    attempt_reply(ret, enhanced, text);
    return FIT_CANNOT;
}

/* A mailbox whose local part is ASCII can go to any host: its domain has A-labels. */
static bool needs_utf8(struct slice mailbox)
{
    struct address a;

    if (slice_is_ascii(mailbox))
        return false;
    return address_parse(mailbox, true, &a) != ADDRESS_OK || address_needs_smtputf8(&a);
}

/* Recipients that cannot be named here; true when any is left. */
static bool some_can_be_named(struct transaction *tx)
{
    int left = tx->result.rcpt_count;

    for (int i = 0; i < tx->result.rcpt_count; i++) {
        struct rcpt_result *r = &tx->result.rcpts[i];

        if (!needs_utf8(tx->env->rcpts[tx->index[i]].address))
            continue;
        r->judged = true;
        r->stage = STAGE_RCPT;
        attempt_reply(&r->reply, "5.6.7", "the address is not ASCII, and the host does not offer SMTPUTF8");
        left--;
    }
    return left > 0;
}

static bool is_raw(const struct transaction *tx)
{
    return tx->env->body && body_is_raw(tx->env->body);
}

/* Over-long lines are kept from DATA, and broken nowhere, since that would break signatures. A host without CHUNKING gets them
 * by DATA all the same: SHOULD be avoided when possible (RFC 5321 4.5.3.1). */
static bool has_another_way(const struct offer *o, const struct transaction *tx)
{
    return tx->env->long_lines && tx->env->body && o->chunking;
}

enum fit fit_message(const struct offer *o, struct transaction *tx, struct reply *ret_reply)
{
    const struct envelope *e = tx->env;
    bool utf8_missing = e->smtputf8 && !o->smtputf8;

    if (o->size > 0 && e->size > o->size)
        return cannot(ret_reply, "5.3.4", "the message is larger than the host announced to take");
    if (is_raw(tx) && !(o->chunking && o->binarymime))
        return cannot(ret_reply, "5.6.1", "the content is binary, and the host does not offer BINARYMIME");
    if (utf8_missing && needs_utf8(e->reverse_path))
        return cannot(ret_reply, "5.6.7", "the sender's address is not ASCII, and the host does not offer SMTPUTF8");
    if (utf8_missing && !some_can_be_named(tx))
        return cannot(ret_reply, "5.6.7", "the address is not ASCII, and the host does not offer SMTPUTF8");
    tx->says_utf8 = e->smtputf8 && o->smtputf8;
    tx->by_bdat = is_raw(tx) || has_another_way(o, tx);
    tx->bdat_bytes = is_raw(tx) ? body_length(e->body) : 0;
    if (tx->by_bdat && !is_raw(tx))
        return FIT_SCAN;
    if (utf8_missing || (e->body_type == BODY_8BIT && !o->eight_bit_mime))
        return FIT_SCAN;
    return FIT_OK;
}

enum fit fit_content(const struct offer *o, const struct transaction *tx, bool eight_bit, bool header_eight_bit,
                     struct reply *ret_reply)
{
    if (header_eight_bit && tx->env->smtputf8 && !o->smtputf8)
        return cannot(ret_reply, "5.6.9", "the header is not ASCII, and the host does not offer SMTPUTF8");
    if (eight_bit && !is_raw(tx) && !o->eight_bit_mime)
        return cannot(ret_reply, "5.6.3", "the content has 8-bit characters, and the host does not offer 8BITMIME");
    return FIT_OK;
}
