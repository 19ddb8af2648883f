/* Tests conf/base/units.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "units.h"

static int64_t span(const char *text)
{
    int64_t ms = -1;

    return units_span(slice_of(text), &ms) ? ms : -1;
}

static int64_t size(const char *text)
{
    int64_t bytes = -1;

    return units_size(slice_of(text), &bytes) ? bytes : -1;
}

static void a_span_has_a_unit(void **state)
{
    assert_int_equal(span("0"), 0);
    assert_int_equal(span("500ms"), 500);
    assert_int_equal(span("30s"), 30000);
    assert_int_equal(span("10m"), 10 * MINUTE_MS);
    assert_int_equal(span("4d"), 4LL * DAY_MS);
    assert_int_equal(span("1h 30m"), 90 * MINUTE_MS);
    assert_int_equal(span("1h30m"), 90 * MINUTE_MS);
    assert_int_equal(span("1.5s"), 1500);
    static const char *const bad[] = { "",          "10",      "m",     "10 m", "-1s",   "1s 1m",
                                       "1s 1s",     "1.0001s", "0.5ms", "1.s",  ".5s",   "1e3s",
                                       "1 s",       "1s ",     " 1s",   "1S",   "1week", "9999999999999999999d",
                                       "1.1234567d" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(span(bad[i]), -1);
}

static void a_size_has_a_binary_unit(void **state)
{
    assert_int_equal(size("0"), 0);
    assert_int_equal(size("500B"), 500);
    assert_int_equal(size("8KiB"), 8192);
    assert_int_equal(size("25MiB"), 25 << 20);
    assert_int_equal(size("50GiB"), 50LL << 30);
    assert_int_equal(size("1.5KiB"), 1536);
    static const char *const bad[] = { "", "5", "5MB", "5mib", "5 MiB", "-5B", "1.3B", "99999999999TiB", "1KiB1B" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(size(bad[i]), -1);
}

static void a_rate_counts_events_in_a_time(void **state)
{
    struct rate r;

    assert_true(units_rate(SLICE("100/s"), &r) && r.count == 100 && r.per_ms == 1000);
    assert_true(units_rate(SLICE("1/20m"), &r) && r.count == 1 && r.per_ms == 20 * MINUTE_MS);
    assert_true(units_rate(SLICE("5000/d"), &r) && r.count == 5000 && r.per_ms == DAY_MS);
    assert_true(units_rate(SLICE("unlimited"), &r) && rate_is_unlimited(r));
    static const char *const bad[] = { "",       "0/s",  "100",   "100/",   "100/ms", "/s",
                                       "100/0s", "-1/s", "1.5/s", "100/s ", "100 /s", "100/w" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(units_rate(slice_of(bad[i]), &r));
}

static void a_share_is_at_most_all(void **state)
{
    int permille;

    assert_true(units_percent(SLICE("10%"), &permille) && permille == 100);
    assert_true(units_percent(SLICE("0.5%"), &permille) && permille == 5);
    assert_true(units_percent(SLICE("100%"), &permille) && permille == 1000);
    assert_false(units_percent(SLICE("100.1%"), &permille));
    assert_false(units_percent(SLICE("10"), &permille));
    assert_false(units_percent(SLICE("%"), &permille));
    assert_false(units_percent(SLICE("0.55%"), &permille));
}

static void what_is_printed_is_read_back(void **state)
{
    static const int64_t values[] = { 0, 1, 90, 1000, 90000, 120000, 3600000, 5400000, 86400000, 345600000, 123456789 };
    static const char *const spans[] = { "0s", "1ms", "90ms", "1s", "90s", "2m", "1h", "90m", "1d", "4d", "123456789ms" };
    char text[UNITS_TEXT];

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct rate r = { 7, values[i] * 1000 }, back;

        units_span_text(values[i], text);
        assert_string_equal(text, spans[i]);
        assert_int_equal(span(text), values[i]);
        units_size_text(values[i] * 1024, text);
        assert_int_equal(size(text), values[i] * 1024);
        if (values[i] == 0)
            continue;
        units_rate_text(r, text);
        assert_true(units_rate(slice_of(text), &back) && back.count == r.count && back.per_ms == r.per_ms);
    }
    units_span_text(NEVER_MS, text);
    assert_string_equal(text, "never");
    units_rate_text((struct rate){ 0 }, text);
    assert_string_equal(text, "unlimited");
    units_rate_text((struct rate){ 1, 20 * MINUTE_MS }, text);
    assert_string_equal(text, "1/20m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_has_a_unit),
        cmocka_unit_test(a_size_has_a_binary_unit),
        cmocka_unit_test(a_rate_counts_events_in_a_time),
        cmocka_unit_test(a_share_is_at_most_all),
        cmocka_unit_test(what_is_printed_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
