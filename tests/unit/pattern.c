/* Tests conf/base/pattern.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pattern.h"

static enum pattern_result match(const char *pattern, const char *subject)
{
    struct pattern *p;
    struct fl_err err;
    enum pattern_result r;

    assert_int_equal(pattern_compile(slice_of(pattern), &p, &err), 0);
    r = pattern_match(p, slice_of(subject));
    pattern_free(p);
    return r;
}

static void a_pattern_stands_between_slashes(void **state)
{
    assert_int_equal(match("/^spring/", "spring sale"), PATTERN_YES);
    assert_int_equal(match("/^spring/", "Spring sale"), PATTERN_NO);
    assert_int_equal(match("/^spring/i", "SPRING sale"), PATTERN_YES);
    assert_int_equal(match("/a/b/", "xa/b"), PATTERN_YES);
    assert_int_equal(match("/@foo(bar)?\\.com$/", "a@foo.com"), PATTERN_YES);
    assert_int_equal(match("/^$/", ""), PATTERN_YES);
}

static void a_malformed_pattern_is_told(void **state)
{
    static const char *const bad[] = { "", "/", "//", "abc", "/abc", "/a/x", "/(/", "/a{2,1}/", "/\\C/", "/(a)\\1/" };
    struct pattern *p;
    struct fl_err err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(pattern_compile(slice_of(bad[i]), &p, &err) < 0 && err.text[0]);
}

static double cost_ms(const char *pattern, struct slice subject, enum pattern_result expected)
{
    struct timespec a, b;
    struct pattern *p;
    struct fl_err err;

    assert_int_equal(pattern_compile(slice_of(pattern), &p, &err), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_int_equal(pattern_match(p, subject), expected);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    pattern_free(p);
    return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

static void a_hostile_pattern_costs_less_than_10_ms(void **state)
{
    enum { N = PATTERN_SUBJECT_MAX };
    char *text = malloc(N);

    assert_non_null(text);
    memset(text, 'a', N);
    text[N - 1] = '!';
    assert_true(cost_ms("/(a+)+$/", slice_make(text, N), PATTERN_TOO_COSTLY) < 10);
    assert_true(cost_ms("/^(a|aa)+$/", slice_make(text, N), PATTERN_TOO_COSTLY) < 10);
    assert_true(cost_ms("/(a*)*(a*)*[bc]/", slice_make(text, N), PATTERN_TOO_COSTLY) < 10);
    assert_true(cost_ms("/a*a*a*[bc]/", slice_make(text, N), PATTERN_TOO_COSTLY) < 10);
    free(text);
}

static void a_subject_that_is_too_long_is_not_looked_at(void **state)
{
    enum { N = 10 * 1024 };
    char *text = calloc(1, N);

    assert_non_null(text);
    assert_true(cost_ms("/(a+)+$/", slice_make(text, N), PATTERN_TOO_COSTLY) < 10);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_stands_between_slashes),
        cmocka_unit_test(a_malformed_pattern_is_told),
        cmocka_unit_test(a_hostile_pattern_costs_less_than_10_ms),
        cmocka_unit_test(a_subject_that_is_too_long_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
