/* build_tenants.c: tenants: what they may use, where their mail goes, what they may queue (build.h). */
#include "build.h"

enum { ADD_DATE = 1, ADD_MESSAGE_ID = 2 }; /* in the order of the choices of headers.add_missing */

static void build_grants(struct build *b, const struct node *n, struct conf_tenant *t)
{
    const struct node *vmtas = parse_get(b->parse, n, BLOCK_TENANT, "vmtas"),
                      *pools = parse_get(b->parse, n, BLOCK_TENANT, "pools");
    const struct conf_vmta **v = build_array(b, vmtas->count, sizeof *v);
    const struct conf_pool **p = build_array(b, pools->count, sizeof *p);

    t->vmtas = v;
    t->pools = p;
    if (!v || !p)
        return;
    for (const struct node *c = vmtas->first; c; c = c->next) {
        const struct conf_vmta *found = c->ok ? conf_vmta(b->conf, c->text) : NULL;

        if (found)
            v[t->vmta_count++] = found;
        else if (c->ok)
            finding_error(b->findings, &c->at, "tenant %s: vmtas: there is no virtual MTA %s", t->name, c->text.p);
    }
    for (const struct node *c = pools->first; c; c = c->next) {
        const struct conf_pool *found = c->ok ? conf_pool(b->conf, c->text) : NULL;

        if (found)
            p[t->pool_count++] = found;
        else if (c->ok)
            finding_error(b->findings, &c->at, "tenant %s: pools: there is no pool %s", t->name, c->text.p);
    }
}

static struct route_target build_target(struct build *b, const struct node *n, const struct conf_tenant *t)
{
    struct route_target to = { 0 };

    if (!n || !n->ok || n->kind != NODE_TEXT)
        return to;
    to.vmta = conf_vmta(b->conf, n->text);
    to.pool = to.vmta ? NULL : conf_pool(b->conf, n->text);
    if (!to.vmta && !to.pool)
        finding_error(b->findings, &n->at, "tenant %s: %s: there is no virtual MTA or pool %s", t->name, n->key->name,
                      n->text.p);
    else if (to.vmta ? !tenant_may_use_vmta(t, to.vmta) : !tenant_may_use_pool(t, to.pool))
        finding_error(b->findings, &n->at, "tenant %s: %s: %s is not granted; name it in %s", t->name, n->key->name, n->text.p,
                      to.vmta ? "vmtas" : "pools");
    return to;
}

static bool has_user(const struct conf_tenant *t, struct slice name)
{
    for (int i = 0; i < t->user_count; i++)
        if (slice_eq(slice_of(t->users[i].name), name))
            return true;
    return false;
}

static void build_rule(struct build *b, const struct node *n, const struct conf_tenant *t, struct route_rule *r)
{
    const struct node *when = node_child(n, "when"), *header = node_child(when, "header");
    const struct node *sender = node_child(when, "sender"), *user = node_child(when, "user");
    const struct node *field = header && header->kind == NODE_MAP ? header->first : NULL;

    r->at = n->at;
    r->to = build_target(b, node_child(n, "to"), t);
    if (field) {
        r->header = arena_copy(b->arena, field->name).p;
        b->lost |= !r->header;
        if (field->ok && field->text.p[0] == '/')
            r->header_pattern = field->value.object;
        else if (field->ok)
            r->header_text = field->value.text;
        if (header->count > 1)
            finding_error(b->findings, &field->next->name_at, "header: one field may be named in a rule, not %d",
                          header->count);
    }
    if (sender && sender->ok)
        r->sender = sender->value.text;
    if (user && user->ok) {
        r->user = user->value.text;
        if (!has_user(t, user->text))
            finding_error(b->findings, &user->at, "tenant %s: routes: it has no user %s", t->name, user->text.p);
    }
}

static void build_routes(struct build *b, const struct node *n, struct conf_tenant *t)
{
    const struct node *route = node_child(n, "route"), *rules = node_child(n, "routes");
    struct route_rule *list = build_array(b, rules ? rules->count : 0, sizeof *list);

    t->route = build_target(b, route, t);
    t->route_at = route ? route->at : *node_place(n);
    t->rules = list;
    for (const struct node *c = rules && rules->kind == NODE_LIST ? rules->first : NULL; list && c; c = c->next)
        if (c->kind == NODE_MAP)
            build_rule(b, c, t, &list[t->rule_count++]);
}

static struct conf_place place_of(const struct node *map, const char *name)
{
    const struct node *n = node_child(map, name);

    return n ? n->at : (struct conf_place){ .file = "built-in" };
}

static void build_tenant(struct build *b, const struct node *n, struct conf_tenant *t)
{
    const struct node *share = node_child(n, "delivery_pool"), *headers = node_child(n, "headers");
    unsigned add = build_choices(parse_get(b->parse, headers, BLOCK_HEADERS, "add_missing"));

    t->name = arena_copy(b->arena, n->name).p;
    t->at = n->name_at;
    if (!t->name) {
        b->lost = true;
        return;
    }
    parse_fill_defaults(b->parse, BLOCK_TENANT, t);
    parse_fill_set(b->parse, n, t);
    t->share_at = place_of(share, "share");
    t->max_connections_at = place_of(share, "max_connections");
    t->max_message_rate_at = place_of(share, "max_message_rate");
    t->add_date = add & ADD_DATE;
    t->add_message_id = add & ADD_MESSAGE_ID;
    t->remove_headers = build_texts(b, node_child(headers, "remove"), &t->remove_header_count);
    t->sender_domains = build_texts(b, node_child(n, "sender_domains"), &t->sender_domain_count);
    build_users(b, n, t);
    build_grants(b, n, t);
    build_routes(b, n, t);
    build_settings(b, n, false, &t->settings);
    build_domain_blocks(b, node_child(n, "domains"), &t->domains);
}

void build_tenants(struct build *b)
{
    int count;
    const struct node **sorted = build_sorted(b, node_child(b->root, "tenants"), &count);
    struct conf_tenant *all = build_array(b, count, sizeof *all);

    for (int i = 0; all && sorted && i < count; i++) {
        all[i].index = i;
        build_tenant(b, sorted[i], &all[i]);
    }
    b->conf->tenants = all;
    b->conf->tenant_count = b->lost ? 0 : count;
    build_user_index(b);
}
