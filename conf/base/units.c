/* units.c: see units.h. */
#include "units.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"

struct unit {
    struct slice name;
    int64_t value;
};

/* Largest first: spans are written from large to small, and printed in the largest unit that divides them. */
static const struct unit spans[] = {
    { SLICE("d"), DAY_MS }, { SLICE("h"), HOUR_MS }, { SLICE("m"), MINUTE_MS }, { SLICE("s"), SECOND_MS }, { SLICE("ms"), 1 },
};
static const struct unit sizes[] = {
    { SLICE("TiB"), 1LL << 40 }, { SLICE("GiB"), 1LL << 30 }, { SLICE("MiB"), 1LL << 20 },
    { SLICE("KiB"), 1LL << 10 }, { SLICE("B"), 1 },
};
enum { SPANS = sizeof spans / sizeof spans[0], SIZES = sizeof sizes / sizeof sizes[0] };
#define VALUE_MAX (INT64_MAX / 2)
enum { DECIMALS_MAX = 6 };

static const struct unit *find_unit(const struct unit *units, int n, struct slice name)
{
    for (int i = 0; i < n; i++)
        if (slice_eq(units[i].name, name))
            return &units[i];
    return NULL;
}

static struct slice take_digits(struct slice *rest)
{
    size_t n = 0;
    struct slice digits;

    while (n < rest->n && ascii_is_digit(rest->p[n]))
        n++;
    digits = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return digits;
}

static struct slice take_letters(struct slice *rest)
{
    size_t n = 0;
    struct slice letters;

    while (n < rest->n && ascii_is_alpha(rest->p[n]))
        n++;
    letters = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return letters;
}

/* One part, "1.5s": a number and a unit, exact in whole base units. */
static bool take_part(struct slice *rest, const struct unit *units, int n, const struct unit **ret_unit, int64_t *ret)
{
    uint64_t whole, fraction = 0;
    int64_t scale = 1;
    const struct unit *u;

    if (!slice_to_u64(take_digits(rest), VALUE_MAX, &whole))
        return false;
    if (rest->n && rest->p[0] == '.') {
        struct slice digits;

        *rest = slice_skip(*rest, 1);
        digits = take_digits(rest);
        if (digits.n > DECIMALS_MAX || !slice_to_u64(digits, UINT64_MAX, &fraction))
            return false;
        for (size_t i = 0; i < digits.n; i++)
            scale *= 10;
    }
    u = find_unit(units, n, take_letters(rest));
    if (!u || whole > (uint64_t)(VALUE_MAX / u->value))
        return false;
    /* fraction < 10^6 and no unit above 2^40: the product fits */
    if ((int64_t)fraction * u->value % scale != 0)
        return false;
    *ret = (int64_t)whole * u->value + (int64_t)fraction * u->value / scale;
    *ret_unit = u;
    return *ret <= VALUE_MAX;
}

bool units_span(struct slice text, int64_t *ret_ms)
{
    struct slice rest = text;
    const struct unit *last = NULL, *u;
    int64_t sum = 0, part;

    if (slice_eq(text, SLICE("0"))) {
        *ret_ms = 0;
        return true;
    }
    do {
        if (last && rest.n && rest.p[0] == ' ')
            rest = slice_skip(rest, 1);
        if (!take_part(&rest, spans, SPANS, &u, &part) || (last && u <= last) || part > VALUE_MAX - sum)
            return false;
        sum += part;
        last = u;
    } while (rest.n);
    *ret_ms = sum;
    return true;
}

bool units_size(struct slice text, int64_t *ret_bytes)
{
    struct slice rest = text;
    const struct unit *u;
    int64_t v;

    if (slice_eq(text, SLICE("0"))) {
        *ret_bytes = 0;
        return true;
    }
    if (!take_part(&rest, sizes, SIZES, &u, &v) || rest.n)
        return false;
    *ret_bytes = v;
    return true;
}

bool units_rate(struct slice text, struct rate *ret)
{
    struct slice rest = text, digits;
    const struct unit *u;
    uint64_t count, times = 1;

    if (slice_eq(text, SLICE("unlimited"))) {
        *ret = (struct rate){ 0, 0 };
        return true;
    }
    if (!slice_to_u64(take_digits(&rest), VALUE_MAX, &count) || count == 0 || !rest.n || rest.p[0] != '/')
        return false;
    rest = slice_skip(rest, 1);
    digits = take_digits(&rest);
    if (digits.n && (!slice_to_u64(digits, VALUE_MAX, &times) || times == 0))
        return false;
    u = find_unit(spans, SPANS, rest);
    if (!u || u->value == 1 || times > (uint64_t)(VALUE_MAX / u->value))
        return false;
    *ret = (struct rate){ .count = (int64_t)count, .per_ms = (int64_t)times * u->value };
    return true;
}

bool units_percent(struct slice text, int *ret_permille)
{
    struct slice rest = text, digits;
    uint64_t whole, tenths = 0;

    if (!slice_to_u64(take_digits(&rest), 100, &whole))
        return false;
    if (rest.n && rest.p[0] == '.') {
        rest = slice_skip(rest, 1);
        digits = take_digits(&rest);
        if (digits.n != 1 || !slice_to_u64(digits, 9, &tenths))
            return false;
    }
    if (!slice_eq(rest, SLICE("%")) || whole * 10 + tenths > 1000)
        return false;
    *ret_permille = (int)(whole * 10 + tenths);
    return true;
}

/* The largest unit of which v is a whole number. */
static const struct unit *largest_unit(const struct unit *units, int n, int64_t v)
{
    for (int i = 0; i < n - 1; i++)
        if (v % units[i].value == 0)
            return &units[i];
    return &units[n - 1];
}

void units_span_text(int64_t ms, char ret[UNITS_TEXT])
{
    const struct unit *u = largest_unit(spans, SPANS, ms);

    if (ms == NEVER_MS)
        snprintf(ret, UNITS_TEXT, "never");
    else if (ms == 0)
        snprintf(ret, UNITS_TEXT, "0s");
    else
        snprintf(ret, UNITS_TEXT, "%" PRId64 "%.*s", ms / u->value, SLICE_ARG(u->name));
}

void units_size_text(int64_t bytes, char ret[UNITS_TEXT])
{
    const struct unit *u = largest_unit(sizes, SIZES, bytes);

    if (bytes == 0)
        u = &sizes[SIZES - 1];
    snprintf(ret, UNITS_TEXT, "%" PRId64 "%.*s", bytes / u->value, SLICE_ARG(u->name));
}

void units_rate_text(struct rate rate, char ret[UNITS_TEXT])
{
    const struct unit *u = largest_unit(spans, SPANS, rate.per_ms);

    if (rate_is_unlimited(rate))
        snprintf(ret, UNITS_TEXT, "unlimited");
    else if (rate.per_ms == u->value)
        snprintf(ret, UNITS_TEXT, "%" PRId64 "/%.*s", rate.count, SLICE_ARG(u->name));
    else
        snprintf(ret, UNITS_TEXT, "%" PRId64 "/%" PRId64 "%.*s", rate.count, rate.per_ms / u->value, SLICE_ARG(u->name));
}
