/* clock.c: see clock.h. Dates are computed here rather than by libc, so that no time zone file is read. */
#include "clock.h"

#include <stdio.h>

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

void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339])
{
    struct date d = date_of(sane(wall_ms));
    char text[64];

    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", d.year, d.month, d.day, d.hour, d.minute, d.second,
             d.ms);
    snprintf(ret, CLOCK_RFC3339, "%.24s", text);
}

void clock_rfc5322(int64_t wall_ms, char ret[CLOCK_RFC5322])
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct date d = date_of(sane(wall_ms));
    char text[64];

    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[d.weekday], d.day, months[d.month - 1], d.year,
             d.hour, d.minute, d.second);
    snprintf(ret, CLOCK_RFC5322, "%.31s", text);
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
