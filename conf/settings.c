/* settings.c: delivery settings of one block, and the blocks that speak of a domain (conf.h). Pure; any thread. */
#include "conf_private.h"

#include <assert.h>

#include "buf.h"
#include "domain.h"
#include "schema.h"

const struct setting_value *settings_get(const struct settings *s, enum setting key)
{
    uint32_t bit = UINT32_C(1) << key;

    if (!(s->set & bit))
        return NULL;
    return &s->value[__builtin_popcount(s->set & (bit - 1))];
}

static const struct schema_key *key_of(enum setting key)
{
    for (int i = 0; i < schema_key_count; i++)
        if (schema_keys[i].setting == 1 + (int)key)
            return &schema_keys[i];
    return NULL;
}

const char *setting_name(enum setting key)
{
    if (key == SET_DSN_BOUNCE)
        return "dsn.bounce";
    return key == SET_DSN_DELAY_AFTER ? "dsn.delay_after" : key_of(key)->name;
}

static int add_span(int64_t ms, struct buf *out)
{
    char text[UNITS_TEXT];

    units_span_text(ms, text);
    return buf_add_text(out, text);
}

static int add_number(const struct setting_value *v, struct buf *out)
{
    return v->number == INT64_MAX ? buf_add_text(out, "unlimited") : buf_printf(out, "%lld", (long long)v->number);
}

static int add_rate(const struct setting_value *v, struct buf *out)
{
    char text[UNITS_TEXT];

    units_rate_text(v->rate, text);
    return buf_add_text(out, text);
}

static int add_retry(const struct retry_schedule *r, struct buf *out)
{
    int rc;

    if (r->count == 0) {
        rc = buf_add_text(out, "{first: ");
        rc = rc < 0 ? rc : add_span(r->first_ms, out);
        rc = rc < 0 ? rc : buf_printf(out, ", factor: %g, max: ", r->factor);
        rc = rc < 0 ? rc : add_span(r->max_ms, out);
        rc = rc < 0 ? rc : buf_printf(out, ", jitter: %g%%}", r->jitter_permille / 10.0);
        return rc;
    }
    rc = buf_add_text(out, r->count > 1 ? "[" : "");
    for (int i = 0; i < r->count && rc == 0; i++) {
        rc = buf_add_text(out, i ? ", " : "");
        rc = rc < 0 ? rc : add_span(r->interval_ms[i], out);
    }
    return rc < 0 ? rc : buf_add_text(out, r->count > 1 ? "]" : "");
}

static const char *tls_name(enum tls_mode mode)
{
    return key_of(SET_TLS)->choices[mode];
}

/* The password is not told. */
static int add_smart_host(const struct smart_host *h, struct buf *out)
{
    const char *open = h->is_literal ? "[" : "", *close = h->is_literal ? "]" : "";
    bool is_plain = !h->has_tls && !h->implicit_tls && !h->user;
    int rc = buf_printf(out, "%s%s%s%s:%u", is_plain ? "" : "{host: \"", open, h->host, close, h->port);

    if (is_plain || rc < 0)
        return rc;
    rc = buf_add_text(out, "\"");
    if (rc == 0 && h->has_tls)
        rc = buf_printf(out, ", tls: %s", tls_name(h->tls));
    if (rc == 0 && h->implicit_tls)
        rc = buf_add_text(out, ", implicit_tls: true");
    if (rc == 0 && h->user)
        rc = buf_printf(out, ", user: \"%s\"", h->user);
    return rc < 0 ? rc : buf_add_text(out, "}");
}

static int add_families(struct ip_families f, struct buf *out)
{
    int rc = buf_add_text(out, "[");

    for (int i = 0; i < 2 && f.order[i] && rc == 0; i++)
        rc = buf_printf(out, "%sipv%d", i ? ", " : "", f.order[i]);
    return rc < 0 ? rc : buf_add_text(out, "]");
}

int setting_text(enum setting key, const struct setting_value *v, struct buf *out)
{
    switch (key) {
    case SET_TLS:
        return buf_add_text(out, tls_name(v->tls));
    case SET_TLS_MIN_VERSION:
        return buf_add_text(out, key_of(key)->choices[v->version]);
    case SET_TLS_CA:
        return buf_add_text(out, v->text ? v->text : "system");
    case SET_RETRY:
        return add_retry(v->retry, out);
    case SET_EXPIRE_AFTER:
    case SET_CONNECT_TIMEOUT:
    case SET_IDLE_TIMEOUT:
    case SET_DSN_DELAY_AFTER:
        return add_span(v->ms, out);
    case SET_TIMEOUTS:
        return v->ms ? add_span(v->ms, out) : buf_add_text(out, "rfc5321");
    case SET_PORT:
    case SET_MAX_CONNECTIONS:
    case SET_MAX_MESSAGES_PER_CONNECTION:
    case SET_MAX_RECIPIENTS_PER_MESSAGE:
        return add_number(v, out);
    case SET_MAX_MESSAGE_RATE:
        return add_rate(v, out);
    case SET_NO_MX_FALLBACK:
    case SET_TLS_FALLBACK:
    case SET_ALLOW_LOOPBACK:
    case SET_DSN_BOUNCE:
        return buf_add_text(out, v->flag ? "true" : "false");
    case SET_IP_FAMILIES:
        return add_families(v->families, out);
    case SET_SMART_HOST:
        return v->smart_host ? add_smart_host(v->smart_host, out) : buf_add_text(out, "null");
    case SETTINGS:
        break;
    }
    assert(!"no such setting");
    return 0;
}

static const struct domain_block *find_block(const struct domain_blocks *b, struct slice pattern)
{
    int low = 0, high = b->count;

    while (low < high) {
        int middle = low + (high - low) / 2, c = slice_cmp(pattern, b->block[middle].pattern);

        if (c == 0)
            return &b->block[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int domain_blocks_find(const struct domain_blocks *b, struct slice domain, const struct domain_block **ret, int max)
{
    char pattern[DOMAIN_MAX + 2];
    struct slice rest = domain;
    int n = 0;

    if (b->count == 0 || domain.n >= DOMAIN_MAX)
        return 0;
    if (n < max && (ret[n] = find_block(b, domain)) != NULL)
        n++;
    while (n < max && slice_find(rest, '.') < rest.n) {
        rest = slice_skip(rest, slice_find(rest, '.') + 1);
        pattern[0] = '*';
        pattern[1] = '.';
        memcpy(pattern + 2, rest.p, rest.n);
        if ((ret[n] = find_block(b, slice_make(pattern, rest.n + 2))) != NULL)
            n++;
    }
    if (n < max && (ret[n] = find_block(b, SLICE("*"))) != NULL)
        n++;
    return n;
}
