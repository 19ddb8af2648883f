/* The moods of a test MX: how a rule is written, and which one speaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sink_script.h"

static int add(struct sink_script *s, const char *at, const char *match, const char *share, const char *act)
{
    struct sink_rule_text text = { .at = slice_of(at), .match = slice_of(match), .share = slice_of(share), .act = slice_of(act) };
    struct fl_err err;

    return sink_script_add(s, &text, &err);
}

static void the_first_rule_that_matches_speaks(void **state)
{
    struct sink_script s = { 0 };
    struct rand dice;
    const struct sink_rule *r;

    rand_seed(&dice, 1);
    assert_int_equal(add(&s, "rcpt", "/grey/", NULL, "451 4.7.1 greylisted"), 0);
    assert_int_equal(add(&s, "rcpt", NULL, NULL, "550 5.1.1 nobody"), 0);
    assert_int_equal(add(&s, "mail", NULL, NULL, "drop"), 0);
    r = sink_script_find(&s, SINK_AT_RCPT, SLICE("grey-1@two.test"), &dice);
    assert_string_equal(r->reply, "451 4.7.1 greylisted\r\n");
    r = sink_script_find(&s, SINK_AT_RCPT, SLICE("b@two.test"), &dice);
    assert_string_equal(r->reply, "550 5.1.1 nobody\r\n");
    r = sink_script_find(&s, SINK_AT_MAIL, SLICE(""), &dice);
    assert_int_equal(r->mood, SINK_MOOD_DROP);
    assert_null(sink_script_find(&s, SINK_AT_DOT, SLICE(""), &dice));
    assert_true(sink_script_has(&s, SINK_AT_MAIL));
    assert_false(sink_script_has(&s, SINK_AT_DOT));
    sink_script_free(&s);
}

static void a_share_is_kept_over_many_draws(void **state)
{
    struct sink_script s = { 0 };
    struct rand dice;
    int refused = 0;

    rand_seed(&dice, 7);
    assert_int_equal(add(&s, "dot", NULL, "10%", "452 4.2.2 full"), 0);
    for (int i = 0; i < 10000; i++)
        refused += sink_script_find(&s, SINK_AT_DOT, SLICE_NONE, &dice) != NULL;
    assert_in_range(refused, 850, 1150);
    sink_script_free(&s);
}

static void delays_and_rates_have_units(void **state)
{
    struct sink_script s = { 0 };
    struct fl_err err;

    assert_int_equal(sink_script_add(&s, &(struct sink_rule_text){ .at = SLICE("ehlo"), .delay = SLICE("5s") }, &err), 0);
    assert_int_equal(sink_script_add(&s, &(struct sink_rule_text){ .at = SLICE("data"), .rate = SLICE("10B/s") }, &err), 0);
    assert_int_equal(s.rules[0].mood, SINK_MOOD_DELAY);
    assert_int_equal(s.rules[0].delay_ms, 5000);
    assert_int_equal(s.rules[1].mood, SINK_MOOD_RATE);
    assert_int_equal(s.rules[1].bytes_per_s, 10);
    assert_int_equal(sink_script_add(&s, &(struct sink_rule_text){ .at = SLICE("data"), .rate = SLICE("10/s") }, &err), FL_EINVAL);
    assert_int_equal(sink_script_add(&s, &(struct sink_rule_text){ .at = SLICE("data"), .delay = SLICE("5") }, &err), FL_EINVAL);
    sink_script_free(&s);
}

static void a_reply_may_have_several_lines(void **state)
{
    struct sink_script s = { 0 };

    assert_int_equal(add(&s, "ehlo", NULL, NULL, "250-mx.test\n250 SIZE 100"), 0);
    assert_string_equal(s.rules[0].reply, "250-mx.test\r\n250 SIZE 100\r\n");
    sink_script_free(&s);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    struct sink_script s = { 0 };

    assert_int_equal(add(&s, "quit", NULL, NULL, "drop"), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", NULL, NULL, "dorp"), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", NULL, NULL, NULL), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", NULL, NULL, "150 no such class"), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", NULL, NULL, "\r\n"), FL_EINVAL);
    assert_int_equal(sink_script_add(&s, &(struct sink_rule_text){ .at = SLICE("dot"), .act = SLICE("451 a\0b") }, NULL), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", NULL, "110%", "drop"), FL_EINVAL);
    assert_int_equal(add(&s, "rcpt", "/(/", NULL, "drop"), FL_EINVAL);
    assert_int_equal(s.count, 0);
    sink_script_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_speaks),
        cmocka_unit_test(a_share_is_kept_over_many_draws),
        cmocka_unit_test(delays_and_rates_have_units),
        cmocka_unit_test(a_reply_may_have_several_lines),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
