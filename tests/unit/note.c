/* A last reply outlives the session that heard it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "note.h"

static void texts_are_copied_and_replaced_by_parts_of_themselves(void **state)
{
    char heard[] = "try later";
    struct last_reply r = { .time_ms = 5, .code = 451, .enhanced = SLICE("4.7.1"), .text = slice_of(heard), .mx = SLICE("mx.two.test") };
    struct note n = { .store = NULL };

    note_set(&n, &r);
    heard[0] = 'X';
    assert_true(slice_eq(n.reply.text, SLICE("try later")));
    r = n.reply;
    r.text = slice_skip(r.text, 4);
    note_set(&n, &r);
    assert_true(slice_eq(n.reply.text, SLICE("later")));
    assert_true(slice_eq(n.reply.mx, SLICE("mx.two.test")));
    assert_int_equal(n.reply.code, 451);
    note_free(&n);
    assert_int_equal(n.reply.time_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied_and_replaced_by_parts_of_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
