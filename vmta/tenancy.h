/* tenancy.h: what is counted and bounded for each tenant and each VMTA, over all their queues; it outlives reloads, by name.
 * Pure; loop thread. The relay owns one; queues, scheduler and views point into it. */
#ifndef FL_TENANCY_H
#define FL_TENANCY_H

#include <uthash.h>

#include "conf.h"
#include "event.h"
#include "limit.h"
#include "meter.h"
#include "note.h"

/* Sums over the queues of one, for a view: valid within the walk that made them. */
struct party_view {
    uint64_t walk;
    int64_t oldest_ms;
    const struct last_reply *newest;     /* borrowed from a queue */
};

/* What both have. */
struct party {
    char *name;
    bool in_conf;                        /* false: vanished from the configuration, kept for its mail */
    uint64_t seen;                       /* the pass of tenancy_set_conf that found it there */
    int64_t messages, recipients, bytes; /* in its queues; a message counts once a queue */
    int64_t connections;                 /* open (VMTA), in use (tenant) */
    struct meter delivered, deferred, bounced, accepted, rejected;
    struct party_view view;
    struct ceiling ceiling;              /* of connections */
    struct bucket bucket;                /* of recipients attempted */
    UT_hash_handle hh;
};

struct tenant_state {
    struct party party;                  /* first */
    int64_t share;
    bool refused;                        /* tenant hold --refuse */
};

struct vmta_state {
    struct party party;                  /* first */
};

/* Counters of (tenant, VMTA), for the metrics. */
struct stream_counters {
    struct tenant_state *tenant;
    struct vmta_state *vmta;
    uint64_t results[EVENTS];
    int64_t messages;
    UT_hash_handle hh;                   /* by the two pointers */
};

struct tenancy {
    struct party *tenants, *vmtas;       /* hashes by name */
    struct stream_counters *counters;
    uint64_t pass;                       /* of tenancy_set_conf */
};

void tenancy_free(struct tenancy *t);
/* Brings limits and names up to date. FL_ENOMEM leaves what it reached, and lets nothing vanish. */
int tenancy_set_conf(struct tenancy *t, const struct conf *c, int64_t mono_ms);
/* Found or made; NULL without memory. */
struct tenant_state *tenancy_tenant(struct tenancy *t, struct slice name);
struct vmta_state *tenancy_vmta(struct tenancy *t, struct slice name);
struct stream_counters *tenancy_counters(struct tenancy *t, struct tenant_state *tenant, struct vmta_state *vmta);

#endif
