/* schema.c: questions to the table (schema.h). */
#include "schema.h"

#include <stdlib.h>

enum { NAME_COMPARED = 40 }; /* bytes of a name that are looked at when the nearest is sought: keys are shorter */

const struct schema_key *schema_next(enum schema_block block, const struct schema_key *after)
{
    enum schema_block also = schema_extends(block);

    for (const struct schema_key *k = after ? after + 1 : schema_keys; k < schema_keys + schema_key_count; k++)
        if (k->in == block || (also != BLOCK_NONE && k->in == also))
            return k;
    return NULL;
}

const struct schema_key *schema_find(enum schema_block block, struct slice name)
{
    for (const struct schema_key *k = NULL; (k = schema_next(block, k)) != NULL;)
        if (strncmp(k->name, name.p, name.n) == 0 && k->name[name.n] == '\0')
            return k;
    return NULL;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Slips of the pen between two words: letters added, left out, changed, or two neighbours swapped. */
static int slips(struct slice a, struct slice b)
{
    int row[3][NAME_COMPARED + 1] = { { 0 } };
    int *before = row[0], *last = row[1], *now = row[2], *swap;

    a = slice_head(a, NAME_COMPARED);
    b = slice_head(b, NAME_COMPARED);
    for (size_t j = 0; j <= b.n; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= b.n; j++) {
            int differ = ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]);

            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + differ);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        swap = before;
        before = last;
        last = now;
        now = swap;
    }
    return last[b.n];
}

const struct schema_key *schema_nearest(enum schema_block block, struct slice name, int *ret_slips)
{
    const struct schema_key *best = NULL;
    int fewest = 0;

    for (const struct schema_key *k = NULL; (k = schema_next(block, k)) != NULL;) {
        int n = slips(name, slice_of(k->name));

        if (!best || n < fewest) {
            best = k;
            fewest = n;
        }
    }
    *ret_slips = fewest;
    return best;
}

static int add_range(const struct schema_key *key, struct buf *out)
{
    char min[UNITS_TEXT], max[UNITS_TEXT];

    if (key->type == VALUE_SPAN) {
        units_span_text(key->min, min);
        units_span_text(key->max, max);
    } else if (key->type == VALUE_SIZE) {
        units_size_text(key->min, min);
        units_size_text(key->max, max);
    } else {
        return buf_printf(out, " from %lld to %lld", (long long)key->min, (long long)key->max);
    }
    return buf_printf(out, " from %s to %s", min, max);
}

static int add_choices(const struct schema_key *key, struct buf *out)
{
    int rc = buf_add_text(out, "one of ");

    for (const char *const *c = key->choices; *c && rc == 0; c++)
        rc = buf_printf(out, "%s%s", c == key->choices ? "" : ", ", *c);
    return rc;
}

static int add_type(const struct schema_key *key, struct buf *out)
{
    static const char *const says[VALUE_TYPES] = {
        [VALUE_FLAG] = "true or false",
        [VALUE_NUMBER] = "a whole number",
        [VALUE_SPAN] = "a time such as 30s or 1h 30m (units ms, s, m, h, d)",
        [VALUE_SIZE] = "a size such as 25MiB (units B, KiB, MiB, GiB)",
        [VALUE_RATE] = "a rate N/unit or N/Kunit such as 100/s or 1/20m (units s, m, h, d; N at least 1)",
        [VALUE_PERCENT] = "a percentage such as 10%, at most 50%",
        [VALUE_FACTOR] = "a number from 1 to 100",
        [VALUE_TEXT] = "a text",
        [VALUE_USER] = "the name of a system user, or \"\"",
        [VALUE_HOST] = "a host name",
        [VALUE_DOMAIN_PATTERN] = "a domain, *.suffix, or *",
        [VALUE_MAIL_ADDRESS] = "an address local@domain",
        [VALUE_RELAY_ADDRESS] = "an address local@domain, or a pattern between slashes",
        [VALUE_SENDER_PATTERN] = "an address, *@domain, or *@*.suffix",
        [VALUE_HEADER_PATTERN] = "a pattern between slashes, or a text",
        [VALUE_HEADER_NAME] = "the name of a header field",
        [VALUE_FILE] = "the name of a file",
        [VALUE_INCLUDE] = "the name of a file below the main file's folder, * and ? allowed",
        [VALUE_SECRET] = "a secret",
        [VALUE_REFERENCE] = "a name (letters, digits, '.', '_', '-'; users also '@', '+')",
        [VALUE_NETWORK] = "an address or network such as 192.0.2.0/24 or 2001:db8::/32",
        [VALUE_ADDRESS] = "an IPv4 or IPv6 address",
        [VALUE_ENDPOINT] = "address:port or [address]:port, port 1 to 65535",
        [VALUE_LISTEN] = "address:port, [address]:port, network:port, name:port or *:port, port 1 to 65535",
        [VALUE_DNS_SERVER] = "an address, or address:port, port 1 to 65535",
        [VALUE_SMART_HOST] = "[host]:port, host:port or host, port 1 to 65535",
        [VALUE_FINGERPRINT] = "64 hexadecimal digits, with or without colons",
    };
    int rc =
        key->type == VALUE_CHOICE ? add_choices(key, out) : buf_add_text(out, says[key->type] ? says[key->type] : "a value");

    if (rc == 0 && (key->type == VALUE_NUMBER || key->type == VALUE_SPAN || key->type == VALUE_SIZE))
        rc = add_range(key, out);
    if (rc == 0 && key->setting == 1 + SET_TIMEOUTS)
        rc = buf_add_text(out, ", or rfc5321");
    if (rc == 0 && key->setting == 1 + SET_TLS_CA)
        rc = buf_add_text(out, ", or system");
    if (rc == 0 && (key->flags & KEY_UNLIMITED))
        rc = buf_add_text(out, ", or unlimited");
    if (rc == 0 && (key->flags & KEY_NEVER))
        rc = buf_add_text(out, ", or never");
    if (rc == 0 && (key->flags & KEY_MAY_BE_NULL))
        rc = buf_add_text(out, ", or null");
    return rc;
}

static int add_keys(const struct schema_key *key, struct buf *out)
{
    int rc = buf_add_text(out, "a mapping with ");
    bool first = true;

    for (const struct schema_key *k = NULL; rc == 0 && (k = schema_next(key->of, k)) != NULL; first = false)
        rc = buf_printf(out, "%s%s", first ? "" : ", ", k->name);
    return rc;
}

static int add_form(const struct schema_key *key, enum schema_form form, struct buf *out)
{
    int rc;

    switch (form) {
    case FORM_ONE:
        return add_type(key, out);
    case FORM_LIST:
        rc = buf_add_text(out, "a list [...], each: ");
        return rc < 0 ? rc : add_type(key, out);
    case FORM_BLOCK:
        return add_keys(key, out);
    case FORM_BLOCKS:
        rc = buf_add_text(out, "a list, each: ");
        return rc < 0 ? rc : add_keys(key, out);
    case FORM_NAMED_BLOCKS:
        return buf_add_text(out, "a mapping of names to mappings");
    case FORM_NAMED:
    case FORM_NAMED_LISTS:
        rc = buf_add_text(out, "a mapping of names, each to: ");
        return rc < 0 ? rc : add_type(key, out);
    }
    return 0;
}

int schema_allowed(const struct schema_key *key, struct buf *out)
{
    bool first = true;
    int rc = 0;

    for (unsigned form = FORM_ONE; form <= FORM_NAMED_LISTS && rc == 0; form *= 2) {
        if (!(schema_forms(key) & form))
            continue;
        if (!first)
            rc = buf_add_text(out, "; or ");
        if (rc == 0)
            rc = add_form(key, (enum schema_form)form, out);
        first = false;
    }
    return rc;
}
