/* clock.c: see clock.h. Dates are computed here rather than by libc, so that no time zone file is read. */
#include "clock.h"

#include <stdio.h>
#include <string.h>

#include "digits.h"

struct date {
    int year, month, day, weekday, hour, minute, second, ms;
};

/* The proleptic Gregorian calendar, counted in eras of 400 years that begin on the first of March. */
static struct date date_of(int64_t wall_ms)
{
    int64_t days = wall_ms / DAY_MS, rest = wall_ms % DAY_MS, era, year;
    int doe, yoe, doy, mp;
    struct date d;

    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    d.weekday = (int)(((days + 4) % 7 + 7) % 7);
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = (int)(days - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    year = yoe + era * 400;
    d.day = doy - (153 * mp + 2) / 5 + 1;
    d.month = mp < 10 ? mp + 3 : mp - 9;
    d.year = (int)(year + (d.month <= 2));
    d.hour = (int)(rest / HOUR_MS);
    d.minute = (int)(rest / MINUTE_MS % 60);
    d.second = (int)(rest / SECOND_MS % 60);
    d.ms = (int)(rest % SECOND_MS);
    return d;
}

/* Keeps a year in four digits, whatever number a damaged row holds. */
static int64_t sane(int64_t wall_ms)
{
    const int64_t last = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */

    return wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
}

/* A number of `width` digits and what stands behind it. */
static char *put(char *at, int v, int width, char behind)
{
    at = digits_put_padded(at, (unsigned)v, width);
    *at++ = behind;
    return at;
}

void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339])
{
    struct date d = date_of(sane(wall_ms));

    ret = put(ret, d.year, 4, '-');
    ret = put(ret, d.month, 2, '-');
    ret = put(ret, d.day, 2, 'T');
    ret = put(put(put(ret, d.hour, 2, ':'), d.minute, 2, ':'), d.second, 2, '.');
    ret = put(ret, d.ms, 3, 'Z');
    *ret = 0;
}

void clock_rfc5322(int64_t wall_ms, char ret[CLOCK_RFC5322])
{
    static const char days[][6] = { "Sun, ", "Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, " };
    static const char months[][5] = { "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec " };
    struct date d = date_of(sane(wall_ms));

    ret = put(stpcpy(ret, days[d.weekday]), d.day, 2, ' ');
    ret = put(stpcpy(ret, months[d.month - 1]), d.year, 4, ' ');
    ret = put(put(put(ret, d.hour, 2, ':'), d.minute, 2, ':'), d.second, 2, ' ');
    strcpy(ret, "+0000");
}

void clock_span(int64_t ms, char ret[CLOCK_SPAN])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = { { DAY_MS, "d" }, { HOUR_MS, "h" }, { MINUTE_MS, "m" }, { SECOND_MS, "s" } };

    char text[64];

    if (ms <= 0) {
        snprintf(ret, CLOCK_SPAN, "0s");
        return;
    }
    for (int i = 0; i < 4; i++) {
        if (ms < units[i].ms)
            continue;
        if (i < 3 && ms % units[i].ms / units[i + 1].ms > 0)
            snprintf(text, sizeof text, "%lld%s %lld%s", (long long)(ms / units[i].ms), units[i].name,
                     (long long)(ms % units[i].ms / units[i + 1].ms), units[i + 1].name);
        else
            snprintf(text, sizeof text, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
        snprintf(ret, CLOCK_SPAN, "%.31s", text);
        return;
    }
    snprintf(text, sizeof text, "%lldms", (long long)ms);
    snprintf(ret, CLOCK_SPAN, "%.31s", text);
}
