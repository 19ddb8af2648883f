/* build.h: values → parts of struct conf. Each builder takes one kind of section from the tree that parse.c has valued, and
 * reports what the schema alone cannot know: names that nothing bears, entries that exclude each other. Pure; one thread;
 * called by load.c. Memory that runs out sets ->lost, is seen at the end, and nothing half-made is used before. */
#ifndef FL_BUILD_H
#define FL_BUILD_H

#include "parse.h"

struct build {
    struct parse *parse;            /* borrowed, like all pointers here */
    struct conf *conf;
    struct arena *arena;            /* the configuration's */
    struct conf_findings *findings;
    const struct node *root;
    bool lost;
};

/* build.c: calls all of the following, in an order in which everything that one part needs is built before it. */
void build_all(struct build *b);

/* build.c: what the others share. */
/* count zeroed elements in the configuration's arena; NULL without memory. */
void *build_array(struct build *b, int count, size_t size);
/* The children of a mapping sorted by name, without repeats; in the scratch arena. NULL n: none. */
const struct node **build_sorted(struct build *b, const struct node *n, int *ret_count);
/* The texts that a list of VALUE_…s holds; NULL n: none. */
const char *const *build_texts(struct build *b, const struct node *list, int *ret_count);
/* A secret's copy that is wiped with the configuration; NULL when the node has errors. */
const char *build_secret(struct build *b, const struct node *n);
/* Bits 1 << index of the choices in a list. */
unsigned build_choices(const struct node *list);

/* build_server.c */
void build_server(struct build *b);
void build_store(struct build *b);
void build_dns(struct build *b);
void build_admin(struct build *b);
void build_accounting(struct build *b);
void build_log(struct build *b);

/* build_domains.c */
void build_settings(struct build *b, const struct node *block, bool with_defaults, struct settings *ret);
void build_domain_blocks(struct build *b, const struct node *domains, struct domain_blocks *ret);
void build_domains(struct build *b); /* `defaults` and `domains` */

/* build_vmtas.c */
void build_vmtas(struct build *b);
void build_pools(struct build *b);

/* build_tenants.c; needs VMTAs and pools */
void build_tenants(struct build *b);
/* build_users.c: the tenant's own, and afterwards all of them by name and certificate. */
void build_users(struct build *b, const struct node *tenant, struct conf_tenant *t);
void build_user_index(struct build *b);

/* build_listeners.c */
void build_tls(struct build *b);
void build_listeners(struct build *b);
/* build_sources.c; needs tenants and users */
void build_sources(struct build *b);
void build_relay(struct build *b);

/* fingerprint.c: what diff.c compares; needs everything. */
void build_fingerprints(struct build *b);

#endif
