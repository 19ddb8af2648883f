/* Tests vmta/mail/header.c and header_from.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "header.h"

static struct header_scan scan(struct slice content)
{
    struct header_scan s;

    assert_int_equal(header_scan(content, true, &s), HEADER_OK);
    return s;
}

static void a_header_ends_at_the_empty_line(void **state)
{
    struct slice content = SLICE("Received: a\r\n\tb\r\nFROM: <a@b>\r\nX: y\r\nreceived: c\r\n\r\nFrom: body\r\n");
    struct header_scan s = scan(content);

    assert_int_equal(s.fields, 4);
    assert_int_equal(s.received, 2);
    assert_int_equal(s.from, 1);
    assert_true(s.has_separator && !s.has_date && !s.has_message_id && !s.eight_bit);
    assert_true(slice_eq(slice_skip(content, s.body_at), SLICE("From: body\r\n")));
    s = scan(SLICE("date: x\r\nMessage-Id : <y>\r\nX: \xc3\xbc\r\n"));
    assert_true(!s.has_separator && s.has_date && s.has_message_id && s.eight_bit);
    assert_int_equal(s.body_at, s.block.n);
}

static void a_line_that_is_no_field_begins_the_body(void **state)
{
    static const struct slice bodies[] = { SLICE("hello\r\n"),  SLICE(" folded\r\n"),     SLICE(": x\r\n"),
                                           SLICE("a b: c\r\n"), SLICE("\xc3\xbc: c\r\n"), SLICE("") };

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct header_scan s = scan(bodies[i]);

        assert_int_equal(s.fields, 0);
        assert_int_equal(s.body_at, 0);
        assert_false(s.has_separator);
        assert_int_equal(s.is_broken, bodies[i].n > 0);
    }
    assert_int_equal(scan(SLICE("A: b\r\nhello\r\n\r\n")).body_at, 6);
}

static void more_is_asked_for_until_the_end_is_there(void **state)
{
    struct slice content = SLICE("A: b\r\n c\r\n\r\n");
    struct header_scan s;

    for (size_t n = 0; n < content.n; n++)
        assert_int_equal(header_scan(slice_head(content, n), false, &s), HEADER_MORE);
    assert_int_equal(header_scan(content, false, &s), HEADER_OK);
    assert_int_equal(s.body_at, content.n);
}

static void a_header_is_bounded_in_octets_and_fields(void **state)
{
    enum { BIG = 2 * HEADER_BYTES_MAX };
    char *text = malloc(BIG);
    struct header_scan s;

    assert_non_null(text);
    memset(text, 'x', BIG);
    memcpy(text, "A: ", 3);
    assert_int_equal(header_scan(slice_make(text, BIG), true, &s), HEADER_TOO_LARGE);
    assert_int_equal(header_scan(slice_make(text, BIG), false, &s), HEADER_TOO_LARGE);
    memcpy(text + 70000, "\r\n\r\n", 4); /* one field of 70 KB is fine */
    assert_int_equal(header_scan(slice_make(text, BIG), false, &s), HEADER_OK);
    assert_int_equal(s.body_at, 70004);
    for (int i = 0; i <= HEADER_FIELDS_MAX; i++)
        memcpy(text + 5 * i, "A:b\r\n", 5);
    assert_int_equal(header_scan(slice_make(text, 5 * (HEADER_FIELDS_MAX + 1)), true, &s), HEADER_TOO_LARGE);
    assert_int_equal(header_scan(slice_make(text, 5 * HEADER_FIELDS_MAX), true, &s), HEADER_OK);
    free(text);
}

static void fields_come_one_by_one(void **state)
{
    struct slice rest = SLICE("A:  b\r\n\tc \r\n..B : d\r\nC:\r\n");
    struct header_field f;
    char value[32];

    assert_true(header_next(&rest, &f));
    assert_true(slice_eq(f.name, SLICE("A")) && slice_eq(f.raw, SLICE("A:  b\r\n\tc \r\n")));
    assert_int_equal(header_unfold(f.value, value, sizeof value), 3);
    assert_string_equal(value, "b\tc");
    assert_int_equal(header_unfold(f.value, value, 3), 2);
    assert_true(header_next(&rest, &f));
    assert_true(slice_eq(f.name, SLICE(".B")) && slice_eq(f.value, SLICE(" d")));
    assert_true(header_next(&rest, &f));
    assert_true(slice_eq(f.name, SLICE("C")) && f.value.n == 0);
    assert_int_equal(header_unfold(f.value, value, sizeof value), 0);
    assert_false(header_next(&rest, &f));
    assert_true(header_find(SLICE("A: 1\r\nb: 2\r\nB: 3\r\n"), SLICE("B"), &f));
    assert_true(slice_eq(f.value, SLICE(" 2")));
    assert_false(header_find(SLICE("A: 1\r\n"), SLICE("B"), &f));
}

static void a_single_dot_hides_no_field(void **state)
{
    struct header_scan s = scan(SLICE("A: b\r\n.From: <eve@evil.test>\r\n. folded\r\n\r\n"));
    struct header_field f;
    char value[64];

    assert_int_equal(s.fields, 2);
    assert_int_equal(s.from, 1);
    assert_true(header_find(s.block, SLICE("From"), &f));
    header_unfold(f.value, value, sizeof value);
    assert_string_equal(value, "<eve@evil.test> folded");
}

static void rewritten_is(struct slice content, const struct slice *remove, size_t n, struct slice expected)
{
    struct header_scan s = scan(content);
    struct buf out;

    buf_init(&out, 0);
    assert_int_equal(header_rewrite(&s, SLICE("P: q\r\n"), remove, n, &out), 0);
    assert_int_equal(buf_add(&out, slice_skip(content, s.body_at)), 0);
    assert_true(slice_eq(buf_slice(&out), expected));
    buf_free(&out);
}

static void what_stays_is_not_touched(void **state)
{
    static const struct slice remove[] = { SLICE("X-Fairlead-VMTA"), SLICE("x-job") };

    rewritten_is(SLICE("A: 1 \r\n\r\nb"), NULL, 0, SLICE("P: q\r\nA: 1 \r\n\r\nb"));
    rewritten_is(SLICE("A: 1\r\nx-fairlead-vmta: a\r\n b\r\n\tc\r\nB: 2\r\nX-Job: 7\r\nX-Jobs: 8\r\n\r\nX-Job: b\r\n"), remove,
                 2, SLICE("P: q\r\nA: 1\r\nB: 2\r\nX-Jobs: 8\r\n\r\nX-Job: b\r\n"));
    rewritten_is(SLICE("X-Job: 1\r\nX-Job: 2\r\n\r\n"), remove, 2, SLICE("P: q\r\n\r\n"));
    rewritten_is(SLICE("X-Job: 1\r\n . dot\r\nA: ..\r\n"), remove, 2, SLICE("P: q\r\nA: ..\r\n"));
    rewritten_is(SLICE("A: 1\r\nhello\r\nFrom: b@c\r\n"), remove, 2, SLICE("P: q\r\nA: 1\r\n\r\nhello\r\nFrom: b@c\r\n"));
    rewritten_is(SLICE("hello\r\n"), remove, 2, SLICE("P: q\r\n\r\nhello\r\n"));
    rewritten_is(SLICE(""), remove, 2, SLICE("P: q\r\n\r\n"));
    rewritten_is(SLICE("\r\nhello\r\n"), remove, 2, SLICE("P: q\r\n\r\nhello\r\n"));
}

static enum header_from_status from(const char *block, const char *expected)
{
    struct arena *arena = arena_new(1024);
    struct address *a;
    char all[512] = "";
    size_t n;
    enum header_from_status status;

    assert_non_null(arena);
    status = header_from(slice_of(block), arena, &a, &n);
    for (size_t i = 0; status == HEADER_FROM_OK && i < n; i++) {
        strncat(all, a[i].text.p, a[i].text.n);
        strcat(all, "|");
    }
    assert_string_equal(all, expected);
    arena_free(arena);
    return status;
}

static void every_address_of_from_is_found(void **state)
{
    from("From: bob@a.b\r\n", "bob@a.b|");
    from("A: x\r\nfrom : Bob Smith <bob@a.b>\r\nTo: x@y\r\n", "bob@a.b|");
    from("From: \"Smith, Bob <eve@evil.test>\" <bob@a.b>\r\n", "bob@a.b|");
    from("From: =?utf-8?Q?B=C3=B6b?= <bob@a.b> (a (nested \\) one))\r\n", "bob@a.b|");
    from("From: B\xc3\xb6"
         "b <b\xc3\xb6"
         "b@a.b>\r\n",
         "b\xc3\xb6"
         "b@a.b|");
    from("From: Mr. B. Smith\r\n <bob@a.b>,\r\n\t eve@c.d\r\n", "bob@a.b|eve@c.d|");
    from("From: team: bob@a.b, Eve <eve@c.d>; , x@y.z\r\n", "bob@a.b|eve@c.d|x@y.z|");
    from("From: bob (c) . smith (d) @ (e) a (f) . b\r\n", "bob.smith@a.b|");
    from("From: \"bob \\\" b\"@a.b\r\n", "\"bob \\\" b\"@a.b|");
    from("From: <@x.y,@z:bob@a.b>\r\n", "bob@a.b|");
    from("From: bob@[127.0.0.1]\r\n", "bob@[127.0.0.1]|");
    from("From: ,,bob@a.b,,\r\n", "bob@a.b|");
}

static void what_cannot_be_read_is_malformed(void **state)
{
    static const char *const bad[] = {
        "From:\r\n",
        "From: Bob\r\n",
        "From: <>\r\n",
        "From: <bob@a.b\r\n",
        "From: bob@a.b eve@c.d\r\n",
        "From: bob@a.b>\r\n",
        "From: <bob@a.b> <eve@c.d>\r\n",
        "From: Bob <bob@a.b> eve@c.d\r\n",
        "From: undisclosed:;\r\n",
        "From: g: bob@a.b\r\n",
        "From: bob@a.b (open\r\n",
        "From: \"open bob@a.b\r\n",
        "From: Smith, Bob <bob@a.b>\r\n",
        "From: bob@\r\n",
        "From: @a.b\r\n",
        "From: bob@a..b\r\n",
        "From: b..ob@a.b\r\n",
        "From: bob smith@a.b\r\n",
        "From: g: h: bob@a.b;;\r\n",
        "From: bob@a.b;\r\n",
        "From: bob@a b\r\n",
        "From: bob@a.b\x01\r\n",
        "From: a@b@c\r\n",
        "From: bob@[127.0.0.1\r\n",
        "From: \"x\\\r\n",
        "From: x(\\\r\n",
        "From: <@x.y>,:bob@a.b>\r\n",
        "From: bob@a.b,:x\r\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(from(bad[i], ""), HEADER_FROM_MALFORMED);
    assert_int_equal(from("To: a@b\r\n", ""), HEADER_FROM_NONE);
    assert_int_equal(from("From: a@b\r\nFROM: c@d\r\n", ""), HEADER_FROM_SEVERAL);
}

static void from_has_a_bounded_number_of_addresses(void **state)
{
    struct arena *arena = arena_new(1024);
    struct address *a;
    struct buf text;
    size_t n;

    buf_init(&text, 0);
    assert_int_equal(buf_add_text(&text, "From: a@b"), 0);
    for (int i = 1; i < HEADER_FROM_MAX; i++)
        assert_int_equal(buf_add_text(&text, ",a@b"), 0);
    assert_int_equal(buf_add_text(&text, "\r\n"), 0);
    assert_int_equal(header_from(buf_slice(&text), arena, &a, &n), HEADER_FROM_OK);
    assert_int_equal(n, HEADER_FROM_MAX);
    text.end -= 2;
    assert_int_equal(buf_add_text(&text, ",a@b\r\n"), 0);
    assert_int_equal(header_from(buf_slice(&text), arena, &a, &n), HEADER_FROM_TOO_MANY);
    buf_free(&text);
    arena_free(arena);
}

static void a_missing_date_and_id_can_be_added(void **state)
{
    struct buf out;

    buf_init(&out, 0);
    assert_int_equal(header_add_date(0, &out), 0);
    assert_int_equal(header_add_message_id(SLICE("01ABC"), SLICE("relay.example.net"), &out), 0);
    assert_true(
        slice_eq(buf_slice(&out), SLICE("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: <01ABC@relay.example.net>\r\n")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_ends_at_the_empty_line),
        cmocka_unit_test(a_line_that_is_no_field_begins_the_body),
        cmocka_unit_test(more_is_asked_for_until_the_end_is_there),
        cmocka_unit_test(a_header_is_bounded_in_octets_and_fields),
        cmocka_unit_test(fields_come_one_by_one),
        cmocka_unit_test(a_single_dot_hides_no_field),
        cmocka_unit_test(what_stays_is_not_touched),
        cmocka_unit_test(every_address_of_from_is_found),
        cmocka_unit_test(what_cannot_be_read_is_malformed),
        cmocka_unit_test(from_has_a_bounded_number_of_addresses),
        cmocka_unit_test(a_missing_date_and_id_can_be_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
