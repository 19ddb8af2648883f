/* Fuzzes vmta/mail/dsn.c: a notice about any recipients, with any words of a remote in it, about any original. It is content in wire
 * form (lines end in CR LF, none is too long unless the original's are, dots are doubled), its header stands as we wrote it, and nothing from
 * outside begins a line of the header or a part. */
#include <assert.h>

#include "dsn.h"
#include "input.h"
#include "wire.h"

enum { RECIPIENTS = 3, WORDS = 4096 };

/* A text without control characters, as reply.h, address.h and esmtp.h leave them. */
static struct slice input_words(struct slice *in)
{
    static char words[WORDS];
    static size_t used;
    struct slice text = input_text(in);
    char *to;

    if (used + text.n > WORDS)
        used = 0; /* what one input needs fits */
    to = words + used;
    for (size_t i = 0; i < text.n; i++)
        to[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i];
    used += text.n;
    return slice_make(to, text.n);
}

static struct dsn_recipient make_recipient(struct slice *in)
{
    return (struct dsn_recipient){
        .action = input_byte(in) % DSN_ACTIONS,
        .code = input_byte(in) * 2,
        .last_attempt_ms = input_number(in),
        .retry_until_ms = input_number(in),
        .address = input_words(in),
        .orcpt = input_words(in),
        .status = input_words(in),
        .remote_mta = input_words(in),
        .enhanced = input_words(in),
        .diagnostic = input_words(in),
    };
}

/* Wire form, and nothing that would end it before its end. */
static void check_wire(struct slice out)
{
    struct wire_scan s;
    struct slice rest = out, piece;

    assert(out.n > 2 && slice_eq(slice_skip(out, out.n - 2), SLICE("\r\n")));
    wire_scan_init(&s);
    while (wire_scan_next(&s, &rest, &piece))
        ;
    assert(!s.ended);
}

/* Our own fields, each once. */
static void check_header(struct slice out)
{
    static const char *const once[] = { "\r\nTo: ", "\r\nSubject: ", "\r\nMIME-Version: ", "\r\nAuto-Submitted: " };
    struct slice header = slice_head(out, slice_find_slice(out, SLICE("\r\n\r\n")));

    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        struct slice name = slice_of(once[i]);
        size_t at = slice_find_slice(header, name);
        struct slice behind = slice_skip(header, at + name.n);

        assert(at < header.n && slice_find_slice(behind, name) == behind.n);
    }
    for (size_t i = 0; i < header.n; i++)
        assert((unsigned char)header.p[i] >= ' ' || header.p[i] == '\r' || header.p[i] == '\n' || header.p[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct dsn_recipient r[RECIPIENTS];
    struct dsn_request q = { .hostname = SLICE("relay.test"), .id = SLICE("01J0"), .recipients = r };
    struct dsn_needs needs;
    struct buf out, original;
    struct wire_stuff stuff;

    q.recipients_n = input_byte(&in) % RECIPIENTS + 1u;
    q.full = input_byte(&in) & 1;
    q.original_smtputf8 = input_byte(&in) & 1;
    q.arrival_ms = input_number(&in);
    q.now_ms = input_number(&in);
    q.sender = input_words(&in);
    q.envid = input_words(&in);
    for (size_t i = 0; i < RECIPIENTS; i++)
        r[i] = make_recipient(&in);
    if (!q.sender.n)
        q.sender = SLICE("a@one.test");
    buf_init(&out, 0);
    buf_init(&original, 0);
    wire_stuff_init(&stuff);
    assert(wire_stuff_add(&stuff, in, &original) == 0 && buf_add(&original, wire_stuff_end(&stuff)) == 0);
    q.original = buf_slice(&original);
    assert(dsn_write(&q, &out, &needs) == 0);
    check_wire(buf_slice(&out));
    check_header(buf_slice(&out));
    buf_free(&out);
    buf_free(&original);
    return 0;
}
