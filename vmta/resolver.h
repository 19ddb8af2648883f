/* resolver.h: port: names → mail exchangers and addresses. Loop thread; answers come later, never inside the call.
 * Implemented by resolver_uv.c (libunbound: cache, TTL, DNSSEC) and by the simulator. dns.hosts is looked at first, and answers for
 * addresses only. At most 100 look-ups are under way; the rest wait in order. */
#ifndef FL_RESOLVER_H
#define FL_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "inet.h"
#include "slice.h"

struct resolver;
struct resolver_query;

enum dns_result {
    DNS_OK,        /* records are there */
    DNS_NODATA,    /* the name exists, this type does not */
    DNS_NXDOMAIN,
    DNS_FAILED,    /* SERVFAIL, REFUSED, malformed, bogus: text says what */
    DNS_TIMEOUT,
};

enum { DNS_MX_MAX = 64, DNS_ADDR_MAX = 32, DNS_NAME_SIZE = 254 }; /* records above these are ignored; a name with its NUL */

struct dns_mx {
    uint16_t preference;
    char host[DNS_NAME_SIZE]; /* canonical; "" for the root: null MX (RFC 7505) */
};

struct dns_mx_answer {
    enum dns_result result;
    bool secure;
    int64_t ttl_ms;     /* also of a negative answer */
    const struct dns_mx *mx;
    int count;          /* in the order of the answer; hosts that are no names are left out */
    const char *text;   /* for people: "SERVFAIL from the name server" */
};

struct dns_addr_answer {
    enum dns_result result; /* DNS_OK when any family had addresses; else the worst of them */
    bool secure;
    int64_t ttl_ms;
    const struct inet_addr *addrs; /* in the order of the families asked */
    int count;
    const char *text;
};

/* Answers are borrowed inside done. *ret stays valid until done or resolver_cancel; NULL without memory (done is not called). */
struct resolver_query *resolver_mx(struct resolver *r, struct slice domain,
                                   void (*done)(void *arg, const struct dns_mx_answer *a), void *arg);
/* families: up to two of 4 and 6, in order; 0: none. */
struct resolver_query *resolver_addr(struct resolver *r, struct slice host, const uint8_t families[2],
                                     void (*done)(void *arg, const struct dns_addr_answer *a), void *arg);
void resolver_cancel(struct resolver_query *q);

#endif
