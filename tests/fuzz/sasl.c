/* Fuzzes daemon/sasl.c and conf/base/base64.c: AUTH exchanges, one after the other on the same object, with responses, salts and
 * verdicts in any order that the interface allows (CVE-2011-1720 was an object that served twice). What is asked about is well-formed. */
#include <assert.h>
#include <stdlib.h>

#include "base64.h"
#include "input.h"
#include "sasl.h"

enum { STEPS_MAX = 8 };

static void try_base64(struct slice in)
{
    struct buf coded, plain, again;

    buf_init(&coded, 0);
    buf_init(&plain, 0);
    buf_init(&again, 0);
    if (base64_encode(in, &coded) < 0 || base64_decode(buf_slice(&coded), &plain) < 0)
        abort();
    assert(slice_eq(buf_slice(&plain), in));
    buf_clear(&plain);
    if (base64_decode(in, &plain) == 0) { /* what is read has one form only */
        if (base64_encode(buf_slice(&plain), &again) < 0)
            abort();
        assert(slice_eq(buf_slice(&again), in));
    }
    buf_free(&coded);
    buf_free(&plain);
    buf_free(&again);
}

static void check_request(const struct sasl_request *r)
{
    assert(r->user.n <= SASL_NAME_MAX && slice_is_utf8(r->user));
    assert(!r->user.n || !memchr(r->user.p, '\0', r->user.n));
    assert(!r->password.n || !memchr(r->password.p, '\0', r->password.n));
    assert(r->user.n || r->mechanism == SASL_EXTERNAL);
}

static enum sasl_status answer(struct sasl *x, enum sasl_status status, struct slice *in)
{
    static const uint8_t signature[SASL_SHA256] = { 1 };

    switch (status) {
    case SASL_CHALLENGE:
        return sasl_step(x, input_text(in));
    case SASL_ASK_SALT:
        assert(sasl_request(x)->user.n);
        return sasl_salt(x, slice_head(input_text(in), SASL_SALT_MAX), 4096);
    case SASL_VERIFY:
        check_request(sasl_request(x));
        return sasl_verified(x, input_byte(in) & 1, signature);
    default:
        return status;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t entropy[SASL_ENTROPY] = { 7 };
    struct slice in = slice_make(data, size);
    struct sasl x = { 0 };

    try_base64(in);
    while (in.n) {
        enum sasl_mechanism m = SASL_PLAIN + input_byte(&in) % (SASL_MECHANISMS - SASL_PLAIN);
        enum sasl_status status = sasl_begin(&x, m, entropy, SLICE("relay.test"), 1);
        int steps = 0;

        while (status != SASL_DONE && status != SASL_FAILED && status != SASL_MALFORMED && steps++ < STEPS_MAX)
            status = answer(&x, status, &in);
        sasl_wipe(&x);
    }
    return 0;
}
