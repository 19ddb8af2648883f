/* Tests vmta/mail/reply.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "reply.h"

/* Reads one reply from a stream fed in steps of `step` bytes; the status of the last call. */
static enum reply_status read_reply(struct reply_parser *p, struct slice stream, size_t step, size_t *ret_left)
{
    enum reply_status status = REPLY_MORE;

    reply_init(p);
    while (stream.n) {
        struct slice part = slice_head(stream, step);

        stream = slice_skip(stream, part.n);
        do
            status = reply_next(p, &part);
        while (status == REPLY_LINE);
        if (status != REPLY_MORE) {
            *ret_left = part.n + stream.n;
            return status;
        }
        assert_int_equal(part.n, 0);
    }
    *ret_left = 0;
    return status;
}

static void reads(struct slice stream, int code, const char *enhanced, const char *text, size_t left)
{
    struct reply_parser p;
    size_t l;

    for (size_t step = 1; step <= stream.n; step++) {
        assert_int_equal(read_reply(&p, stream, step, &l), REPLY_DONE);
        assert_int_equal(reply_get(&p)->code, code);
        assert_string_equal(reply_get(&p)->enhanced, enhanced);
        assert_string_equal(reply_get(&p)->text, text);
        assert_int_equal(l, left);
    }
}

static void a_reply_has_a_code_an_enhanced_code_and_text(void **state)
{
    reads(SLICE("250 2.1.5 ok\r\n"), 250, "2.1.5", "ok", 0);
    reads(SLICE("250 2.1.5 ok\r\n354 go"), 250, "2.1.5", "ok", 6);
    reads(SLICE("250\r\n"), 250, "", "", 0);
    reads(SLICE("250 \r\n"), 250, "", "", 0);
    reads(SLICE("354 go on\n"), 354, "", "go on", 0);
    reads(SLICE("550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n"), 550, "5.1.1", "no such user here", 0);
    reads(SLICE("250-first\r\n250\r\n"), 250, "", "first", 0);
    reads(SLICE("550 5.1.1\r\n"), 550, "5.1.1", "", 0);
    reads(SLICE("450-a\r\n451 b\r\n"), 451, "", "a b", 0);
}

static void an_enhanced_code_of_another_class_is_text(void **state)
{
    reads(SLICE("550 4.1.1 odd\r\n"), 550, "", "4.1.1 odd", 0);
    reads(SLICE("550 5.1 odd\r\n"), 550, "", "5.1 odd", 0);
    reads(SLICE("550 5.1.1234 odd\r\n"), 550, "", "5.1.1234 odd", 0);
    reads(SLICE("550 5.1.1: odd\r\n"), 550, "", "5.1.1: odd", 0);
    reads(SLICE("550 5.123.123 odd\r\n"), 550, "5.123.123", "odd", 0);
    reads(SLICE("354 3.0.0 odd\r\n"), 354, "3.0.0", "odd", 0);
}

static void what_is_no_reply_is_malformed(void **state)
{
    static const struct slice bad[] = { SLICE("\r\n"),
                                        SLICE("25\r\n"),
                                        SLICE("abc\r\n"),
                                        SLICE("150 x\r\n"),
                                        SLICE("650 x\r\n"),
                                        SLICE("250x\r\n"),
                                        SLICE("2500 x\r\n"),
                                        SLICE("25\xb2 x\r\n"),
                                        SLICE("-50 x\r\n"),
                                        SLICE(" 250 x\r\n"),
                                        SLICE("HTTP/1.1 400 Bad\r\n"),
                                        SLICE("250-a\r\n550 b\r\n"),
                                        SLICE("\0\0\0\0\n"),
                                        SLICE("250\t x\r\n") };
    struct reply_parser p;
    size_t left;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t step = 1; step <= bad[i].n; step++)
            assert_int_equal(read_reply(&p, bad[i], step, &left), REPLY_MALFORMED);
}

static void the_text_is_clean(void **state)
{
    reads(SLICE("550 a\0b\x1b[2Jc\x7f\td\r e\r\n"), 550, "", "a?b?[2Jc? d? e", 0);
    reads(SLICE("550 gr\xc3\xbc\xc3 \xff\xe2\x80\xae\xc2\x85x\r\n"), 550, "", "gr\xc3\xbc? ???x", 0);
}

static void a_reply_is_bounded(void **state)
{
    enum { BIG = 100 * 1024 };
    char *stream = malloc(BIG);
    struct reply_parser p;
    size_t left;

    assert_non_null(stream);
    memset(stream, 'x', BIG);
    memcpy(stream, "250 ", 4);
    memcpy(stream + 3000, "\r\n", 2);
    assert_int_equal(read_reply(&p, slice_make(stream, 3002), 700, &left), REPLY_DONE);
    assert_int_equal(strlen(reply_get(&p)->text), REPLY_TEXT_MAX);
    assert_int_equal(reply_line(&p).n, REPLY_LINE_MAX - 4);
    memset(stream, 'x', BIG);
    memcpy(stream, "250 ", 4);
    assert_int_equal(read_reply(&p, slice_make(stream, BIG), 1000, &left), REPLY_MALFORMED);
    for (int i = 0; i < BIG / 7; i++)
        memcpy(stream + 7 * i, "250-a\r\n", 7);
    assert_int_equal(read_reply(&p, slice_make(stream, BIG / 7 * 7), 1000, &left), REPLY_MALFORMED);
    free(stream);
}

static void text_is_cut_at_a_character(void **state)
{
    char ret[4];

    assert_int_equal(reply_clean(SLICE("ab\xc3\xbc"), ret, sizeof ret), 2);
    assert_string_equal(ret, "ab");
    assert_int_equal(reply_clean(SLICE("a\xc3\xbc"), ret, sizeof ret), 3);
    assert_int_equal(reply_clean(SLICE("a"), ret, 0), 0);
    assert_int_equal(reply_clean(SLICE("\xe2\x82"), ret, sizeof ret), 2);
    assert_string_equal(ret, "??");
}

static void the_lines_of_ehlo_are_seen_one_by_one(void **state)
{
    struct slice in = SLICE("250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n220 next");
    struct reply_parser p;

    reply_init(&p);
    assert_false(reply_is_pending(&p));
    assert_int_equal(reply_next(&p, &in), REPLY_LINE);
    assert_true(slice_eq(reply_line(&p), SLICE("mx.test")));
    assert_true(reply_is_pending(&p));
    assert_int_equal(reply_next(&p, &in), REPLY_LINE);
    assert_true(slice_eq(reply_line(&p), SLICE("PIPELINING")));
    assert_int_equal(reply_next(&p, &in), REPLY_DONE);
    assert_true(slice_eq(reply_line(&p), SLICE("SIZE 1000")));
    assert_false(reply_is_pending(&p));
    assert_int_equal(reply_next(&p, &in), REPLY_MORE);
    assert_true(reply_is_pending(&p));
    assert_int_equal(in.n, 0);
}

static void a_reply_made_here_reads_like_one(void **state)
{
    struct reply r;
    char text[REPLY_SHOWN];

    reply_set(&r, 0, "", SLICE("connection\ntimed out"));
    reply_text(&r, text);
    assert_string_equal(text, "connection?timed out");
    assert_string_equal(reply_status_code(&r), "4.0.0");
    reply_set(&r, 550, "5.1.1", SLICE("no"));
    reply_text(&r, text);
    assert_string_equal(text, "550 5.1.1 no");
    assert_string_equal(reply_status_code(&r), "5.1.1");
    reply_set(&r, 550, "", SLICE(""));
    reply_text(&r, text);
    assert_string_equal(text, "550");
    assert_string_equal(reply_status_code(&r), "5.0.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_has_a_code_an_enhanced_code_and_text),
        cmocka_unit_test(an_enhanced_code_of_another_class_is_text),
        cmocka_unit_test(what_is_no_reply_is_malformed),
        cmocka_unit_test(the_text_is_clean),
        cmocka_unit_test(a_reply_is_bounded),
        cmocka_unit_test(text_is_cut_at_a_character),
        cmocka_unit_test(the_lines_of_ehlo_are_seen_one_by_one),
        cmocka_unit_test(a_reply_made_here_reads_like_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
