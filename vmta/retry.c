/* retry.c: the schedule, clamped to the expiry, and proof against a clock that steps. */
#include "retry.h"

#include "clock.h"
#include "fault.h"

static int64_t exponential(const struct retry_schedule *s, int n)
{
    double wait = (double)s->first_ms;

    for (int i = 1; i < n && wait < (double)s->max_ms; i++) {
        double longer = wait * s->factor;

        if (longer <= wait) /* a factor of 1 or less never grows */
            break;
        wait = longer;
    }
    return wait < (double)s->max_ms ? (int64_t)wait : s->max_ms;
}

static int64_t jittered(int64_t ms, int permille, struct rand *r)
{
    int64_t width = FAULT(jitter_unbounded) ? ms : ms / 1000 * permille + ms % 1000 * permille / 1000;

    if (!r || width <= 0)
        return ms;
    return ms - width + (int64_t)rand_below(r, 2 * (uint64_t)width + 1);
}

int64_t retry_interval(const struct retry_schedule *s, int n, struct rand *r)
{
    int64_t ms;

    if (n < 1)
        n = 1;
    if (s->count > 0)
        ms = s->interval_ms[n <= s->count ? n - 1 : s->count - 1];
    else
        ms = jittered(exponential(s, n), s->jitter_permille, r);
    return ms > RETRY_SHORTEST_MS ? ms : RETRY_SHORTEST_MS;
}

int64_t retry_next(const struct retry_schedule *s, int attempts, int64_t now_ms, int64_t expires_ms, struct rand *r)
{
    int64_t wait = retry_interval(s, attempts, r);

    if (expires_ms <= now_ms)
        return now_ms;
    return wait < expires_ms - now_ms ? now_ms + wait : expires_ms;
}

int64_t retry_longest(const struct retry_schedule *s)
{
    int64_t longest = RETRY_SHORTEST_MS;

    for (int i = 0; i < s->count; i++)
        if (s->interval_ms[i] > longest)
            longest = s->interval_ms[i];
    if (s->count == 0) {
        int64_t top = s->max_ms > s->first_ms ? s->max_ms : s->first_ms;

        top += top / 1000 * s->jitter_permille + s->jitter_permille;
        if (top > longest)
            longest = top;
    }
    return longest;
}

int64_t retry_pulled_in(const struct retry_schedule *s, int64_t due_ms, int64_t now_ms)
{
    int64_t latest = now_ms + retry_longest(s);

    return due_ms > latest ? latest : due_ms;
}

bool retry_is_expired(int64_t now_ms, int64_t expires_ms, int64_t stepped_ms, int64_t last_attempt_ms)
{
    if (now_ms < expires_ms)
        return false;
    return stepped_ms == 0 || last_attempt_ms >= stepped_ms;
}

bool retry_clock_step(struct retry_clock *c, const struct now *now)
{
    int64_t offset = now->wall_ms - now->mono_ms;
    int64_t by = offset - c->offset_ms;
    bool stepped = c->seen && (by >= RETRY_STEP_MS || by <= -RETRY_STEP_MS);

    c->seen = true;
    c->offset_ms = offset;
    if (stepped)
        c->stepped_ms = now->wall_ms;
    return stepped;
}
