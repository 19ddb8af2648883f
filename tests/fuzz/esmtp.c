/* Fuzzes vmta/mail/esmtp.c and xtext.c: what was decoded holds no control character, and is the same after encoding. */
#include <assert.h>
#include <stdlib.h>

#include "esmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const char *text)
{
    for (; *text; text++)
        assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_rcpt(const struct esmtp_rcpt *rcpt, bool smtputf8)
{
    char back[sizeof rcpt->orcpt];
    struct buf out;

    check_plain(rcpt->orcpt);
    if (!rcpt->orcpt[0])
        return;
    buf_init(&out, 0);
    if (esmtp_orcpt_encode(slice_of(rcpt->orcpt), smtputf8, &out) < 0)
        abort();
    assert(esmtp_orcpt_decode(buf_slice(&out), smtputf8, back, sizeof back));
    assert(strcmp(back, rcpt->orcpt) == 0);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned all = ESMTP_SIZE | ESMTP_8BITMIME | ESMTP_BINARYMIME | ESMTP_SMTPUTF8 | ESMTP_DSN | ESMTP_AUTH;
    struct slice in = slice_make(data, size);
    const struct refusal *refusal = NULL;
    struct esmtp_mail mail;
    struct esmtp_rcpt rcpt;

    if (esmtp_parse_mail(in, all, &mail, &refusal)) {
        check_plain(mail.envid);
        check_plain(mail.auth);
    } else {
        assert(refusal && refusal->code >= 500);
    }
    for (int smtputf8 = 0; smtputf8 < 2; smtputf8++)
        if (esmtp_parse_rcpt(in, all, smtputf8, &rcpt, &refusal))
            check_rcpt(&rcpt, smtputf8);
    return 0;
}
