/* parse.h: nodes + schema → values: every text is given the value that its key's type says, every error is reported, and the
 * rest of the loader reads values only. Pure; one thread; called by load.c. */
#ifndef FL_PARSE_H
#define FL_PARSE_H

#include "conf_private.h"
#include "finding.h"
#include "node.h"
#include "schema.h"

/* A node whose value lies outside the configuration: a secret in a file or in the environment. */
struct outside {
    struct outside *next;
    struct node *node; /* a mapping of BLOCK_SECRET; whoever fetches it makes it a text */
};

struct parse {
    struct arena *scratch;          /* where nodes live; borrowed */
    struct conf *conf;              /* in whose arena values live; borrowed */
    struct conf_findings *findings; /* borrowed */
    const char *folder;             /* the main file's, absolute: where relative file names begin */
    const char *machine_name;       /* the default of server.hostname */
    struct outside *outside, **outside_end;
    struct node **defaults;         /* by schema key, made when first asked for */
    bool lost;                      /* memory was short */
};

/* Checks and evaluates the whole tree. FL_ENOMEM, or 0: errors are findings. */
int parse_root(struct parse *p, struct node *root);
/* The node's value for its key, or (n NULL, or with errors) the default's; NULL when there is neither. */
const struct node *parse_value_of(struct parse *p, const struct node *n, const struct schema_key *key);
/* The value of the key of that name in the block, or its default's, or NULL. */
const struct node *parse_get(struct parse *p, const struct node *map, enum schema_block block, const char *name);
/* Writes the defaults of a block's keys into its struct, where their offsets say. */
void parse_fill_defaults(struct parse *p, enum schema_block block, void *target);
/* Writes those that stand in the mapping (NULL: none). */
void parse_fill_set(struct parse *p, const struct node *map, void *target);

/* value.c: gives a text its value. False: an error was reported. */
bool value_parse(struct parse *p, const struct schema_key *key, struct node *n);
/* Whether this may be the name of a tenant, VMTA or pool (or, is_user, of a user). */
bool value_is_name(struct slice name, bool is_user);

/* What VALUE_LISTEN makes. */
struct listen_address {
    uint16_t port;
    bool any;             /* "*" */
    const char *name;     /* a host name, else NULL */
    struct inet_net net;  /* without a name */
    struct inet_addr *addrs; /* of the name, once it was looked up */
    int addr_count;
};

#endif
