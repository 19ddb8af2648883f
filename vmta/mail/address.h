/* address.h: mailboxes and paths of RFC 5321 4.1.2, with UTF-8 (RFC 6531 3.3): one validator, strict, that repairs nothing.
 * Pure; any thread. Sessions (MAIL, RCPT), the header's From:, routing and DSNs read addresses through this file alone. */
#ifndef FL_ADDRESS_H
#define FL_ADDRESS_H

#include <stdbool.h>

#include "domain.h"
#include "inet.h"
#include "refusal.h"
#include "slice.h"

enum {
    ADDRESS_LOCAL_MAX = 64, /* octets as written, quotes included (RFC 5321 4.5.3.1.1) */
    ADDRESS_MAX = 254,      /* octets of a mailbox: a path has 256 with its brackets (RFC 5321 4.5.3.1.3) */
    ADDRESS_PATH_MAX = 512, /* octets of a path whose source route is read and ignored */
    /* Room for any text that a function here writes, NUL included: a U-label of 3 octets may become longer as an A-label. */
    ADDRESS_TEXT = ADDRESS_LOCAL_MAX + 1 + DOMAIN_MAX + 2,
};

enum address_kind {
    ADDRESS_NULL,       /* <> */
    ADDRESS_POSTMASTER, /* <postmaster>, without a domain: only in RCPT (RFC 5321 4.1.1.3) */
    ADDRESS_MAILBOX,    /* local@domain */
    ADDRESS_LITERAL,    /* local@[192.0.2.1]: well-formed; as a recipient the caller may answer address_literal_refusal */
};

/* The slices are borrowed from the text that was parsed. */
struct address {
    enum address_kind kind;
    struct slice text;          /* the mailbox as typed: without brackets and source route; empty for <> */
    struct slice local;         /* as typed, with its quotes when it has some */
    struct slice domain;        /* as typed; with its brackets when a literal; empty without one */
    struct inet_addr literal;   /* ADDRESS_LITERAL: the address */
    char canonical[DOMAIN_MAX]; /* the domain for comparison and DNS: A-labels, lower case; of a literal its canonical text */
};

enum address_error {
    ADDRESS_OK,
    ADDRESS_BAD_PATH,       /* no <…> where it belongs, or something else than a blank after it */
    ADDRESS_BAD_LOCAL,      /* the part before the @ */
    ADDRESS_BAD_DOMAIN,     /* the part after it, or there is none */
    ADDRESS_BAD_LITERAL,    /* [300.0.0.1] */
    ADDRESS_TOO_LONG,       /* one of the limits above */
    ADDRESS_BAD_UTF8,       /* bytes that are no UTF-8 (RFC 3629) */
    ADDRESS_NEEDS_SMTPUTF8, /* well-formed, but not ASCII, and utf8_allowed was false */
    ADDRESS_NOT_NULL,       /* <> where a mailbox is needed */
};

/* A mailbox alone, "local@domain", without brackets: from the configuration, from AUTH=, from the header. Sets *ret only on
 * success. */
enum address_error address_parse(struct slice mailbox, bool utf8_allowed, struct address *ret);
/* The argument of MAIL and RCPT: what follows "FROM:" or "TO:". Blanks before "<" are refused: whoever wants to be lenient
 * trims first. ret_rest gets the parameters, without the blank before them. null_allowed: MAIL, where <> is a path but
 * <postmaster> is none; without it RCPT, where it is the other way round. SMTPUTF8 stands among MAIL's parameters, so who
 * offers it passes utf8_allowed = true, reads the parameters, and refuses with ADDRESS_NEEDS_SMTPUTF8 what is not
 * address_is_ascii() without it. */
enum address_error address_parse_path(struct slice arg, bool utf8_allowed, bool null_allowed, struct address *ret,
                                      struct slice *ret_rest);

/* What to answer: 501 5.1.7 (sender) or 5.1.3 (recipient), 553 5.6.7 for ADDRESS_NEEDS_SMTPUTF8, … Not for ADDRESS_OK. */
const struct refusal *address_refusal(enum address_error error, bool recipient);
/* 550 5.1.2: this relay sends to domains, not to address literals. */
extern const struct refusal address_literal_refusal;

/* As typed, domain included. */
static inline bool address_is_ascii(const struct address *a)
{
    return slice_is_ascii(a->text);
}
/* True when it can travel only with SMTPUTF8: its local part is not ASCII (a domain always has A-labels). */
bool address_needs_smtputf8(const struct address *a);
/* "local@domain" as typed, but the domain in A-labels: the envelope for a host without SMTPUTF8, and what is stored. Empty for
 * <>. Domains as typed are kept in a->text for those who show it. */
void address_ascii_domain(const struct address *a, char ret[ADDRESS_TEXT]);
/* One form for one mailbox, to be a key of maps, quotas and suppression: the local part in ASCII lower case and without quotes
 * that it does not need, the domain canonical. (RFC 5321 2.4 leaves the case of local parts to their host; no host that we know
 * tells mailboxes apart by it, so two spellings are one key, while the envelope keeps what was typed.) */
void address_key(const struct address *a, char ret[ADDRESS_TEXT]);
/* By address_key. */
bool address_eq(const struct address *a, const struct address *b);
/* Does a pattern of the configuration mean this address? "user@dom" and "*@dom" with dom as in "dom", "*.suffix" or "*"; a
 * domain pattern alone means every mailbox there. The pattern's domain is canonical (domain_pattern_canonical), its user part
 * is compared as address_key does. The null path and literals match only "*". */
bool address_matches(const struct address *a, struct slice pattern);

#endif
