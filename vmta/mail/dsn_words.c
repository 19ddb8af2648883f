/* dsn_words.c: the part of a DSN that a person reads (dsn_part.h). */
#include "dsn_part.h"

#include "clock.h"

enum { LINE_WANTED = 72 };

static const char *const leads[DSN_ACTIONS] = {
    [DSN_FAILED] = "Your message could not be delivered to the recipients below.\r\n"
                   "It will not be tried again.\r\n",
    [DSN_DELAYED] = "Your message has not been delivered yet to the recipients below.\r\n"
                    "It is still tried; there is no need to send it again.\r\n",
    [DSN_DELIVERED] = "Your message was delivered to the recipients below.\r\n",
    [DSN_RELAYED] = "Your message was handed on for the recipients below, to hosts\r\n"
                    "that send no further reports.\r\n",
    [DSN_EXPANDED] = "Your message was delivered to the lists below,\r\n"
                     "and sent on to their members.\r\n",
};

/* Adds words at a margin, in lines of about LINE_WANTED. */
static int add_wrapped(struct buf *out, struct slice text)
{
    static const char margin[] = "     ";
    size_t column = 0;
    int rc = 0;

    while (text.n && rc == 0) {
        struct slice word = slice_cut(&text, ' ');

        if (!word.n)
            continue;
        if (column && column + 1 + word.n > LINE_WANTED) {
            rc = buf_add(out, SLICE("\r\n"));
            column = 0;
        }
        if (rc == 0)
            rc = buf_add_text(out, column ? " " : margin);
        if (rc == 0)
            rc = buf_add(out, word);
        column += 1 + word.n + (column ? 0 : sizeof margin - 1);
    }
    return rc < 0 || !column ? rc : buf_add(out, SLICE("\r\n"));
}

/* Who said what: "mx.dest.example answered: 550 5.1.1 no such user". */
static int add_reason(const struct dsn_recipient *rcpt, struct buf *out)
{
    struct buf line;
    int rc = 0;

    buf_init(&line, 0);
    if (rcpt->remote_mta.n)
        rc = buf_printf(&line, "%.*s answered: ", SLICE_ARG(rcpt->remote_mta));
    if (rc == 0 && rcpt->code)
        rc = buf_printf(&line, "%d ", rcpt->code);
    if (rc == 0 && rcpt->enhanced.n)
        rc = buf_printf(&line, "%.*s ", SLICE_ARG(rcpt->enhanced));
    if (rc == 0)
        rc = buf_add(&line, rcpt->diagnostic);
    if (rc == 0)
        rc = add_wrapped(out, buf_slice(&line));
    buf_free(&line);
    return rc;
}

static int add_recipient(const struct dsn_recipient *rcpt, struct buf *out)
{
    char date[CLOCK_RFC5322];
    int rc = buf_printf(out, "\r\n  <%.*s>\r\n", SLICE_ARG(rcpt->address));

    if (rc == 0)
        rc = add_reason(rcpt, out);
    if (rc < 0 || rcpt->action != DSN_DELAYED || !rcpt->retry_until_ms)
        return rc;
    clock_rfc5322(rcpt->retry_until_ms, date);
    return buf_printf(out, "     It will be tried until %s.\r\n", date);
}

static int add_group(const struct dsn_request *r, enum dsn_action action, struct buf *out)
{
    bool led = false;

    for (size_t i = 0; i < dsn_reported(r); i++) {
        int rc;

        if (r->recipients[i].action != action)
            continue;
        rc = led ? 0 : buf_printf(out, "\r\n%s", leads[action]);
        led = true;
        if (rc == 0)
            rc = add_recipient(&r->recipients[i], out);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const char *closing(const struct dsn_request *r)
{
    if (!r->original.n)
        return "";
    return r->full ? ", then the message" : ", then the header of the message";
}

int dsn_words_write(const struct dsn_request *r, struct buf *out)
{
    char date[CLOCK_RFC5322];
    int rc = buf_printf(out, "This is the mail system at %.*s.\r\n", SLICE_ARG(r->hostname));

    for (int action = 0; action < DSN_ACTIONS && rc == 0; action++)
        rc = add_group(r, action, out);
    if (rc == 0 && r->recipients_n > dsn_reported(r))
        rc = buf_printf(out, "\r\nAnd so for %zu more recipients.\r\n", r->recipients_n - dsn_reported(r));
    if (rc < 0)
        return rc;
    clock_rfc5322(r->arrival_ms, date);
    return buf_printf(out, "\r\nThe message was received here on\r\n%s.\r\nWhat follows are details for programs%s.\r\n", date,
                      closing(r));
}
