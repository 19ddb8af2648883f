/* access.h: who may connect now: counts of connections in all, from each `sources` network, and from each client address.
 * Pure; loop thread; the listeners' driver (admission.c) asks before a session starts, and gives back when it has ended.
 * A connection counts in the one network whose settings hold for it (the most specific), so that a crowd of strangers never
 * shuts out a trusted network inside theirs. Networks are known by their address, not by their place in the configuration:
 * counts outlive a reload. */
#ifndef FL_ACCESS_H
#define FL_ACCESS_H

#include "conf.h"
#include "inet.h"

struct access;

/* One connection that counts. Owned by the caller until access_leave. */
struct access_ticket {
    struct inet_addr client;
    struct inet_net network;
};

enum access_verdict {
    ACCESS_YES,
    ACCESS_FULL,         /* three quarters of server.total_max_connections: the rest is for deliveries */
    ACCESS_NETWORK_FULL, /* sources.max_connections */
    ACCESS_CLIENT_FULL,  /* sources.max_connections_per_ip */
    ACCESS_NO_MEMORY,
};

struct access *access_new(void); /* NULL without memory */
void access_free(struct access *a); /* takes NULL */
/* Asks and counts in one step. ret is set with ACCESS_YES only. */
enum access_verdict access_enter(struct access *a, const struct conf *conf, const struct inet_addr *client,
                                 struct access_ticket *ret);
void access_leave(struct access *a, const struct access_ticket *t);
/* In words, for the log. */
const char *access_verdict_text(enum access_verdict v);
int64_t access_count(const struct access *a);

#endif
