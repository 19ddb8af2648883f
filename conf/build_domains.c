/* build_domains.c: delivery settings, and the blocks of recipient domains (build.h). */
#include <stdlib.h>

#include "build.h"
#include "domain.h"

enum { SMTP_PORT = 25, SMTPS_PORT = 465 };

static const struct retry_schedule *build_retry(struct build *b, const struct node *n)
{
    struct retry_schedule *r = build_array(b, 1, sizeof *r);
    const struct node *first = n->kind == NODE_LIST ? n->first : n;

    if (!r)
        return NULL;
    if (n->kind == NODE_MAP) {
        parse_fill_defaults(b->parse, BLOCK_RETRY, r);
        parse_fill_set(b->parse, n, r);
        if (r->max_ms < r->first_ms)
            finding_error(b->findings, &n->at, "retry: max is less than first");
        return r;
    }
    r->interval_ms = build_array(b, n->kind == NODE_LIST ? n->count : 1, sizeof *r->interval_ms);
    for (const struct node *c = first; c && r->interval_ms; c = n->kind == NODE_LIST ? c->next : NULL)
        if (c->ok)
            r->interval_ms[r->count++] = c->value.number;
    return r;
}

static void build_smart_login(struct build *b, const struct node *n, struct smart_host *h)
{
    const struct node *password = node_child(n, "password");

    h->password = build_secret(b, password);
    if (h->user && !password)
        finding_error(b->findings, node_place(n), "smart_host: it has a user and no password");
    if (!h->user && password && !node_child(n, "user"))
        finding_error(b->findings, &password->at, "smart_host: it has a password and no user");
    if (h->user && h->has_tls && h->tls == TLS_NONE && !h->implicit_tls && !h->allow_plaintext_login)
        finding_error(b->findings, node_place(n),
                      "smart_host: tls: none leaves no way to log in; say allow_plaintext_login: true to do "
                      "so in clear");
}

static const struct smart_host *build_smart_host(struct build *b, const struct node *n)
{
    const struct node *host = n->kind == NODE_MAP ? node_child(n, "host") : n, *tls = node_child(n, "tls");
    struct smart_host *h = build_array(b, 1, sizeof *h);

    if (!h || n->kind == NODE_NOTHING || !host || !host->ok || host->kind != NODE_TEXT)
        return NULL;
    *h = *(const struct smart_host *)host->value.object;
    if (n->kind == NODE_MAP) {
        parse_fill_defaults(b->parse, BLOCK_SMART_HOST, h);
        parse_fill_set(b->parse, n, h);
        build_smart_login(b, n, h);
    }
    if (tls && tls->ok) {
        h->has_tls = true;
        h->tls = (enum tls_mode)tls->value.number;
    }
    if (h->port == 0)
        h->port = h->implicit_tls ? SMTPS_PORT : SMTP_PORT;
    return h;
}

static struct ip_families build_families(struct build *b, const struct node *n)
{
    struct ip_families f = { { 0 } };
    int count = 0;

    for (const struct node *c = n->first; c; c = c->next) {
        uint8_t family = c->value.number ? 6 : 4;

        if (!c->ok)
            continue;
        if (count == 2 || (count == 1 && f.order[0] == family))
            finding_error(b->findings, &c->at, "ip_families: %s stands there twice", c->text.p);
        else
            f.order[count++] = family;
    }
    return f;
}

static struct setting_value build_setting(struct build *b, const struct node *n)
{
    enum setting key = (enum setting)(n->key->setting - 1);
    struct setting_value v = { .at = n->at };

    if (key == SET_RETRY)
        v.retry = build_retry(b, n);
    else if (key == SET_SMART_HOST)
        v.smart_host = build_smart_host(b, n);
    else if (key == SET_IP_FAMILIES)
        v.families = build_families(b, n);
    else if (n->key->type == VALUE_RATE)
        v.rate = n->value.rate;
    else if (n->key->type == VALUE_FILE)
        v.text = n->value.text;
    else if (key == SET_TLS)
        v.tls = (enum tls_mode)n->value.number;
    else if (key == SET_TLS_MIN_VERSION)
        v.version = (enum tls_version)n->value.number;
    else if (n->key->type == VALUE_FLAG)
        v.flag = n->value.number != 0;
    else
        v.number = n->value.number;
    return v;
}

/* Takes what stands in the mapping (and in `dsn` inside it); of two with one name the last: it was reported. */
static void take_settings(struct build *b, const struct node *map, struct setting_value *values, uint32_t *set)
{
    for (const struct node *c = map && map->kind == NODE_MAP ? map->first : NULL; c; c = c->next) {
        if (!c->key || !c->ok)
            continue;
        if (c->key->of == BLOCK_DSN) {
            take_settings(b, c, values, set);
        } else if (c->key->setting) {
            values[c->key->setting - 1] = build_setting(b, c);
            *set |= UINT32_C(1) << (c->key->setting - 1);
        }
    }
}

static void take_defaults(struct build *b, struct setting_value *values, uint32_t *set)
{
    for (int i = 0; i < schema_key_count; i++) {
        const struct schema_key *k = &schema_keys[i];
        const struct node *n = k->setting ? parse_value_of(b->parse, NULL, k) : NULL;

        if (n) {
            values[k->setting - 1] = build_setting(b, n);
            *set |= UINT32_C(1) << (k->setting - 1);
        }
    }
}

void build_settings(struct build *b, const struct node *block, bool with_defaults, struct settings *ret)
{
    struct setting_value values[SETTINGS], *dense;
    int n = 0;

    ret->set = 0;
    if (with_defaults)
        take_defaults(b, values, &ret->set);
    take_settings(b, block, values, &ret->set);
    dense = build_array(b, __builtin_popcount(ret->set), sizeof *dense);
    for (int i = 0; dense && i < SETTINGS; i++)
        if (ret->set & (UINT32_C(1) << i))
            dense[n++] = values[i];
    if (!dense)
        ret->set = 0;
    ret->value = dense;
}

static int by_pattern(const void *a, const void *b)
{
    return slice_cmp(((const struct domain_block *)a)->pattern, ((const struct domain_block *)b)->pattern);
}

void build_domain_blocks(struct build *b, const struct node *domains, struct domain_blocks *ret)
{
    int count = domains && domains->kind == NODE_MAP ? domains->count : 0, n = 0;
    struct domain_block *blocks = build_array(b, count, sizeof *blocks);

    ret->block = blocks;
    ret->count = 0;
    if (!blocks || count == 0)
        return;
    for (const struct node *c = domains->first; c; c = c->next) {
        char pattern[DOMAIN_MAX + 2];

        if (!domain_pattern_canonical(c->name, pattern))
            continue;
        blocks[n].pattern = arena_copy(b->arena, slice_of(pattern));
        b->lost |= !blocks[n].pattern.p;
        blocks[n].at = c->name_at;
        build_settings(b, c, false, &blocks[n].settings);
        n++;
    }
    if (b->lost)
        return;
    qsort(blocks, (size_t)n, sizeof *blocks, by_pattern);
    for (int i = 1; i < n; i++)
        if (slice_eq(blocks[i].pattern, blocks[i - 1].pattern))
            finding_error(b->findings, &blocks[i].at, "domains: %.*s stands there twice; see line %d",
                          SLICE_ARG(blocks[i].pattern), blocks[i - 1].at.line);
    ret->count = n;
}

void build_domains(struct build *b)
{
    build_settings(b, node_child(b->root, "defaults"), true, &b->conf->defaults);
    build_domain_blocks(b, node_child(b->root, "domains"), &b->conf->domains);
}
