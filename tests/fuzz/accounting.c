/* Fuzzes what is written about mail: lines of accounting (daemon/accounting_line.c) and of the log (conf/base/log.c). Whatever bytes
 * came from outside, a line is one line, valid UTF-8 without control characters, and accounting is valid JSON. */
#include <assert.h>
#include <jansson.h>

#include "accounting_line.h"
#include "input.h"
#include "log.h"

static void check_line(struct slice line)
{
    assert(slice_is_utf8(line));
    for (size_t i = 0; i < line.n; i++)
        assert((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
}

static void on_log(void *arg, enum log_level level, struct slice line)
{
    check_line(line);
    assert(line.n < LOG_LINE);
}

static int64_t wall_ms(void *arg)
{
    return *(const int64_t *)arg;
}

static void try_log(struct slice in)
{
    int64_t now = input_number(&in);
    const struct log log = { .level = LOG_LEVEL_DEBUG, .sink = on_log, .wall_ms = wall_ms, .arg = &now };
    struct log_line l;

    log_begin(&l, &log, LOG_LEVEL_INFO, "fuzz");
    while (in.n) {
        log_int(&l, "n", input_byte(&in));
        log_slice(&l, "key", input_text(&in));
    }
    log_span(&l, "span", now);
    log_end(&l);
}

static struct event make_event(struct slice *in, struct ulid *message)
{
    struct event e = { .kind = input_byte(in) % EVENTS, .time_ms = input_number(in) };

    memset(message, input_byte(in), sizeof *message);
    e.message = input_byte(in) & 1 ? message : NULL;
    e.code = (int)input_number(in);
    e.attempt = (int)input_number(in);
    e.queued_ms = input_number(in);
    e.delivery_ms = input_number(in);
    e.size = input_number(in);
    e.recipients = input_number(in);
    e.tenant = input_text(in);
    e.user = input_text(in);
    e.client_ip = input_text(in);
    e.job = input_text(in);
    e.from = input_text(in);
    e.has_from = input_byte(in) & 1;
    e.to = input_text(in);
    e.mx = input_text(in);
    e.tls_version = input_text(in);
    e.tls_cipher = input_text(in);
    e.text = input_text(in);
    e.queue = input_text(in);
    return e;
}

static void try_accounting(struct slice in)
{
    uint32_t fields = (uint32_t)input_number(&in);
    struct ulid message;
    struct event e = make_event(&in, &message);
    struct slice line;
    struct buf out;
    json_t *doc;

    buf_init(&out, 0);
    assert(accounting_line(&e, fields, &out) == 0);
    line = buf_slice(&out);
    assert(line.n && line.p[line.n - 1] == '\n');
    line.n--;
    check_line(line);
    doc = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    assert(doc && json_is_object(doc));
    json_decref(doc);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_log(slice_make(data, size));
    try_accounting(slice_make(data, size));
    return 0;
}
