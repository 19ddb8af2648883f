/* smtp_client_command.c: MAIL and RCPT, with the parameters that the message has and the host offers. */
#include "address.h"
#include "esmtp.h"
#include "smtp_client_state.h"

#include "err.h"

/* A path with its brackets. Without SMTPUTF8 a domain goes in A-labels. */
static int add_path(struct buf *out, struct slice mailbox, bool says_utf8)
{
    char ascii[ADDRESS_TEXT];
    struct address a;
    int rc = buf_add_char(out, '<');

    if (!says_utf8 && !slice_is_ascii(mailbox) && address_parse(mailbox, true, &a) == ADDRESS_OK) {
        address_ascii_domain(&a, ascii);
        mailbox = slice_of(ascii);
    }
    if (!rc)
        rc = buf_add(out, mailbox);
    return rc ? rc : buf_add_char(out, '>');
}

/* Binary content goes only to hosts that offer BINARYMIME. Over-long lines are binary too where that is offered; where it is not,
 * the parameter would be a syntax error, and BDAT alone has to do. */
static int add_body_type(const struct offer *o, const struct transaction *tx, struct buf *out)
{
    if (tx->by_bdat && o->binarymime)
        return buf_add_text(out, " BODY=BINARYMIME");
    if (tx->env->body_type != BODY_7BIT && o->eight_bit_mime)
        return buf_add_text(out, " BODY=8BITMIME");
    return 0;
}

/* RFC 3461 4.3, 4.4. */
static int add_dsn(const struct envelope *e, struct buf *out)
{
    static const char *const ret_words[] = { [RET_DEFAULT] = "", [RET_FULL] = " RET=FULL", [RET_HDRS] = " RET=HDRS" };
    int rc = buf_add_text(out, ret_words[e->ret]);

    if (rc || !e->envid.n)
        return rc;
    rc = buf_add_text(out, " ENVID=");
    return rc ? rc : esmtp_xtext_encode(e->envid, out);
}

int command_mail(const struct offer *o, const struct transaction *tx, struct buf *out)
{
    int rc = buf_add_text(out, "MAIL FROM:");

    if (!rc)
        rc = add_path(out, tx->env->reverse_path, tx->says_utf8);
    if (!rc && o->has_size)
        rc = buf_printf(out, " SIZE=%lld", (long long)tx->env->size);
    if (!rc)
        rc = add_body_type(o, tx, out);
    if (!rc && tx->says_utf8)
        rc = buf_add_text(out, " SMTPUTF8");
    if (!rc && o->dsn)
        rc = add_dsn(tx->env, out);
    return rc;
}

int command_rcpt(const struct offer *o, const struct transaction *tx, int i, struct buf *out)
{
    const struct envelope_rcpt *r = &tx->env->rcpts[tx->index[i]];
    char notify[32];
    int rc = buf_add_text(out, "RCPT TO:");

    if (!rc)
        rc = add_path(out, r->address, tx->says_utf8);
    if (!rc && o->dsn && r->notify) {
        esmtp_notify_text(r->notify, notify);
        rc = buf_printf(out, " NOTIFY=%s", notify);
    }
    if (!rc && o->dsn && r->orcpt.n) {
        rc = buf_add_text(out, " ORCPT=");
        if (!rc)
            rc = esmtp_orcpt_encode(r->orcpt, tx->says_utf8, out);
    }
    return rc;
}
