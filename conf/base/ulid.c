/* ulid.c: see ulid.h. */
#include "ulid.h"

enum { TIME_BYTES = 6, DIGITS = 26, DIGIT_BITS = 5 };

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The next larger id: the random part is a counter within a millisecond, and carries into the time. */
static void increment(struct ulid *id)
{
    for (int i = ULID_BYTES - 1; i >= 0; i--)
        if (++id->b[i] != 0)
            return;
}

struct ulid ulid_next(struct ulid_source *src, int64_t wall_ms)
{
    struct ulid id;

    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms <= ulid_ms(&src->last)) {
        increment(&src->last);
        return src->last;
    }
    for (int i = 0; i < TIME_BYTES; i++)
        id.b[i] = (uint8_t)((uint64_t)wall_ms >> (8 * (TIME_BYTES - 1 - i)));
    for (int i = TIME_BYTES; i < ULID_BYTES; i += 5) {
        uint64_t r = rand_next(src->rand);

        for (int k = 0; k < 5; k++)
            id.b[i + k] = (uint8_t)(r >> (8 * k));
    }
    src->last = id;
    return id;
}

static uint64_t half(const uint8_t *b)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | b[i];
    return v;
}

/* The last digit is taken from the right; the first one has the three bits that are left of 128. */
void ulid_text(const struct ulid *id, char ret[ULID_TEXT])
{
    uint64_t high = half(id->b), low = half(id->b + 8);

    for (int i = DIGITS - 1; i >= 0; i--) {
        ret[i] = alphabet[low & ((1u << DIGIT_BITS) - 1)];
        low = low >> DIGIT_BITS | high << (64 - DIGIT_BITS);
        high >>= DIGIT_BITS;
    }
    ret[DIGITS] = 0;
}

bool ulid_parse(struct slice text, struct ulid *ret)
{
    struct ulid id = { { 0 } };

    if (text.n != DIGITS)
        return false;
    for (int i = 0; i < DIGITS; i++) {
        char c = text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i];
        const char *at = c ? strchr(alphabet, c) : NULL;
        unsigned v;

        if (!at)
            return false;
        v = (unsigned)(at - alphabet);
        if (i == 0 && v > 7)
            return false;
        for (int k = 0; k < DIGIT_BITS; k++) {
            int bit = i * DIGIT_BITS - 2 + k;

            if (bit >= 0 && (v >> (DIGIT_BITS - 1 - k) & 1))
                id.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
        }
    }
    *ret = id;
    return true;
}

int ulid_cmp(const struct ulid *a, const struct ulid *b)
{
    return memcmp(a->b, b->b, ULID_BYTES);
}

int64_t ulid_ms(const struct ulid *id)
{
    int64_t ms = 0;

    for (int i = 0; i < TIME_BYTES; i++)
        ms = ms << 8 | id->b[i];
    return ms;
}
