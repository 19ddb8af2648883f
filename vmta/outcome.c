/* outcome.c: the table, and the few codes that are judged by more than their class. */
#include "outcome.h"

#include <string.h>

#include "fault.h"

#define NOW(v) { OUTCOME_##v, SCOPE_NONE, false, SCOPE_NONE }
#define RCPT(v) { OUTCOME_##v, SCOPE_RECIPIENT, false, SCOPE_NONE }
#define QUEUE(v) { OUTCOME_##v, SCOPE_QUEUE, false, SCOPE_NONE }
/* This host goes last in the order, the next is tried; the path waits once all failed. */
#define HOST { OUTCOME_AT_ONCE, SCOPE_HOST, true, SCOPE_PATH }
/* The host is left in peace, since it refused only what this profile wants. */
#define PROFILE { OUTCOME_AT_ONCE, SCOPE_NONE, true, SCOPE_PROFILE }
#define DOMAIN { OUTCOME_DEFERRED, SCOPE_DOMAIN, false, SCOPE_NONE }
/* Nobody judged the recipients: another connection, at once. A second time it is as if one could not connect. */
#define AGAIN { OUTCOME_AT_ONCE, SCOPE_NONE, true, SCOPE_PATH }

static const struct outcome table[STAGES][OUTCOME_CLASSES] = {
    /*                  2xx           4xx         5xx         no reply    421 */
    [STAGE_NONE]     = { NOW(AT_ONCE), HOST,       HOST,       HOST,       HOST },
    [STAGE_DNS]      = { NOW(AT_ONCE), DOMAIN,     RCPT(BOUNCED), DOMAIN,  DOMAIN },
    [STAGE_CONNECT]  = { NOW(AT_ONCE), HOST,       HOST,       HOST,       HOST },
    [STAGE_TLS]      = { NOW(AT_ONCE), PROFILE,    PROFILE,    HOST,       HOST },
    [STAGE_BANNER]   = { NOW(AT_ONCE), HOST,       HOST,       HOST,       HOST },
    [STAGE_EHLO]     = { NOW(AT_ONCE), HOST,       HOST,       HOST,       HOST },
    [STAGE_STARTTLS] = { NOW(AT_ONCE), PROFILE,    PROFILE,    HOST,       HOST },
    [STAGE_AUTH]     = { NOW(AT_ONCE), PROFILE,    PROFILE,    HOST,       HOST },
    [STAGE_MAIL]     = { NOW(AT_ONCE), QUEUE(DEFERRED), QUEUE(DEFERRED), AGAIN, AGAIN },
    [STAGE_RCPT]     = { NOW(AT_ONCE), RCPT(DEFERRED), RCPT(BOUNCED), AGAIN, AGAIN },
    [STAGE_DATA]     = { NOW(AT_ONCE), RCPT(DEFERRED), RCPT(BOUNCED), AGAIN, AGAIN },
    [STAGE_DOT]      = { RCPT(DELIVERED), RCPT(DEFERRED), RCPT(BOUNCED), RCPT(DEFERRED), AGAIN },
};

/* What MAIL may say of one message or sender, and so not of the queue. */
static const struct {
    int code;             /* 0: any */
    const char *enhanced; /* NULL: any */
} of_the_message[] = {
    { 552, NULL },   { 0, "5.3.4" }, { 0, "5.1.7" }, { 0, "5.1.8" },
    { 0, "5.6.1" },  { 0, "5.6.3" }, { 0, "5.6.7" }, { 0, "5.6.9" },
};

enum outcome_class outcome_class(const struct reply *r)
{
    int class = r->code ? r->code / 100 : r->enhanced[0] ? r->enhanced[0] - '0' : 0;

    if (r->code == 421)
        return CLASS_CLOSING;
    return class == 2 ? CLASS_OK : class == 4 ? CLASS_TEMPORARY : class == 5 ? CLASS_PERMANENT : CLASS_LOST;
}

struct outcome outcome_at(enum reply_stage stage, enum outcome_class class)
{
    return table[stage < STAGES ? stage : STAGE_NONE][class < OUTCOME_CLASSES ? class : CLASS_LOST];
}

struct outcome outcome_of_mail(const struct reply *r)
{
    enum outcome_class class = outcome_class(r);

    for (size_t i = 0; class == CLASS_PERMANENT && i < sizeof of_the_message / sizeof *of_the_message; i++) {
        if (of_the_message[i].code && of_the_message[i].code != r->code)
            continue;
        if (of_the_message[i].enhanced && strcmp(of_the_message[i].enhanced, r->enhanced))
            continue;
        return (struct outcome)RCPT(BOUNCED);
    }
    return outcome_at(STAGE_MAIL, class);
}

/* The connection went before a verdict. Once: at once, elsewhere. Again: as if that host could not be reached (connect). */
static struct outcome unjudged(bool again)
{
    if (!again)
        return (struct outcome)AGAIN;
    return (struct outcome){ OUTCOME_DEFERRED, SCOPE_HOST, true, SCOPE_PATH };
}

struct outcome outcome_of_rcpt(const struct transaction_result *t, const struct rcpt_result *r, bool again)
{
    if (r->surplus)
        return (struct outcome)NOW(AT_ONCE);
    if (t->mail_refused)
        return outcome_of_mail(&t->reply);
    if (!r->judged)
        return FAULT(unjudged_is_yes) ? (struct outcome)RCPT(DELIVERED) : unjudged(again);
    if (r->stage == STAGE_MAIL) /* the message does not fit the host */
        return outcome_of_mail(&r->reply);
    return outcome_at(r->stage, outcome_class(&r->reply));
}

struct outcome outcome_of_end(const struct connection_failure *f)
{
    enum outcome_class class = f->is_421 ? CLASS_CLOSING : outcome_class(&f->reply);

    switch (f->end) {
    case CONNECTION_QUIT:
    case CONNECTION_NO_RESOURCES:
        return (struct outcome)NOW(AT_ONCE);
    case CONNECTION_LOST: /* its transactions were judged one by one; an idle one that went says nothing */
        return (struct outcome)NOW(AT_ONCE);
    case CONNECTION_FAILED:
        break;
    }
    if (f->stage == STAGE_TLS && f->tls_handshake)
        return (struct outcome)PROFILE;
    return outcome_at(f->stage, class);
}

/* --- DNS */
static const struct {
    struct outcome outcome;
    const char *enhanced, *text;
} dns_kinds[OUTCOME_DNS_KINDS] = {
    [OUTCOME_DNS_NXDOMAIN] = { DOMAIN, "5.1.2", "the domain does not exist" },
    [OUTCOME_DNS_NULL_MX]  = { RCPT(BOUNCED), "5.1.10", "the domain accepts no mail (null MX)" },
    [OUTCOME_DNS_FAILED]   = { DOMAIN, "4.4.3", "the name servers gave no usable answer" },
    [OUTCOME_DNS_NO_HOST]  = { DOMAIN, "5.4.4", "the domain has no host that takes mail" },
    [OUTCOME_DNS_LOOP]     = { RCPT(BOUNCED), "5.4.6", "mail loop: the domain's mail exchanger is this host" },
};

struct outcome outcome_of_dns(enum outcome_dns kind, int64_t since_first_ms, struct reply *ret_reply)
{
    bool asked_twice = kind == OUTCOME_DNS_NXDOMAIN || kind == OUTCOME_DNS_NO_HOST;

    attempt_reply(ret_reply, dns_kinds[kind].enhanced, dns_kinds[kind].text);
    if (asked_twice && (FAULT(nxdomain_at_once) || since_first_ms >= OUTCOME_NXDOMAIN_AGAIN_MS))
        return (struct outcome)RCPT(BOUNCED);
    if (asked_twice)
        ret_reply->enhanced[0] = '4';
    return dns_kinds[kind].outcome;
}

/* --- codes of our own (RFC 3463 and the registry that RFC 5248 made say which go together) */
static const struct {
    const char *enhanced;
    int code;
} own_codes[] = {
    { "5.1.2", 550 }, { "5.1.10", 556 }, { "5.3.4", 552 }, { "5.4.4", 550 }, { "5.6.7", 553 }, { "5.6.9", 550 },
};

int outcome_own_code(struct slice enhanced)
{
    for (size_t i = 0; i < sizeof own_codes / sizeof *own_codes; i++)
        if (slice_eq(enhanced, slice_of(own_codes[i].enhanced)))
            return own_codes[i].code;
    return enhanced.n && enhanced.p[0] == '5' ? 554 : 0;
}

/* --- names */
const char *outcome_verdict_name(enum outcome_verdict v)
{
    static const char *const names[] = {
        [OUTCOME_DELIVERED] = "delivered",
        [OUTCOME_DEFERRED] = "deferred",
        [OUTCOME_BOUNCED] = "bounced",
        [OUTCOME_AT_ONCE] = "at once",
    };

    return names[v];
}

const char *outcome_scope_name(enum outcome_scope s)
{
    static const char *const names[] = {
        [SCOPE_NONE] = "none",       [SCOPE_RECIPIENT] = "recipient", [SCOPE_QUEUE] = "queue",   [SCOPE_HOST] = "host",
        [SCOPE_PROFILE] = "profile", [SCOPE_PATH] = "path",           [SCOPE_DOMAIN] = "domain",
    };

    return names[s];
}
