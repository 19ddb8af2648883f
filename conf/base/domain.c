/* domain.c: see domain.h. */
#include "domain.h"

#include <limits.h>
#include <stdlib.h>

#include <idn2.h>

enum { LABEL_MAX = 63, NAME_MAX_OCTETS = DOMAIN_MAX - 1, INPUT_MAX = 1024 };

static bool is_label(struct slice s)
{
    if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* Checks an ASCII name and writes it in lower case. */
static bool ascii_canonical(struct slice name, char ret[DOMAIN_MAX])
{
    struct slice rest = name;

    if (name.n == 0 || name.n > NAME_MAX_OCTETS || name.p[name.n - 1] == '.')
        return false;
    while (rest.n)
        if (!is_label(slice_cut(&rest, '.')))
            return false;
    for (size_t i = 0; i < name.n; i++)
        ret[i] = ascii_lower(name.p[i]);
    ret[name.n] = 0;
    return true;
}

static size_t count_dots(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '.';
    return n;
}

/* UTS 46 maps U+3002 and its like to a dot. Only an ASCII dot splits labels here: one name must not be read as two by two
 * readers. */
static bool unicode_canonical(struct slice name, char ret[DOMAIN_MAX])
{
    char text[INPUT_MAX];
    char *ascii = NULL;
    bool ok;

    if (name.n >= sizeof text || !slice_is_utf8(name) || memchr(name.p, 0, name.n))
        return false;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    ok = count_dots(slice_of(ascii)) == count_dots(name) && ascii_canonical(slice_of(ascii), ret);
    idn2_free(ascii);
    return ok;
}

bool domain_canonical(struct slice name, char ret[DOMAIN_MAX])
{
    return slice_is_ascii(name) ? ascii_canonical(name, ret) : unicode_canonical(name, ret);
}

bool domain_unicode(struct slice canonical, char *ret, size_t size)
{
    char text[DOMAIN_MAX];
    char *unicode = NULL;
    struct slice shown = canonical;
    bool ok;

    if (canonical.n >= sizeof text)
        return false;
    if (canonical.n)
        memcpy(text, canonical.p, canonical.n);
    text[canonical.n] = 0;
    if (idn2_to_unicode_8z8z(text, &unicode, 0) == IDN2_OK)
        shown = slice_of(unicode);
    ok = shown.n < size;
    if (ok) {
        if (shown.n)
            memcpy(ret, shown.p, shown.n);
        ret[shown.n] = 0;
    }
    idn2_free(unicode);
    return ok;
}

bool domain_pattern_canonical(struct slice pattern, char ret[DOMAIN_MAX + 2])
{
    if (slice_eq(pattern, SLICE("*"))) {
        memcpy(ret, "*", 2);
        return true;
    }
    if (slice_starts_nocase(pattern, SLICE("*."))) {
        memcpy(ret, "*.", 2);
        return domain_canonical(slice_skip(pattern, 2), ret + 2);
    }
    return domain_canonical(pattern, ret);
}

bool domain_matches(struct slice pattern, struct slice domain)
{
    if (slice_eq(pattern, SLICE("*")))
        return true;
    if (pattern.n > 2 && pattern.p[0] == '*') {
        struct slice suffix = slice_skip(pattern, 1); /* with its dot */

        return domain.n > suffix.n && slice_eq(slice_skip(domain, domain.n - suffix.n), suffix);
    }
    return slice_eq(pattern, domain);
}

int domain_specificity(struct slice pattern)
{
    if (slice_eq(pattern, SLICE("*")))
        return 0;
    if (pattern.n && pattern.p[0] == '*')
        return (int)pattern.n;
    return INT_MAX;
}
