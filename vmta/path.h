/* path.h: the receiver's view: (VMTA source address, site). A mailbox provider counts connections and rates on it, over all
 * tenants. Inside it, connections of one profile form a lane, and the tenants' weighted shares are dealt by virtual time.
 *
 *   path ─┬─ lane (profile) ─┬─ share (tenant here) ── turns: its queues, one after the other
 *         │                  └─ connections
 *         └─ path_tenant: a tenant's virtual time and caps on this path, over its lanes
 *
 * Pure; loop thread. scheduler.c decides with it, setback.c writes its clocks, delivery.c owns the connections. */
#ifndef FL_PATH_H
#define FL_PATH_H

#include <sys/queue.h>
#include <uthash.h>

#include "heap.h"
#include "limit.h"
#include "note.h"
#include "profile.h"
#include "queue.h"
#include "site.h"
#include "timer.h"

enum { PATH_ONE_MORE_MS = 60 * 1000 }; /* a further connection was refused: one more is tried then */

struct path;
struct lane;
struct share;
struct sched;

/* When something that failed is tried again. Monotonic: it does not outlive the process. */
struct setback_clock {
    int attempts;        /* failures in a row; 0: fine */
    int64_t until_ms;    /* mono; 0 or past: may be tried */
};

/* A host that failed, or whose TLS handshakes do. */
struct path_host {
    struct inet_addr addr;
    int64_t last_until_ms;     /* mono: until then it goes last in the order */
    int64_t no_tls_until_ms;   /* mono: until then opportunistic TLS is not tried */
    bool failed_this_round;    /* since the path last worked or waited */
    struct path_host *next;
};

/* What the settings of one queue allow on a path. */
struct turn_limits {
    int64_t connections, tenant_connections;
    struct rate rate, tenant_rate;
};

/* One queue on one path. */
struct turn {
    struct queue *queue;
    struct path *path;
    struct share *share;
    TAILQ_ENTRY(turn) ring;    /* share->ring, while it may go */
    TAILQ_ENTRY(turn) on_path; /* path->turns */
    bool in_ring;
    bool has_mail;             /* its queue has: its limit of connections binds the path */
    struct turn_limits limits; /* as it was attached */
    uint8_t rank;              /* 0: of the preferred family */
};

/* A connection as the scheduler sees it; embedded in delivery's. */
/* Mail that found no free connection waits so long for a busy one before another one is taken or opened. */
enum { CROWDED_AFTER_MS = 10 };

enum conn_state { CONN_OPENING, CONN_IDLE, CONN_BUSY, CONN_CLOSING };
struct conn {
    TAILQ_ENTRY(conn) link;    /* lane->conns[state] */
    struct lane *lane;
    enum conn_state state;
    struct vmta_state *vmta;   /* whose ceiling it counts against */
    struct share *charged;     /* the tenant whose ceilings it takes now, or NULL */
    int64_t began_ms;          /* of the transaction under way */
    int64_t cost, rcpts;       /* of that one: what was charged in advance, for how many */
    int64_t next_cost, next_rcpts; /* of the one that rides along */
    bool probe;

    int carried;               /* transactions begun on it */
    bool alone;                /* it carries raw content (BINARYMIME), and nothing else before or after */
};
TAILQ_HEAD(conn_list, conn);

struct path_tenant {
    struct path_tenant *next;  /* path->tenants */
    struct path *path;
    struct tenant_state *tenant;
    int64_t vtime;
    int active;                /* shares of it in a heap */
    int turns;
    struct ceiling cap;        /* max_connections of its own blocks */
    struct bucket cap_rate;
    int with_mail, binding;    /* turns: whose queues have mail; of those, that have the smallest limit of connections */
    struct turn_limits limits; /* while they are computed */
    struct share *shares;      /* next_of_tenant */
};

struct share {
    struct lane *lane;
    struct path_tenant *tenant;
    struct share *next_of_tenant, *next_of_lane;
    TAILQ_HEAD(, turn) ring;
    int turns;                 /* attached, in the ring or not */
    int charges;               /* connections charged to it now: they hold it */
    TAILQ_ENTRY(share) woken_link; /* path->woken: a ceiling woke it, and it has not had its chance yet */
    bool woken;
    struct heap_node node;     /* in lane->heap, keyed by the tenant's virtual time, while it has turns and nothing blocks it */
    struct limit_waiter waiter;/* on the ceiling that refused it */
    int64_t blocked_until_ms;  /* mono: a rate refused it; 0: none */
};

struct lane {
    struct lane *next;         /* path->lanes */
    struct path *path;
    struct profile profile;
    struct conf *conf;         /* a reference: profile points into it */
    struct conn_list conns[CONN_CLOSING + 1];
    int count[CONN_CLOSING + 1];
    struct setback_clock clock;
    int64_t crowded_ms;        /* mono: since when there is more mail than connections that could take it; 0: there is not */
    struct note last;
    struct heap heap;          /* of shares */
    struct share *shares;
};

struct path_key {
    struct inet_addr source;
    struct site *site;
};

struct path {
    struct path_key key;
    UT_hash_handle hh;
    struct sched *sched;
    struct lane *lanes;
    struct path_tenant *tenants;
    TAILQ_HEAD(, turn) turns;
    int turn_count, lane_count;
    int open;                  /* connections, opening ones and closing ones included */
    int64_t max_connections;   /* the smallest among the queues that have mail on it now */
    int with_mail, binding;    /* as in path_tenant */
    bool bounds_stale;         /* what bound it is gone: to be computed again */
    struct bucket rate;
    int64_t window;            /* connections that may be open now: grows by success, 1 for a probe */
    int64_t one_more_ms;       /* mono: a further connection was refused; one more is tried then; 0: not so */
    bool grows_slowly;         /* that happened: the window grows by one more at a time, not by doubling */
    int64_t vtime;             /* of the tenant that went last */
    int64_t ms_per_rcpt;       /* moving average, for shares while connections bind */
    struct setback_clock clock;
    struct note last;
    struct path_host *hosts;
    /* refusals at MAIL with no success between: for two tenants, or three reverse-path domains, they speak of the path */
    struct tenant_state *refused_tenant;
    uint32_t refused_domains[3];
    int refused_domain_count;
    bool refused_two_tenants;
    struct limit_waiter waiter;/* for a connection: on the VMTA's or the daemon's ceiling */
    int64_t rate_until_ms;     /* mono: a rate of path or VMTA refused; 0: none */
    TAILQ_HEAD(, share) woken;
    bool dirty;
    TAILQ_ENTRY(path) dirty_link;
    struct timer timer;
};

static inline bool setback_waits(const struct setback_clock *c, int64_t mono_ms) { return c->until_ms > mono_ms; }

/* The host's state here, made when it is new; NULL without memory. */
struct path_host *path_host(struct path *p, const struct inet_addr *addr);
/* Found only. */
struct path_host *path_host_find(const struct path *p, const struct inet_addr *addr);
/* How many targets of the site this source address can reach. */
int path_target_count(const struct path *p);
/* The next target to connect to: in the site's order, by chance among hosts of one preference (RFC 5321 5.1), those that failed
 * lately last; NULL: none of this family. */
const struct site_target *path_pick_target(struct path *p, int64_t mono_ms, struct rand *r);
/* Whether every target failed since the path last worked. */
bool path_is_exhausted(const struct path *p);
/* Forgets the round: it works, or waits. */
void path_end_round(struct path *p);
/* Whether connections of this path beside that one are under way; whether any works. */
bool path_others_open(const struct path *p, const struct conn *except);
bool path_others_work(const struct path *p, const struct conn *except);

#endif
