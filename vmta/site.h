/* site.h: where a domain's mail goes: its hosts in order with their addresses. Domains whose sorted host sets are the same are one
 * site, whose connections and limits are counted together. Loop thread; asks the resolver port. */
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
};

/* Equal sites may share paths: the same hosts, reached in the same way. */
struct site_key {
    uint64_t hosts;
    uint16_t port;
    uint8_t smart_host, allow_loopback;
    uint32_t zero;          /* no padding: the key is hashed by its bytes */
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
/* Begins to look up where q's mail goes; q->resolve becomes RESOLVE_ASKING, or, for an address that the configuration gives,
 * RESOLVE_DONE at once (resolved() is called in every case, never inside this call but for that one). FL_ENOMEM. */
int sites_resolve(struct sites *s, struct queue *q);
/* Gives up a look-up under way and the queue's site. */
void sites_forget(struct sites *s, struct queue *q);
struct site *site_ref(struct site *site);
void site_unref(struct sites *s, struct site *site);

#endif
