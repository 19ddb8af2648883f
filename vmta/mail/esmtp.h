/* esmtp.h: the parameters of MAIL and RCPT, read into one struct each and written again for the next host: SIZE (RFC 1870),
 * BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), AUTH (RFC 4954), RET, ENVID, NOTIFY, ORCPT (RFC 3461), and xtext.
 * Pure; any thread. Each parameter at most once; what is decoded holds no control character: no CR LF comes in by xtext. */
#ifndef FL_ESMTP_H
#define FL_ESMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "buf.h"
#include "err.h"
#include "refusal.h"
#include "slice.h"

enum {
    ESMTP_ENVID_MAX = 100, /* characters, decoded (RFC 3461 4.4) */
    ESMTP_ORCPT_MAX = 500, /* octets of "type;address", decoded (RFC 3461 4.2) */
    ESMTP_AUTH_MAX = ADDRESS_MAX,
    ESMTP_PARAMETERS_MAX = 16, /* in one command, known or not */
    ESMTP_NOTIFY_TEXT = 32,
};

/* What this listener offers: a parameter of anything else is unknown (555 5.5.4). */
enum esmtp_offer {
    ESMTP_SIZE = 1 << 0,
    ESMTP_8BITMIME = 1 << 1,
    ESMTP_BINARYMIME = 1 << 2,
    ESMTP_SMTPUTF8 = 1 << 3,
    ESMTP_DSN = 1 << 4,
    ESMTP_AUTH = 1 << 5,
};

enum esmtp_body { ESMTP_BODY_7BIT, ESMTP_BODY_8BITMIME, ESMTP_BODY_BINARYMIME };
enum esmtp_ret { ESMTP_RET_NONE, ESMTP_RET_HDRS, ESMTP_RET_FULL };
enum esmtp_notify {
    ESMTP_NOTIFY_NEVER = 1 << 0,
    ESMTP_NOTIFY_SUCCESS = 1 << 1,
    ESMTP_NOTIFY_FAILURE = 1 << 2,
    ESMTP_NOTIFY_DELAY = 1 << 3
};

struct esmtp_mail {
    bool has_size, has_body, smtputf8, has_auth;
    enum esmtp_body body;
    enum esmtp_ret ret;
    uint64_t size; /* octets declared; a number too large for 64 bits is UINT64_MAX, so that the caller's 552 meets it */
    char envid[ESMTP_ENVID_MAX + 1]; /* decoded; "" when not given */
    char auth[ESMTP_AUTH_MAX + 1];   /* decoded mailbox; "" for AUTH=<> */
};

struct esmtp_rcpt {
    unsigned notify;                 /* of enum esmtp_notify; 0: not given */
    char orcpt[ESMTP_ORCPT_MAX + 1]; /* "rfc822;a+b@dest.example", decoded (UTF-8 for type utf-8); "" when not given */
};

/* Reads parameters (what address_parse_path left over). offered: of enum esmtp_offer. True, or false with a refusal. */
bool esmtp_parse_mail(struct slice parameters, unsigned offered, struct esmtp_mail *ret, const struct refusal **ret_refusal);
/* smtputf8: MAIL had it, so that ORCPT may hold UTF-8 itself (RFC 6533 3). */
bool esmtp_parse_rcpt(struct slice parameters, unsigned offered, bool smtputf8, struct esmtp_rcpt *ret,
                      const struct refusal **ret_refusal);

/* Decodes xtext (RFC 3461 4) into ret, NUL-terminated. False when malformed, when it holds a CTL or a byte above 126 after
 * decoding, or when it has more than size - 1 octets. */
bool esmtp_xtext_decode(struct slice text, char *ret, size_t size);
/* Errors of buf. */
int esmtp_xtext_encode(struct slice text, struct buf *out);
/* Reads ORCPT's value into "type;address", decoded; as esmtp_xtext_decode, but for type utf-8, whose address becomes UTF-8. */
bool esmtp_orcpt_decode(struct slice value, bool smtputf8, char *ret, size_t size);
/* Writes ORCPT's value "type;address" for the next host. rfc822 and others: xtext. utf-8: as it is when smtputf8 (but for what
 * must be escaped), otherwise as utf-8-addr-xtext, "\x{FC}" (RFC 6533 3). */
int esmtp_orcpt_encode(struct slice orcpt, bool smtputf8, struct buf *out);
/* The address in its utf-8-addr-xtext form ("\x{FC}@example") or, with smtputf8, its unitext form: for ORCPT and for the fields
 * of a DSN. FL_EINVAL when it is no UTF-8. */
int esmtp_utf8_address_encode(struct slice address, bool smtputf8, struct buf *out);
/* "SUCCESS,DELAY" or "NEVER"; "" for 0. */
void esmtp_notify_text(unsigned notify, char ret[ESMTP_NOTIFY_TEXT]);

#endif
