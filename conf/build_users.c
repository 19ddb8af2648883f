/* build_users.c: who may log in, and by what (build.h). No message tells anything of a secret but its kind. */
#include <stdlib.h>

#include "build.h"
#include "verifier.h"

static const struct {
    const char *key;
    enum secret_kind kind;
    bool (*is_right)(struct slice);
    const char *allowed;
} kinds[] = {
    { "plain", SECRET_PLAIN, NULL, NULL },
    { "hash", SECRET_HASH, verifier_is_crypt, "a crypt(3) hash (yescrypt, bcrypt, SHA-512) as `fairlead passwd` prints it" },
    { "scram", SECRET_SCRAM, verifier_is_scram,
      "a verifier SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, at least 4096 iterations, as `fairlead passwd --scram` "
      "prints it" },
};

static void build_password(struct build *b, const struct node *n, struct conf_user *u)
{
    const struct node *chosen = NULL;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct node *secret = node_child(n, kinds[i].key);

        if (!secret)
            continue;
        if (chosen)
            finding_error(b->findings, &secret->name_at, "user %s: password has both %s and %s; one is allowed", u->name,
                          chosen->name.p, kinds[i].key);
        chosen = secret;
        u->kind = kinds[i].kind;
        u->secret = build_secret(b, secret);
        if (u->secret && kinds[i].is_right && !kinds[i].is_right(slice_of(u->secret)))
            finding_error(b->findings, &secret->at, "user %s: password: this is no %s; allowed: %s", u->name, kinds[i].key,
                          kinds[i].allowed);
    }
    if (!chosen && n->count == 0)
        finding_error(b->findings, &n->at, "user %s: password: one of plain, hash and scram is required", u->name);
}

static void build_certificate(struct build *b, const struct node *n, struct conf_user *u)
{
    const struct node *sha256 = node_child(n, "sha256"), *dns = node_child(n, "dns");

    if (sha256 && sha256->ok)
        u->cert_sha256 = sha256->value.object;
    if (dns && dns->ok)
        u->cert_dns = dns->value.text;
    if (sha256 && dns)
        finding_error(b->findings, &dns->name_at, "user %s: certificate has both sha256 and dns; one is allowed", u->name);
    if (n->count == 0)
        finding_error(b->findings, &n->at, "user %s: certificate: one of sha256 and dns is required", u->name);
    if (dns && !node_child(node_child(b->root, "tls"), "client_ca"))
        finding_error(b->findings, &dns->at,
                      "user %s: certificate: dns needs tls.client_ca: without it anybody could make a "
                      "certificate for that name",
                      u->name);
}

static void build_user(struct build *b, const struct node *n, struct conf_user *u)
{
    const struct node *method = node_child(n, "method"), *password = node_child(n, "password");
    const struct node *certificate = node_child(n, "certificate");

    u->name = arena_copy(b->arena, n->name).p;
    u->at = n->name_at;
    b->lost |= !u->name;
    if (!u->name || !method || !method->ok)
        return;
    u->method = (enum user_method)method->value.number;
    if (password && u->method != USER_PASSWORD)
        finding_error(b->findings, &password->name_at, "user %s: password goes with method password only", u->name);
    else if (password && password->kind == NODE_MAP)
        build_password(b, password, u);
    else if (u->method == USER_PASSWORD && !password)
        finding_error(b->findings, &method->at, "user %s: method password needs a password: {plain, hash or scram}", u->name);
    if (certificate && u->method != USER_CERTIFICATE)
        finding_error(b->findings, &certificate->name_at, "user %s: certificate goes with method certificate only", u->name);
    else if (certificate && certificate->kind == NODE_MAP)
        build_certificate(b, certificate, u);
    else if (u->method == USER_CERTIFICATE && !certificate)
        finding_error(b->findings, &method->at, "user %s: method certificate needs a certificate: {sha256 or dns}", u->name);
}

void build_users(struct build *b, const struct node *tenant, struct conf_tenant *t)
{
    int count;
    const struct node **sorted = build_sorted(b, node_child(tenant, "users"), &count);
    struct conf_user *users = build_array(b, count, sizeof *users);

    t->users = users;
    if (!users || !sorted)
        return;
    for (int i = 0; i < count; i++) {
        users[i].tenant = t;
        build_user(b, sorted[i], &users[i]);
    }
    t->user_count = b->lost ? 0 : count;
}

static int by_name(const void *a, const void *b)
{
    const struct conf_user *x = *(const struct conf_user *const *)a, *y = *(const struct conf_user *const *)b;
    int c = strcmp(x->name, y->name);

    return c ? c : x->tenant->index - y->tenant->index;
}

static int by_sha256(const void *a, const void *b)
{
    return memcmp((*(const struct conf_user *const *)a)->cert_sha256, (*(const struct conf_user *const *)b)->cert_sha256, 32);
}

static int by_dns(const void *a, const void *b)
{
    return strcmp((*(const struct conf_user *const *)a)->cert_dns, (*(const struct conf_user *const *)b)->cert_dns);
}

static void report_doubles(struct build *b, const struct conf_user *const *users, int count,
                           int (*same)(const struct conf_user *, const struct conf_user *), const char *what)
{
    for (int i = 1; i < count; i++)
        if (same(users[i - 1], users[i]))
            finding_error(b->findings, &users[i]->at, "user %s: %s user %s of tenant %s (%s:%d)", users[i]->name, what,
                          users[i - 1]->name, users[i - 1]->tenant->name, users[i - 1]->at.file, users[i - 1]->at.line);
}

static int same_name(const struct conf_user *a, const struct conf_user *b)
{
    return strcmp(a->name, b->name) == 0;
}

static int same_sha256(const struct conf_user *a, const struct conf_user *b)
{
    return memcmp(a->cert_sha256, b->cert_sha256, 32) == 0;
}

static int same_dns(const struct conf_user *a, const struct conf_user *b)
{
    return strcmp(a->cert_dns, b->cert_dns) == 0;
}

void build_user_index(struct build *b)
{
    struct conf_private *p = b->conf->private;
    int total = 0;

    for (int i = 0; i < b->conf->tenant_count; i++)
        total += b->conf->tenants[i].user_count;
    p->users = build_array(b, total, sizeof *p->users);
    p->users_by_sha256 = build_array(b, total, sizeof *p->users_by_sha256);
    p->users_by_dns = build_array(b, total, sizeof *p->users_by_dns);
    if (b->lost)
        return;
    for (int i = 0; i < b->conf->tenant_count; i++)
        for (int j = 0; j < b->conf->tenants[i].user_count; j++) {
            const struct conf_user *u = &b->conf->tenants[i].users[j];

            p->users[p->user_count++] = u;
            if (u->cert_sha256)
                p->users_by_sha256[p->sha256_count++] = u;
            if (u->cert_dns)
                p->users_by_dns[p->dns_count++] = u;
        }
    qsort(p->users, (size_t)p->user_count, sizeof *p->users, by_name);
    qsort(p->users_by_sha256, (size_t)p->sha256_count, sizeof *p->users, by_sha256);
    qsort(p->users_by_dns, (size_t)p->dns_count, sizeof *p->users, by_dns);
    report_doubles(b, p->users, p->user_count, same_name, "a user name stands in one tenant only; there is");
    report_doubles(b, p->users_by_sha256, p->sha256_count, same_sha256, "this certificate is already that of");
    report_doubles(b, p->users_by_dns, p->dns_count, same_dns, "this certificate name is already that of");
}
