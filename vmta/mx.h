/* mx.h: the hosts of a domain in the order in which they are tried (RFC 5321 5.1), and the guard against mail loops.
 * Pure; any thread. delivery.c asks the resolver, then this file. */
#ifndef FL_MX_H
#define FL_MX_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "inet.h"
#include "rand.h"
#include "resolver.h"

enum { MX_HOSTS_MAX = DNS_MX_MAX, MX_TARGETS_MAX = 128 };

enum mx_result {
    MX_OK,
    MX_NONE,    /* no usable record: for the list, the domain's own addresses may be tried (no_mx_fallback); for targets, no
                   host has an address of a family that we use */
    MX_NULL,    /* RFC 7505: takes no mail, 556 5.1.10 */
    MX_LOOP,    /* only ourselves are left: 5.4.6 */
};

/* One host of the list, with its addresses once they are known. */
struct mx_host {
    uint16_t preference;
    const char *name;              /* canonical, or the text of an address (name_is_address); borrowed */
    bool name_is_address;
    const struct inet_addr *addrs; /* borrowed; count 0: none found */
    int addr_count;
};

/* Where to connect to. */
struct mx_target {
    struct inet_addr addr;
    int host; /* index into the hosts that were given */
};

struct mx_guard {
    const struct conf *conf; /* whose own names and listeners are meant */
    uint16_t port;           /* that we connect to */
    bool allow_loopback;     /* lifts loopback only */
    bool smart_host;         /* lifts all */
};

/* What an answer with records says: MX_OK, MX_NONE, or MX_NULL (a root host alone; beside others it is ignored). */
enum mx_result mx_judge(const struct dns_mx *mx, int count);
/* Puts the records in order: by preference, at random among equals; the root and repeated names are left out. names of ret
 * are borrowed from mx. Returns how many were put into ret (room for MX_HOSTS_MAX). */
int mx_sort(const struct dns_mx *mx, int count, struct rand *r, struct mx_host *ret);
/* The addresses in the order of trying: hosts as they stand in the list; of each host the families in the given order (0:
 * none), at random inside a family. A host that is ourselves by name or address is left out with all that are not more
 * preferred than it. Returns MX_OK with *ret_count ≥ 1 of ret (room for max), MX_NONE, or MX_LOOP. A host that the list has
 * without addresses is skipped. */
enum mx_result mx_targets(const struct mx_host *hosts, int count, const uint8_t families[2], const struct mx_guard *guard,
                          struct rand *r, struct mx_target *ret, int max, int *ret_count);
/* Is this host ourselves? For an address that is reached without a list, too. */
bool mx_is_ourselves(const struct mx_guard *guard, const struct mx_host *host);
/* Moves the targets that is_bad names behind the others; order is kept inside both groups. */
void mx_bad_last(struct mx_target *targets, int count, bool (*is_bad)(void *arg, const struct inet_addr *addr), void *arg);
/* Do two host lists mean one site? A key for it: sorted distinct names, NUL-separated, hashed. Not for enemies: compare
 * before sharing limits would be needless, since a clash only shares a limit. */
uint64_t mx_site_key(const struct mx_host *hosts, int count);

#endif
