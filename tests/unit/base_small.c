/* The smallest parts of the ground floor: slice, buf, arena, heap, clock, log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "digits.h"
#include "err.h"
#include "heap.h"
#include "log.h"
#include "rand.h"

static void a_number_is_digits_up_to_its_maximum(void **state)
{
    uint64_t v = 7;

    assert_true(slice_to_u64(SLICE("0"), 10, &v) && v == 0);
    assert_true(slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
    assert_false(slice_to_u64(SLICE("18446744073709551616"), UINT64_MAX, &v));
    assert_false(slice_to_u64(SLICE("11"), 10, &v));
    assert_false(slice_to_u64(SLICE("9"), 5, &v));
    assert_false(slice_to_u64(SLICE(""), 10, &v));
    assert_false(slice_to_u64(SLICE("-1"), 10, &v));
    assert_false(slice_to_u64(SLICE("1 "), 10, &v));
}

static void numbers_are_written_in_digits(void **state)
{
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { 18446744073709551615u, "18446744073709551615" } };
    char text[DIGITS_MAX + 1];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        *digits_put(text, cases[i].v) = 0;
        assert_string_equal(text, cases[i].text);
    }
    *digits_put_padded(text, 7, 3) = 0;
    assert_string_equal(text, "007");
    *digits_put_padded(text, 2026, 2) = 0;
    assert_string_equal(text, "26");
}

static void parts_are_joined_where_there_is_room(void **state)
{
    const struct slice parts[] = { SLICE("acme"), SLICE_NONE, SLICE("d.test") };
    char text[32];

    assert_int_equal(slice_join(parts, 3, '/', text, sizeof text), 12);
    assert_string_equal(text, "acme//d.test");
    assert_int_equal(slice_join(parts, 3, '/', text, 14), 12);
    assert_int_equal(slice_join(parts, 3, '/', text, 11), 0);
    assert_int_equal(slice_join(parts, 1, '/', text, 6), 4);
    assert_int_equal(slice_join(parts, 1, '/', text, 4), 0);
}

static void utf8_is_strict(void **state)
{
    assert_true(slice_is_utf8(SLICE("gr\xc3\xbc\xc3\x9f")));
    assert_true(slice_is_utf8(SLICE("\xf4\x8f\xbf\xbf")));
    assert_false(slice_is_utf8(SLICE("\xc0\xaf")));         /* overlong */
    assert_false(slice_is_utf8(SLICE("\xe0\x80\xaf")));     /* overlong */
    assert_false(slice_is_utf8(SLICE("\xed\xa0\x80")));     /* surrogate */
    assert_false(slice_is_utf8(SLICE("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(slice_is_utf8(SLICE("a\xc3")));            /* cut off */
}

static void a_buffer_never_passes_its_cap(void **state)
{
    struct buf b;

    buf_init(&b, 10);
    assert_int_equal(buf_add(&b, SLICE("0123456789")), 0);
    assert_int_equal(buf_add(&b, SLICE("x")), FL_ELIMIT);
    buf_consume(&b, 4);
    assert_int_equal(buf_add(&b, SLICE("abcd")), 0);
    assert_true(slice_eq(buf_slice(&b), SLICE("456789abcd")));
    buf_free(&b);
}

static void an_arena_gives_zeroed_memory_of_any_size(void **state)
{
    struct arena *a = arena_new(16);

    for (size_t n = 1; n < 20000; n *= 3) {
        char *p = arena_alloc(a, n);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 'x', n);
    }
    assert_string_equal(arena_printf(a, "%s-%d", "a", 5), "a-5");
    arena_free(a);
}

static void a_heap_gives_the_smallest_first_whatever_was_moved(void **state)
{
    struct heap_node nodes[200] = { 0 };
    struct heap h = { 0 };
    struct rand r;
    int64_t last = -1;

    rand_seed(&r, 1);
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 200; i++)
            assert_int_equal(heap_set(&h, &nodes[i], (int64_t)rand_below(&r, 50), (uint64_t)i), 0);
    for (int i = 0; i < 200; i += 3)
        heap_remove(&h, &nodes[i]);
    assert_int_equal(h.count, 133);
    while (heap_first(&h)) {
        struct heap_node *n = heap_first(&h);

        assert_true(n->key >= last);
        last = n->key;
        heap_remove(&h, n);
        assert_false(heap_has(n));
    }
    heap_free(&h);
}

static void dates_and_spans_are_written_as_the_rfcs_say(void **state)
{
    char t[64];

    clock_rfc3339(INT64_C(1796078247123), t);
    assert_string_equal(t, "2026-11-30T22:37:27.123Z");
    clock_rfc3339(INT64_C(951782400000), t);
    assert_string_equal(t, "2000-02-29T00:00:00.000Z");
    clock_rfc5322(0, t);
    assert_string_equal(t, "Thu, 01 Jan 1970 00:00:00 +0000");
    clock_rfc3339(INT64_MAX, t);
    assert_string_equal(t, "9999-12-31T23:59:59.999Z");
    clock_span(190000, t);
    assert_string_equal(t, "3m 10s");
    clock_span(2 * DAY_MS, t);
    assert_string_equal(t, "2d");
    clock_span(250, t);
    assert_string_equal(t, "250ms");
}

static char logged[LOG_LINE + 1];

static void keep(void *arg, enum log_level level, struct slice line)
{
    snprintf(logged, sizeof logged, "%.*s", SLICE_ARG(line));
}

static int64_t midnight(void *arg)
{
    return 0;
}

static void every_byte_in_a_log_value_leaves_one_parseable_line(void **state)
{
    struct log log = { .level = LOG_LEVEL_INFO, .sink = keep, .wall_ms = midnight };
    char all[256], big[3 * LOG_LINE];
    struct log_line l;

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    log_begin(&l, &log, LOG_LEVEL_INFO, "test");
    log_text(&l, "plain", "mx.two.test");
    log_text(&l, "blank", "a \"b\"\r\n");
    log_slice(&l, "all", slice_make(all, sizeof all));
    log_end(&l);
    for (const char *p = logged; *p; p++)
        assert_true((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7f);
    assert_non_null(strstr(logged, "1970-01-01T00:00:00.000Z info test plain=mx.two.test blank=\"a \\\"b\\\"\\x0d\\x0a\" all=\"\\x00"));

    memset(big, 'x', sizeof big);
    log_begin(&l, &log, LOG_LEVEL_INFO, "test");
    log_slice(&l, "big", slice_make(big, sizeof big));
    log_int(&l, "lost", 1);
    log_end(&l);
    assert_true(strlen(logged) <= LOG_LINE);
    assert_string_equal(logged + strlen(logged) - 4, "\xe2\x80\xa6\"");

    logged[0] = '\0';
    log_message(&log, LOG_LEVEL_DEBUG, "quiet", "not wanted");
    assert_string_equal(logged, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_up_to_its_maximum),
        cmocka_unit_test(numbers_are_written_in_digits),
        cmocka_unit_test(parts_are_joined_where_there_is_room),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(a_buffer_never_passes_its_cap),
        cmocka_unit_test(an_arena_gives_zeroed_memory_of_any_size),
        cmocka_unit_test(a_heap_gives_the_smallest_first_whatever_was_moved),
        cmocka_unit_test(dates_and_spans_are_written_as_the_rfcs_say),
        cmocka_unit_test(every_byte_in_a_log_value_leaves_one_parseable_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
