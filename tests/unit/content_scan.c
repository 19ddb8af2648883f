/* What a content needs, found at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "content_scan.h"

static void check(struct slice content, bool eight_bit, bool header_eight_bit)
{
    for (size_t cut = 0; cut <= content.n; cut++) {
        struct content_scan s = { .begun = false };

        content_scan_add(&s, slice_head(content, cut));
        content_scan_add(&s, slice_skip(content, cut));
        assert_int_equal(s.eight_bit, eight_bit);
        assert_int_equal(s.header_eight_bit, header_eight_bit);
    }
}

static void ascii_needs_nothing(void **state)
{
    check(SLICE("A: b\r\n\r\nbody\r\n"), false, false);
    check(SLICE(""), false, false);
}

static void a_body_above_ascii_is_not_a_header_above_ascii(void **state)
{
    check(SLICE("A: b\r\n\r\ngr\xc3\xbc\r\n"), true, false);
    check(SLICE("A: gr\xc3\xbc\r\n\r\nbody\r\n"), true, true);
    check(SLICE("A: b\r\n c\r\r\n\xc3\xbc\r\n"), true, true);
}

static void content_without_a_header_begins_with_an_empty_line(void **state)
{
    check(SLICE("\r\n\xc3\xbc\r\n"), true, false);
    check(SLICE("\r\xc3\xbc\r\n"), true, true);
}

static void raw_bytes_are_counted_without_doubled_dots(void **state)
{
    struct slice content = SLICE("A: gr\xc3\xbc\r\n\r\n..\r\n...\r\na.\r\n..b\r\n");

    for (size_t cut = 0; cut <= content.n; cut++) {
        struct content_scan s = { .measures = true };

        assert_false(content_scan_add(&s, slice_head(content, cut)));
        assert_false(content_scan_add(&s, slice_skip(content, cut)));
        assert_int_equal(s.raw_bytes, content.n - 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_needs_nothing),
        cmocka_unit_test(a_body_above_ascii_is_not_a_header_above_ascii),
        cmocka_unit_test(content_without_a_header_begins_with_an_empty_line),
        cmocka_unit_test(raw_bytes_are_counted_without_doubled_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
