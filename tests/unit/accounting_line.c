/* Tests daemon/accounting_line.c and accounting.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "accounting.h"
#include "accounting_line.h"
#include "printable.h"

static struct event full_event(const struct ulid *message)
{
    struct event e = {
        .kind = EVENT_DELIVERED,
        .time_ms = 1764000000123,
        .message = message,
        .tenant = SLICE("acme"),
        .user = SLICE("foo"),
        .client_ip = SLICE("192.0.2.1"),
        .job = SLICE("j1"),
        .from = SLICE("a@one.test"),
        .has_from = true,
        .to = SLICE("b@two.test"),
        .vmta = SLICE("mta1"),
        .pool = SLICE("p"),
        .source_ip = SLICE("192.0.2.10"),
        .mx = SLICE("mx.two.test"),
        .mx_ip = SLICE("192.0.2.20"),
        .tls_version = SLICE("TLSv1.3"),
        .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
        .tls_verified = true,
        .stage = SLICE("dot"),
        .enhanced = SLICE("2.0.0"),
        .text = SLICE("queued"),
        .code = 250,
        .attempt = 1,
        .queued_ms = 12,
        .delivery_ms = 3,
        .size = 4096,
        .queue = SLICE("acme/mta1/two.test"),
        .recipients = 1,
        .reason = "word",
    };

    return e;
}

static json_t *line_of(const struct event *e, uint32_t fields)
{
    struct buf out;
    struct slice s;
    json_t *json;

    buf_init(&out, 0);
    assert_int_equal(accounting_line(e, fields, &out), 0);
    s = buf_slice(&out);
    assert_true(s.n && s.p[s.n - 1] == '\n');
    for (size_t i = 0; i + 1 < s.n; i++)
        assert_true((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7F);
    json = json_loadb(s.p, s.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buf_free(&out);
    return json;
}

static void a_line_has_every_field_that_applies(void **state)
{
    const struct ulid id = { { 1 } };
    struct event e = full_event(&id);
    json_t *json = line_of(&e, ACCOUNTING_ALL_FIELDS);
    int names = 0;

    while (accounting_field_name(names)) {
        assert_non_null(json_object_get(json, accounting_field_name(names)));
        assert_int_equal(accounting_field(slice_of(accounting_field_name(names))), 1u << names);
        names++;
    }
    assert_int_equal(json_object_size(json), names);
    assert_string_equal(json_string_value(json_object_get(json, "time")), "2025-11-24T16:00:00.123Z");
    assert_string_equal(json_string_value(json_object_get(json, "event")), "delivered");
    assert_int_equal(json_integer_value(json_object_get(json, "code")), 250);
    assert_true(json_is_true(json_object_get(json_object_get(json, "tls"), "verified")));
    json_decref(json);
}

static void what_does_not_apply_is_left_out(void **state)
{
    struct event e = { .kind = EVENT_REJECTED, .queued_ms = -1, .delivery_ms = -1, .size = -1, .recipients = -1 };
    json_t *json = line_of(&e, ACCOUNTING_ALL_FIELDS);

    assert_int_equal(json_object_size(json), 3); /* time, event, id */
    json_decref(json);
}

static void the_null_reverse_path_is_an_empty_text(void **state)
{
    struct event e = { .has_from = true };
    json_t *json = line_of(&e, ACCOUNTING_ALL_FIELDS);

    assert_string_equal(json_string_value(json_object_get(json, "from")), "");
    json_decref(json);
}

static void only_chosen_fields_are_written(void **state)
{
    const struct ulid id = { { 1 } };
    struct event e = full_event(&id);
    json_t *json = line_of(&e, accounting_field(SLICE("to")) | accounting_field(SLICE("code")));

    assert_int_equal(json_object_size(json), 2);
    json_decref(json);
    json = line_of(&(struct event){ 0 }, accounting_field(SLICE("to")));
    assert_int_equal(json_object_size(json), 0);
    json_decref(json);
    assert_int_equal(accounting_field(SLICE("nothing")), 0);
}

/* The text of a field after a parser has read the line again. */
static void expect_text(struct slice text, const char *wanted)
{
    struct event e = { .text = text };
    json_t *json = line_of(&e, ACCOUNTING_ALL_FIELDS);

    assert_string_equal(json_string_value(json_object_get(json, "text")), wanted);
    json_decref(json);
}

static void every_byte_in_every_field_stays_one_line(void **state)
{
    for (int b = 0; b < 256; b++) {
        const char bytes[] = { 'x', (char)b, 'y', (char)b };
        struct slice s = slice_make(bytes, sizeof bytes);
        struct event e = { .has_from = true };
        struct slice *fields[] = { &e.tenant,     &e.user,  &e.client_ip, &e.job,  &e.from,  &e.to,
                                   &e.vmta,       &e.pool,  &e.source_ip, &e.mx,   &e.mx_ip, &e.tls_version,
                                   &e.tls_cipher, &e.stage, &e.enhanced,  &e.text, &e.queue };

        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            *fields[i] = s;
        json_decref(line_of(&e, ACCOUNTING_ALL_FIELDS));
    }
}

static void what_is_not_printable_becomes_a_replacement_character(void **state)
{
    expect_text(SLICE("a\r\nb"), "a\xEF\xBF\xBD\xEF\xBF\xBD"
                                 "b");
    expect_text(SLICE("\x1b[31m"), "\xEF\xBF\xBD[31m");
    expect_text(SLICE("a\"b\\c=d,"), "a\"b\\c=d,");
    expect_text(SLICE("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
    expect_text(SLICE("\xC3"), "\xEF\xBF\xBD");
    expect_text(SLICE("\xC2\x85x"), "\xEF\xBF\xBD\xEF\xBF\xBDx");               /* U+0085, a C1 control */
    expect_text(SLICE("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
    expect_text(SLICE("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                 /* overlong */
    expect_text(SLICE("\xF0\x9F\x93\xA7"), "\xF0\x9F\x93\xA7");
    expect_text(SLICE("\xF4\x90\x80\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* above U+10FFFF */
}

static void a_long_text_is_cut(void **state)
{
    static char text[100000];
    struct event e = { .text = slice_make(text, sizeof text) };
    json_t *json;

    memset(text, '\xff', sizeof text);
    json = line_of(&e, ACCOUNTING_ALL_FIELDS);
    assert_int_equal(json_string_length(json_object_get(json, "text")), 3 * 4096);
    json_decref(json);
}

/* ---------------------------------------------------------------- accounting.c */
struct fake_files {
    int opened, closed, begun_anew, written[4];
    char last[4][512];
    bool refuses;
};

struct fake_file {
    struct fake_files *all;
    int number;
};

static int fake_open(void *arg, const struct conf_accounting *sink, void **ret, struct fl_err *err)
{
    struct fake_files *all = arg;
    struct fake_file *f;

    if (all->refuses)
        return fl_fail(err, FL_EIO, "no");
    f = malloc(sizeof *f);
    *f = (struct fake_file){ all, all->opened++ };
    *ret = f;
    return 0;
}

static void fake_write(void *file, struct slice line)
{
    struct fake_file *f = file;

    f->all->written[f->number]++;
    snprintf(f->all->last[f->number], sizeof f->all->last[0], "%.*s", SLICE_ARG(line));
}

static void fake_begin_anew(void *file)
{
    struct fake_file *f = file;

    f->all->begun_anew++;
}

static void fake_close(void *file)
{
    struct fake_file *f = file;

    f->all->closed++;
    free(f);
}

static void each_file_gets_its_events_and_fields(void **state)
{
    static const char *const fields[] = { "event", "to" };
    const struct conf_accounting sinks[] = {
        { .file = "all", .events = (unsigned)ACCOUNTING_ALL_EVENTS },
        { .file = "some", .events = 1u << EVENT_BOUNCED, .fields = fields, .field_count = 2 }
    };
    struct conf conf = { .accounting = sinks, .accounting_count = 2 };
    struct fake_files all = { 0 };
    const struct accounting_files files = { &all, fake_open, fake_write, fake_begin_anew, fake_close };
    struct event e = { .kind = EVENT_BOUNCED, .to = SLICE("b@two.test") };
    struct accounting *a;

    assert_int_equal(accounting_new(&files, &conf, &a, NULL), 0);
    accounting_event(a, &e);
    e.kind = EVENT_ACCEPTED;
    accounting_event(a, &e);
    assert_int_equal(all.written[0], 2);
    assert_int_equal(all.written[1], 1);
    assert_string_equal(all.last[1], "{\"event\":\"bounced\",\"to\":\"b@two.test\"}\n");

    accounting_begin_anew(a);
    assert_int_equal(all.begun_anew, 2);
    all.refuses = true; /* a reload that keeps one file, drops the other, and opens none */
    conf.accounting_count = 1;
    assert_int_equal(accounting_set_conf(a, &conf, NULL), 0);
    assert_int_equal(all.closed, 1);
    conf.accounting_count = 2; /* one that cannot be opened: all stays */
    assert_int_equal(accounting_set_conf(a, &conf, NULL), FL_EIO);
    accounting_event(a, &e);
    assert_int_equal(all.written[0], 3);
    accounting_free(a);
    assert_int_equal(all.closed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_every_field_that_applies),
        cmocka_unit_test(what_does_not_apply_is_left_out),
        cmocka_unit_test(the_null_reverse_path_is_an_empty_text),
        cmocka_unit_test(only_chosen_fields_are_written),
        cmocka_unit_test(every_byte_in_every_field_stays_one_line),
        cmocka_unit_test(what_is_not_printable_becomes_a_replacement_character),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(each_file_gets_its_events_and_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
