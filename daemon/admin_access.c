/* admin_access.c: tokens and open paths. Pure. */
#include "admin_access.h"

/* Looks at every byte of what was given, whatever it finds. The length of the right token is no secret. */
static bool equals(struct slice given, struct slice right)
{
    unsigned char differs = given.n != right.n || !right.n;

    for (size_t i = 0; i < given.n; i++)
        differs |= (unsigned char)(given.p[i] ^ (right.n ? right.p[i % right.n] : 1));
    return !differs;
}

const struct conf_token *admin_access_token(const struct conf *conf, struct slice authorization)
{
    const struct conf_token *found = NULL;
    struct slice scheme = SLICE("Bearer "), given;

    if (!slice_starts_nocase(authorization, scheme))
        return NULL;
    given = slice_skip(authorization, scheme.n);
    while (given.n && given.p[0] == ' ')
        given = slice_skip(given, 1);
    for (int i = 0; i < conf->admin.token_count; i++) /* all of them, so that the order of tokens does not show either */
        if (equals(given, slice_of(conf->admin.tokens[i].token)))
            found = &conf->admin.tokens[i];
    return found;
}

bool admin_access_is_open(const struct conf *conf, struct slice path)
{
    for (int i = 0; i < conf->admin.open_count; i++)
        if (slice_eq(path, slice_of(conf->admin.open[i])))
            return true;
    return false;
}
