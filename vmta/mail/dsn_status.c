/* dsn_status.c: the part of a DSN that programs read: message/delivery-status of RFC 3464, or its Unicode form of RFC 6533
 * (dsn_part.h). */
#include "dsn_part.h"

#include "clock.h"
#include "err.h"
#include "esmtp.h"

enum { LINE_WANTED = 76 };

static const struct {
    const char *name;
    const char *classes; /* of the status codes that go with it */
    struct slice status; /* where none does */
} actions[DSN_ACTIONS] = {
    [DSN_FAILED] = { "failed", "54", SLICE("5.0.0") },
    [DSN_DELAYED] = { "delayed", "4", SLICE("4.0.0") },
    [DSN_DELIVERED] = { "delivered", "2", SLICE("2.0.0") },
    [DSN_RELAYED] = { "relayed", "2", SLICE("2.0.0") },
    [DSN_EXPANDED] = { "expanded", "2", SLICE("2.0.0") },
};

/* Fields as they come: each value is kept to one field, whatever it holds. */
struct fields {
    struct buf *out;
    bool unicode;
    int rc;
};

/* Adds a value, folded at single blanks. Control characters, and UTF-8 where it may not be, become "?". */
static void add_value(struct fields *f, struct slice value, size_t column)
{
    for (size_t i = 0; i < value.n && f->rc == 0; i++) {
        unsigned char c = (unsigned char)value.p[i];
        struct slice rest = slice_skip(value, i + 1);
        bool fold = c == ' ' && i && rest.n && rest.p[0] != ' ' && column + 1 + slice_find(rest, ' ') > LINE_WANTED;

        if (fold) {
            f->rc = buf_add(f->out, SLICE("\r\n "));
            column = 1;
            continue;
        }
        if ((c & 0xc0) == 0x80 && !f->unicode)
            continue; /* one "?" a character */
        f->rc = buf_add_char(f->out, c < ' ' || c == 0x7f || (c > 0x7f && !f->unicode) ? '?' : (char)c);
        column++;
    }
}

static void add_field(struct fields *f, const char *name, const char *type, struct slice value)
{
    if (f->rc == 0)
        f->rc = buf_printf(f->out, "%s: %s", name, type);
    add_value(f, value, strlen(name) + 2 + strlen(type));
    if (f->rc == 0)
        f->rc = buf_add(f->out, SLICE("\r\n"));
}

static void add_date(struct fields *f, const char *name, int64_t wall_ms)
{
    char date[CLOCK_RFC5322];

    if (!wall_ms)
        return;
    clock_rfc5322(wall_ms, date);
    add_field(f, name, "", slice_of(date));
}

/* An address in UTF-8 has a type of its own, and a form for ASCII (RFC 6533 3). */
static void add_utf8_address(struct fields *f, const char *name, struct slice address)
{
    struct buf text;

    buf_init(&text, 0);
    if (f->rc == 0)
        f->rc = esmtp_utf8_address_encode(address, f->unicode, &text);
    if (f->rc == FL_EINVAL) { /* never from an address that was parsed */
        f->rc = 0;
        add_field(f, name, "utf-8;", address);
    } else {
        add_field(f, name, "utf-8;", buf_slice(&text));
    }
    buf_free(&text);
}

static void add_recipient_fields(struct fields *f, const struct dsn_recipient *rcpt)
{
    size_t semicolon = slice_find(rcpt->orcpt, ';');

    if (slice_eq_nocase(slice_head(rcpt->orcpt, semicolon), SLICE("utf-8")))
        add_utf8_address(f, "Original-Recipient", slice_skip(rcpt->orcpt, semicolon + 1));
    else if (rcpt->orcpt.n)
        add_field(f, "Original-Recipient", "", rcpt->orcpt);
    if (slice_is_ascii(rcpt->address))
        add_field(f, "Final-Recipient", "rfc822;", rcpt->address);
    else
        add_utf8_address(f, "Final-Recipient", rcpt->address);
}

/* "5.1.1", with a class that goes with the action */
static bool is_status(struct slice s, const char *classes)
{
    struct slice rest = s, class = slice_cut(&rest, '.'), subject = slice_cut(&rest, '.');
    uint64_t v;

    return class.n == 1 && class.p[0] && strchr(classes, class.p[0]) && subject.n <= 3 && rest.n <= 3 &&
           slice_to_u64(subject, 999, &v) && slice_to_u64(rest, 999, &v);
}

/* The remote's reply as it was, or our own words under a type of our own. */
static void add_diagnostic(struct fields *f, const struct dsn_recipient *rcpt)
{
    struct buf text;

    if (!rcpt->code) {
        if (rcpt->diagnostic.n)
            add_field(f, "Diagnostic-Code", "x-fairlead;", rcpt->diagnostic);
        return;
    }
    buf_init(&text, 0);
    if (f->rc == 0)
        f->rc = buf_printf(&text, "%d ", rcpt->code);
    if (f->rc == 0 && rcpt->enhanced.n)
        f->rc = buf_printf(&text, "%.*s ", SLICE_ARG(rcpt->enhanced));
    if (f->rc == 0)
        f->rc = buf_add(&text, rcpt->diagnostic);
    add_field(f, "Diagnostic-Code", "smtp;", buf_slice(&text));
    buf_free(&text);
}

static void add_recipient(struct fields *f, const struct dsn_recipient *rcpt)
{
    bool fits = is_status(rcpt->status, actions[rcpt->action].classes);

    if (f->rc == 0)
        f->rc = buf_add(f->out, SLICE("\r\n"));
    add_recipient_fields(f, rcpt);
    add_field(f, "Action", "", slice_of(actions[rcpt->action].name));
    add_field(f, "Status", "", fits ? rcpt->status : actions[rcpt->action].status);
    if (rcpt->remote_mta.n)
        add_field(f, "Remote-MTA", "dns;", rcpt->remote_mta);
    add_diagnostic(f, rcpt);
    add_date(f, "Last-Attempt-Date", rcpt->last_attempt_ms);
    if (rcpt->action == DSN_DELAYED)
        add_date(f, "Will-Retry-Until", rcpt->retry_until_ms);
}

int dsn_status_write(const struct dsn_request *r, bool unicode, struct buf *out)
{
    struct fields f = { .out = out, .unicode = unicode };

    add_field(&f, "Reporting-MTA", "dns;", r->hostname);
    if (r->envid.n)
        add_field(&f, "Original-Envelope-Id", "", r->envid);
    add_date(&f, "Arrival-Date", r->arrival_ms);
    for (size_t i = 0; i < dsn_reported(r); i++)
        add_recipient(&f, &r->recipients[i]);
    return f.rc;
}
