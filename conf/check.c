/* check.c: see check.h; here is what needs a few lines only. */
#include "check.h"

static const struct conf_place *place_in(const struct node *root, const char *section, const char *key)
{
    const struct node *n = node_child(root, section), *k = key ? node_child(n, key) : n;

    return k ? (key ? &k->at : node_place(k)) : n ? node_place(n) : NULL;
}

static const struct conf_place *main_place(const struct node *root, struct conf_place *room)
{
    *room = (struct conf_place){ .file = root->at.file, .line = 1, .column = 1 };
    return room;
}

static bool has_trusted_source(const struct conf *c)
{
    for (int i = 0; i < c->source_count; i++)
        if (c->sources[i].always_allow_relaying)
            return true;
    return false;
}

static bool auth_needs_tls_everywhere(const struct conf *c)
{
    for (int i = 0; i < c->source_count; i++)
        if (!c->sources[i].require_starttls_before_auth)
            return false;
    return true;
}

static void check_listener(const struct conf *c, const struct conf_listener *l, struct conf_findings *f)
{
    if (l->tls != LISTENER_TLS_NONE && c->certificate_count == 0)
        finding_error(f, &l->at, "listeners: tls needs a certificate; there is none in tls.certificates");
    if (l->role == ROLE_RELAY && !has_trusted_source(c))
        finding_warning(f, &l->at,
                        "listeners: role relay serves trusted sources only, and there is none (always_allow_relaying)");
    if (l->role == ROLE_SUBMISSION && l->tls == LISTENER_TLS_NONE && auth_needs_tls_everywhere(c))
        finding_warning(f, &l->at,
                        "listeners: nobody can log in here: tls is none, and require_starttls_before_auth is true everywhere");
}

/* Linux binds no single address beside all of them. */
static void check_overlap(const struct conf *c, int i, struct conf_findings *f)
{
    const struct conf_listener *all = &c->listeners[i];

    if (!inet_is_unspecified(&all->endpoint.addr))
        return;
    for (int j = 0; j < c->listener_count; j++) {
        const struct conf_listener *l = &c->listeners[j];

        if (j != i && l->endpoint.port == all->endpoint.port && l->endpoint.addr.family == all->endpoint.addr.family)
            finding_warning(f, &l->at, "listeners: port %u is taken on all addresses already (%s:%d)", l->endpoint.port,
                            all->at.file, all->at.line);
    }
}

static void check_listeners(const struct conf *c, const struct node *root, struct conf_findings *f)
{
    struct conf_place room;

    for (int i = 0; i < c->listener_count; i++) {
        check_listener(c, &c->listeners[i], f);
        check_overlap(c, i, f);
    }
    if (c->listener_count == 0 && !node_child(root, "listeners"))
        finding_warning(f, main_place(root, &room), "listeners: there are none; nothing can be submitted");
}

static void check_tenant(const struct conf_tenant *t, struct conf_findings *f)
{
    if (t->sender_domain_count == 0)
        finding_warning(f, &t->at, "tenant %s: sender_domains is empty: it may send nothing", t->name);
    if (!t->route.vmta && !t->route.pool)
        finding_warning(f, &t->at, "tenant %s: it has no route: what no rule names a way for is refused", t->name);
}

/* TLS 1.0 and 1.1 were given up in 2021 (RFC 8996). */
static void check_tls_setting(const struct settings *s, struct conf_findings *f)
{
    const struct setting_value *v = settings_get(s, SET_TLS_MIN_VERSION);

    if (v && v->version < TLS_1_2)
        finding_warning(f, &v->at, "tls_min_version: TLS 1.%d is old and weak (RFC 8996)", v->version);
}

static void check_tls_blocks(const struct settings *s, const struct domain_blocks *b, struct conf_findings *f)
{
    check_tls_setting(s, f);
    for (int i = 0; i < b->count; i++)
        check_tls_setting(&b->block[i].settings, f);
}

static void check_tls(const struct conf *c, const struct node *root, struct conf_findings *f)
{
    if (c->tls_min_version < TLS_1_2)
        finding_warning(f, place_in(root, "tls", "min_version"),
                        "min_version: TLS 1.%d is old and weak (RFC 8996); the security level is "
                        "lowered for it",
                        c->tls_min_version);
    check_tls_blocks(&c->defaults, &c->domains, f);
    for (int i = 0; i < c->vmta_count; i++)
        check_tls_blocks(&c->vmtas[i].settings, &c->vmtas[i].domains, f);
    for (int i = 0; i < c->tenant_count; i++)
        check_tls_blocks(&c->tenants[i].settings, &c->tenants[i].domains, f);
}

void check_all(const struct conf *c, const struct node *root, struct conf_findings *findings)
{
    check_listeners(c, root, findings);
    check_relay(c, root, findings);
    check_tls(c, root, findings);
    check_reach(c, findings);
    check_hidden(c, findings);
    for (int i = 0; i < c->tenant_count; i++)
        check_tenant(&c->tenants[i], findings);
}
