/* body.c: content in blocks, its rewritten head, its pieces, and its checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "body.h"
#include "crc32c.h"

static char *whole(const struct body *b, uint64_t from, size_t *ret_n)
{
    struct iovec v[3];
    char *all = malloc(body_in_memory(b) + 1);
    size_t n = 0;
    int count;

    assert_non_null(all);
    while ((count = body_pieces(b, from + n, v, 3)) > 0)
        for (int i = 0; i < count; i++) {
            memcpy(all + n, v[i].iov_base, v[i].iov_len);
            n += v[i].iov_len;
        }
    *ret_n = n;
    return all;
}

static void what_is_added_comes_out_whatever_the_cuts(void **state)
{
    struct body_budget budget = { 0 };
    char text[200000];
    size_t n;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 255);
    for (size_t step = 1; step < sizeof text; step = step * 3 + 1) {
        struct body *b = body_new(&budget);
        char *all;

        for (size_t at = 0; at < sizeof text; at += step)
            assert_int_equal(body_add(b, slice_make(text + at, step < sizeof text - at ? step : sizeof text - at)), 0);
        assert_int_equal(body_length(b), sizeof text);
        assert_true(budget.used >= (long long)sizeof text);
        for (uint64_t from = 0; from < sizeof text; from = from * 2 + 1) {
            all = whole(b, from, &n);
            assert_int_equal(n, sizeof text - from);
            assert_memory_equal(all, text + from, n);
            free(all);
        }
        body_unref(b);
        assert_int_equal(budget.used, 0);
    }
}

static void the_head_is_replaced_without_touching_the_rest(void **state)
{
    struct body_budget budget = { 0 };
    struct body *b = body_new(&budget);
    char *all, rest[10000];
    size_t n;

    memset(rest, 'r', sizeof rest);
    assert_int_equal(body_add(b, SLICE("Old: 1\r\n\r\n")), 0);
    assert_int_equal(body_add(b, slice_make(rest, sizeof rest)), 0);
    assert_int_equal(body_replace_head(b, 8, SLICE("New: much longer than before\r\n")), 0);
    all = whole(b, 0, &n);
    assert_int_equal(n, 30 + 2 + sizeof rest);
    assert_memory_equal(all, "New: much longer than before\r\n\r\nrrr", 35);
    free(all);
    assert_int_equal(body_replace_head(b, 32 + 5000, SLICE("")), 0); /* past the first block */
    assert_int_equal(body_length(b), 5000);
    body_unref(b);
    assert_int_equal(budget.used, 0);
}

static void its_front_is_one_piece(void **state)
{
    struct body_budget budget = { 0 };
    struct body *b = body_new(&budget);
    struct slice front;

    assert_int_equal(body_front(b, 100).n, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(body_add(b, SLICE("0123456789")), 0);
    front = body_front(b, 9005);
    assert_true(front.n >= 9005);
    for (size_t i = 0; i < front.n; i++)
        assert_int_equal(front.p[i], '0' + i % 10);
    assert_int_equal(body_length(b), 10000);
    assert_int_equal(body_front(b, 1000000).n, 10000);
    body_unref(b);
    assert_int_equal(budget.used, 0);
}

static void memory_is_forgotten_only_of_what_is_stored(void **state)
{
    struct body_budget budget = { 0 };
    struct body *b = body_new(&budget);
    struct body_place place = { .segment = 3, .length = 5 };
    struct iovec v;

    assert_int_equal(body_add(b, SLICE("hello")), 0);
    body_forget(b);
    assert_int_equal(body_in_memory(b), 5);
    body_set_place(b, &place);
    body_forget(b);
    assert_int_equal(body_in_memory(b), 0);
    assert_int_equal(body_length(b), 5);
    assert_int_equal(body_pieces(b, 0, &v, 1), 0);
    assert_int_equal(budget.used, 0);
    body_unref(b);
}

static void the_checksum_is_crc32c(void **state)
{
    char text[1000];

    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283u);
    assert_int_equal(crc32c_portable(0, "123456789", 9), 0xE3069283u);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31);
    for (size_t cut = 0; cut < sizeof text; cut += 37)
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, sizeof text - cut), crc32c_portable(0, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_comes_out_whatever_the_cuts),
        cmocka_unit_test(the_head_is_replaced_without_touching_the_rest),
        cmocka_unit_test(its_front_is_one_piece),
        cmocka_unit_test(memory_is_forgotten_only_of_what_is_stored),
        cmocka_unit_test(the_checksum_is_crc32c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
