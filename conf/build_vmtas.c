/* build_vmtas.c: virtual MTAs and pools of them (build.h). */
#include "build.h"
#include "domain.h"

enum { SOURCES_MAX = 256 };

static bool has_address(const struct inet_addr *addrs, int count, const struct inet_addr *a)
{
    for (int i = 0; i < count; i++)
        if (inet_addr_eq(&addrs[i], a))
            return true;
    return false;
}

/* Nothing can be sent from these. */
static bool is_no_source(const struct inet_addr *a)
{
    return inet_is_unspecified(a) || (a->family == 4 ? a->b[0] >= 224 : a->b[0] == 0xff);
}

static void add_sources(struct build *b, const struct node *n, struct inet_addr *addrs, int *count)
{
    const struct inet_net *net = n->value.object;
    uint32_t size = inet_net_count(net);

    if (size > SOURCES_MAX || *count + (int)size > SOURCES_MAX) {
        finding_error(b->findings, &n->at, "source_addresses: %s makes more than %d addresses", n->text.p, SOURCES_MAX);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        struct inet_addr a = inet_net_nth(net, i);

        if (is_no_source(&a))
            finding_error(b->findings, &n->at, "source_addresses: nothing can be sent from %s", n->text.p);
        else if (has_address(addrs, *count, &a))
            finding_error(b->findings, &n->at, "source_addresses: %s stands there twice", n->text.p);
        else
            addrs[(*count)++] = a;
    }
}

static void build_vmta(struct build *b, const struct node *n, struct conf_vmta *v)
{
    const struct node *sources = node_child(n, "source_addresses");
    struct inet_addr addrs[SOURCES_MAX], *kept;

    v->name = arena_copy(b->arena, n->name).p;
    v->at = n->name_at;
    parse_fill_defaults(b->parse, BLOCK_VMTA, v);
    parse_fill_set(b->parse, n, v);
    for (const struct node *c = sources && sources->kind == NODE_LIST ? sources->first : NULL; c; c = c->next)
        if (c->ok)
            add_sources(b, c, addrs, &v->source_count);
    kept = build_array(b, v->source_count, sizeof *kept);
    if (kept && v->source_count)
        memcpy(kept, addrs, sizeof *kept * (size_t)v->source_count);
    v->sources = kept;
    build_settings(b, n, false, &v->settings);
    build_domain_blocks(b, node_child(n, "domains"), &v->domains);
    b->lost |= !v->name;
}

void build_vmtas(struct build *b)
{
    int count;
    const struct node **sorted = build_sorted(b, node_child(b->root, "vmtas"), &count);
    struct conf_vmta *all = build_array(b, count, sizeof *all);

    for (int i = 0; all && sorted && i < count; i++) {
        all[i].index = i;
        build_vmta(b, sorted[i], &all[i]);
    }
    b->conf->vmtas = all;
    b->conf->vmta_count = b->lost ? 0 : count;
}

static void build_pool(struct build *b, const struct node *n, struct conf_pool *pool)
{
    const struct node *members = node_child(n, "members");
    struct pool_member *list = build_array(b, members ? members->count : 0, sizeof *list);

    pool->name = arena_copy(b->arena, n->name).p;
    pool->at = n->name_at;
    pool->members = list;
    b->lost |= !pool->name;
    for (const struct node *m = members && members->kind == NODE_MAP ? members->first : NULL; list && m; m = m->next) {
        const struct conf_vmta *v = conf_vmta(b->conf, m->name);

        if (!v)
            finding_error(b->findings, &m->name_at, "pool %s: there is no virtual MTA %.64s", pool->name, m->name.p);
        else if (m->ok)
            list[pool->member_count++] = (struct pool_member){ .vmta = v, .weight = m->value.number };
    }
    if (pool->name && conf_vmta(b->conf, n->name))
        finding_error(b->findings, &n->name_at, "pool %s: a virtual MTA has this name too; a route could not tell them apart",
                      pool->name);
}

void build_pools(struct build *b)
{
    int count;
    const struct node **sorted = build_sorted(b, node_child(b->root, "pools"), &count);
    struct conf_pool *all = build_array(b, count, sizeof *all);

    for (int i = 0; all && sorted && i < count; i++)
        build_pool(b, sorted[i], &all[i]);
    b->conf->pools = all;
    b->conf->pool_count = b->lost ? 0 : count;
}
