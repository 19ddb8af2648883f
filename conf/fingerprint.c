/* fingerprint.c: one number for what stands in a part of the configuration, so that a reload finds what changed without
 * comparing values (build.h, diff.h). Places do not count: a tenant that moved to another line is the same. Secrets count by
 * their text. Two different texts have the same number once in 2^64; nobody gains by making that happen, since each writes only
 * his own part. */
#include "build.h"

#define SEED UINT64_C(0xcbf29ce484222325)
#define PRIME UINT64_C(0x100000001b3)

/* FNV-1a over the bytes, and a last mix so that short texts differ in all bits. */
static uint64_t add_text(uint64_t h, struct slice s, char kind)
{
    h = (h ^ (unsigned char)kind) * PRIME;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * PRIME;
    h ^= s.n;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* Of mappings the order does not count, so the children's numbers are summed. */
static uint64_t print_of(const struct node *n)
{
    uint64_t h = SEED + (uint64_t)(n ? n->kind : 0);

    if (!n)
        return 0;
    if (n->kind == NODE_TEXT)
        return add_text(h, n->text, 't');
    for (const struct node *c = n->first; c; c = c->next) {
        uint64_t child = add_text(print_of(c), c->name, 'n');

        h = n->kind == NODE_MAP ? h + child : (h ^ child) * PRIME + 1;
    }
    return h;
}

static uint64_t section(const struct build *b, const char *name)
{
    return print_of(node_child(b->root, name));
}

static void print_named(struct build *b, const char *name, int count, uint64_t **ret)
{
    int sorted_count;
    const struct node **sorted = build_sorted(b, node_child(b->root, name), &sorted_count);
    uint64_t *prints = build_array(b, count, sizeof *prints);

    for (int i = 0; prints && sorted && i < count && i < sorted_count; i++)
        prints[i] = print_of(sorted[i]);
    *ret = prints;
}

void build_fingerprints(struct build *b)
{
    struct conf_private *p = b->conf->private;

    p->section[SECTION_SETTINGS] = section(b, "defaults") * PRIME ^ section(b, "domains");
    p->section[SECTION_CERTIFICATES] = section(b, "tls");
    p->section[SECTION_ADMIN] = section(b, "admin");
    p->section[SECTION_ACCOUNTING] = section(b, "accounting");
    p->section[SECTION_LOG] = section(b, "log");
    p->section[SECTION_DNS] = section(b, "dns");
    p->section[SECTION_STORE] = section(b, "store");
    p->section[SECTION_SERVER] = section(b, "server");
    p->section[SECTION_SOURCES] =
        ((section(b, "sources") * PRIME ^ section(b, "relay_domains")) * PRIME ^ section(b, "relay_addresses")) * PRIME ^
        section(b, "relay_tenant");
    print_named(b, "tenants", b->conf->tenant_count, &p->tenant_prints);
    print_named(b, "vmtas", b->conf->vmta_count, &p->vmta_prints);
}
