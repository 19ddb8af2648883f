/* dsn.c: see dsn.h. The message around the parts: header, boundaries, encodings, and what is returned. */
#include "dsn.h"

#include "clock.h"
#include "dsn_part.h"
#include "err.h"
#include "header.h"
#include "qp.h"
#include "wire.h"

static const char *const subjects[DSN_ACTIONS] = {
    [DSN_FAILED] = "Delivery failed",
    [DSN_DELAYED] = "Delivery delayed",
    [DSN_DELIVERED] = "Message delivered",
    [DSN_RELAYED] = "Message handed on",
    [DSN_EXPANDED] = "Message sent on to a list",
};

/* What is returned, and how it travels. */
struct returned {
    const char *type;     /* NULL: nothing is */
    const char *encoding;
    struct slice content; /* wire form */
    bool quoted;          /* it is put into quoted-printable */
};

/* The boundary is made of a fresh id, which no message that came before can hold. */
static int add_boundary(const struct dsn_request *r, const char *after, struct buf *out)
{
    return buf_printf(out, "\r\n--=_%.*s%s\r\n", SLICE_ARG(r->id), after);
}

static int add_header(const struct dsn_request *r, bool eight_bit, struct buf *out)
{
    enum dsn_action worst = DSN_EXPANDED;
    char date[CLOCK_RFC5322];

    for (size_t i = 0; i < r->recipients_n; i++)
        if (r->recipients[i].action < worst)
            worst = r->recipients[i].action;
    clock_rfc5322(r->now_ms, date);
    return buf_printf(out,
                      "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n"
                      "To: <%.*s>\r\n"
                      "Subject: %s\r\n"
                      "Date: %s\r\n"
                      "Message-ID: <%.*s@%.*s>\r\n"
                      "Auto-Submitted: auto-replied\r\n"
                      "MIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                      "\tboundary=\"=_%.*s\"\r\n"
                      "Content-Transfer-Encoding: %s\r\n"
                      "\r\n"
                      "This is a delivery status notification in MIME format.\r\n",
                      SLICE_ARG(r->hostname), SLICE_ARG(r->sender), subjects[worst], date, SLICE_ARG(r->id),
                      SLICE_ARG(r->hostname), SLICE_ARG(r->id), eight_bit ? "8bit" : "7bit");
}

/* The text for people: as it is when it is ASCII or the whole travels with SMTPUTF8, otherwise quoted-printable. */
static int add_words(const struct dsn_request *r, bool unicode, struct buf *out)
{
    const char *charset = "us-ascii", *encoding = "7bit";
    struct buf words;
    bool ascii;
    int rc;

    buf_init(&words, 0);
    rc = dsn_words_write(r, &words);
    ascii = slice_is_ascii(buf_slice(&words));
    if (!ascii) {
        charset = "utf-8";
        encoding = unicode ? "8bit" : "quoted-printable";
    }
    if (rc == 0)
        rc = buf_printf(out, "Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", charset, encoding);
    if (rc == 0)
        rc = ascii || unicode ? buf_add(out, buf_slice(&words)) : qp_encode(buf_slice(&words), out);
    buf_free(&words);
    return rc;
}

/* The fields for programs. The Unicode type is for fields that hold some: fewer programs know it. */
static int add_status(const struct dsn_request *r, bool unicode, struct buf *out)
{
    struct buf fields;
    bool ascii;
    int rc;

    buf_init(&fields, 0);
    rc = dsn_status_write(r, unicode, &fields);
    ascii = slice_is_ascii(buf_slice(&fields));
    if (rc == 0)
        rc = buf_printf(out, "Content-Type: message/%sdelivery-status\r\nContent-Transfer-Encoding: %s\r\n\r\n",
                        ascii ? "" : "global-", ascii ? "7bit" : "8bit");
    if (rc == 0)
        rc = buf_add(out, buf_slice(&fields));
    buf_free(&fields);
    return rc;
}

/* All of the original, or its header. */
static struct returned choose_returned(const struct dsn_request *r, bool unicode)
{
    struct returned ret = { .content = r->original, .encoding = "7bit" };
    struct header_scan scan;
    bool ascii;

    if (!r->original.n || header_scan(r->original, true, &scan) != HEADER_OK)
        return (struct returned){ 0 };
    if (!r->full)
        ret.content = scan.block;
    ascii = slice_is_ascii(ret.content);
    if (r->full) {
        ret.type = r->original_smtputf8 && scan.eight_bit ? "message/global" : "message/rfc822";
        ret.encoding = ascii ? "7bit" : "8bit";
    } else if (ascii) {
        ret.type = "text/rfc822-headers";
    } else if (unicode) {
        ret.type = "message/global-headers";
        ret.encoding = "8bit";
    } else {
        ret.type = "text/rfc822-headers; charset=utf-8";
        ret.encoding = "quoted-printable";
        ret.quoted = true;
    }
    return ret;
}

static int add_quoted(struct slice content, struct buf *out)
{
    struct wire_unstuff unstuff;
    struct slice piece;
    struct buf raw;
    int rc = 0;

    buf_init(&raw, 0);
    wire_unstuff_init(&unstuff);
    while (rc == 0 && wire_unstuff_next(&unstuff, &content, &piece))
        rc = buf_add(&raw, piece);
    if (rc == 0)
        rc = qp_encode(buf_slice(&raw), out);
    buf_free(&raw);
    return rc;
}

static int add_returned(const struct returned *ret, struct buf *out)
{
    int rc = buf_printf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", ret->type, ret->encoding);

    if (rc < 0)
        return rc;
    return ret->quoted ? add_quoted(ret->content, out) : buf_add(out, ret->content);
}

int dsn_write(const struct dsn_request *r, struct buf *out, struct dsn_needs *ret)
{
    const bool unicode = !slice_is_ascii(r->sender);
    const struct returned returned = choose_returned(r, unicode);
    const bool eight_bit = unicode || (returned.type && strcmp(returned.encoding, "8bit") == 0);
    int rc = add_header(r, eight_bit, out);

    if (rc == 0)
        rc = add_boundary(r, "", out);
    if (rc == 0)
        rc = add_words(r, unicode, out);
    if (rc == 0)
        rc = add_boundary(r, "", out);
    if (rc == 0)
        rc = add_status(r, unicode, out);
    if (rc == 0 && returned.type)
        rc = add_boundary(r, "", out);
    if (rc == 0 && returned.type)
        rc = add_returned(&returned, out);
    if (rc == 0)
        rc = add_boundary(r, "--", out);
    if (rc == 0)
        *ret = (struct dsn_needs){ .eight_bit = eight_bit, .smtputf8 = unicode };
    return rc;
}
