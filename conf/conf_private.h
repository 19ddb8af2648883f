/* conf_private.h: what struct conf keeps to itself: its memory, its indices, its fingerprints.
 * For conf.c, the builders and diff.c alone. */
#ifndef FL_CONF_PRIVATE_H
#define FL_CONF_PRIVATE_H

#include <stdatomic.h>

#include "arena.h"
#include "conf.h"

/* What a reload compares as a whole (diff.h). */
enum conf_section {
    SECTION_SETTINGS,
    SECTION_CERTIFICATES,
    SECTION_ADMIN,
    SECTION_ACCOUNTING,
    SECTION_LOG,
    SECTION_DNS,
    SECTION_STORE,
    SECTION_SOURCES,
    SECTION_SERVER,
    CONF_SECTIONS,
};

struct kept_pattern {
    struct kept_pattern *next;
    struct pattern *pattern;
};

struct conf_private {
    atomic_int refs;
    struct arena *arena;
    struct arena *secrets; /* passwords, verifiers and tokens: overwritten before it is freed */
    struct kept_pattern *patterns;
    const struct conf_user **users;  /* sorted by name, over all tenants */
    int user_count;
    const struct conf_user **users_by_sha256, **users_by_dns;
    int sha256_count, dns_count;
    struct inet_table *source_table;
    struct conf_source strict; /* for an address that no entry of `sources` holds */
    const char **own_names;    /* sorted */
    int own_name_count;
    uint64_t section[CONF_SECTIONS];
    uint64_t *tenant_prints, *vmta_prints; /* by index */
};

/* An empty object with one reference. NULL without memory. */
struct conf *conf_new(void);
/* Takes the pattern; it is freed with the object, or at once on FL_ENOMEM. */
int conf_keep_pattern(struct conf *c, struct pattern *p);

#endif
