/* verifier.c: see verifier.h. */
#include "verifier.h"

enum {
    SCRAM_ITERATIONS_MIN = 4096,
    SCRAM_ITERATIONS_MAX = 10000000,
    SCRAM_KEY = 32, /* octets of SHA-256 */
    SALT_MAX = 1024,
};

/* The methods of crypt(5) that are not broken, with the length of the digest at the end. */
static const struct {
    const char *prefix;
    int fields; /* between '$' signs, after the prefix: the last is the digest */
    size_t digest;
} methods[] = {
    { "$y$", 3, 43 },  { "$gy$", 3, 43 }, { "$7$", 2, 43 }, { "$2b$", 2, 53 },
    { "$2a$", 2, 53 }, { "$2y$", 2, 53 }, { "$6$", 2, 86 }, { "$5$", 2, 43 },
};

static bool is_crypt_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '/' && s.p[i] != '=')
            return false;
    return s.n > 0;
}

static bool has_fields(struct slice rest, int fields, size_t digest)
{
    struct slice field = SLICE_NONE;

    /* "$5$" and "$6$" may say their rounds first */
    if (slice_starts_nocase(rest, SLICE("rounds=")))
        fields++;
    for (int i = 0; i < fields; i++) {
        field = slice_cut(&rest, '$');
        if (!is_crypt_text(field))
            return false;
    }
    return rest.n == 0 && field.n == digest;
}

bool verifier_is_crypt(struct slice text)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct slice prefix = slice_of(methods[i].prefix);

        if (text.n > prefix.n && memcmp(text.p, prefix.p, prefix.n) == 0)
            return has_fields(slice_skip(text, prefix.n), methods[i].fields, methods[i].digest);
    }
    return false;
}

/* How many octets the base64 text stands for (RFC 4648 section 4, with its padding); 0 when it is none. */
static size_t base64_octets(struct slice s)
{
    size_t padding = 0;

    while (padding < 2 && s.n > padding && s.p[s.n - 1 - padding] == '=')
        padding++;
    if (s.n == 0 || s.n % 4 != 0)
        return 0;
    for (size_t i = 0; i < s.n - padding; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
            return 0;
    return s.n / 4 * 3 - padding;
}

bool verifier_is_scram(struct slice text)
{
    struct slice method = slice_cut(&text, '$'), first = slice_cut(&text, '$');
    struct slice iterations = slice_cut(&first, ':'), stored = slice_cut(&text, ':');
    size_t salt = base64_octets(first);
    uint64_t n;

    return slice_eq(method, SLICE("SCRAM-SHA-256")) && slice_to_u64(iterations, SCRAM_ITERATIONS_MAX, &n) &&
           n >= SCRAM_ITERATIONS_MIN && salt > 0 && salt <= SALT_MAX && base64_octets(stored) == SCRAM_KEY &&
           base64_octets(text) == SCRAM_KEY;
}
