/* site.h: where a domain's mail goes: its hosts in order with their addresses. Domains whose sorted host sets are the same are one
 * site, whose connections and limits are counted together. Pure; loop thread. How it is looked up: resolution.h. */
#ifndef FL_SITE_H
#define FL_SITE_H

#include <uthash.h>

#include "mx.h"
#include "outcome.h"
#include "queue.h"
#include "resolver.h"

struct site_target {
    struct inet_addr addr;
    const char *host;       /* its name, or the text of its address; lives as long as the site's list */
    bool host_is_address;
    uint16_t preference;    /* of the host */
};

/* Equal sites may share paths: the same hosts, reached in the same way. Families are part of it, since the list of targets has those
 * only that the queue which looked it up can use. */
struct site_key {
    uint64_t hosts;
    uint16_t port;
    uint8_t smart_host, allow_loopback;
    uint8_t families[2];
    uint16_t zero;          /* no padding: the key is hashed by its bytes */
};

struct site {
    struct site_key key;
    UT_hash_handle hh;
    int refs;
    int64_t expires_ms;     /* mono: then it is looked up again, when needed */
    uint64_t version;       /* rises when the targets change */
    char *store;            /* host names */
    struct site_target *targets;
    int target_count;
};

struct sites {
    struct site *by_key;
    struct resolver *resolver;
    struct rand *rand;
    const struct now *now;
    /* A resolution ended: q->resolve says how. RESOLVE_DONE: q->site has a fresh list. RESOLVE_NEEDED: o and reply say why not. */
    void (*resolved)(void *arg, struct queue *q, const struct outcome *o, const struct reply *reply);
    void *arg;
};

void sites_free(struct sites *s);
/* Found or made; a reference is given. NULL without memory. */
struct site *site_get(struct sites *s, const struct site_key *key);
/* A fresh list: count targets of these hosts, copied. FL_ENOMEM leaves the old one. */
int site_fill(struct site *site, const struct mx_host *hosts, int host_count, const struct mx_target *targets, int count);
struct site *site_ref(struct site *site);
void site_unref(struct sites *s, struct site *site);

#endif
