/* auth_guard.h: who guesses passwords is shut out for a while: wrong log-ins by client address, over all connections.
 * Pure; loop thread. Each address has a bucket that a failure fills by one and time empties at the configured rate
 * (sources.max_auth_failures_per_ip); while it is above the rate's count, new connections get 421. IPv6 clients count by /64,
 * since each has so many addresses. At most AUTH_GUARD_MAX addresses are remembered; the one that failed longest ago goes
 * first. */
#ifndef FL_AUTH_GUARD_H
#define FL_AUTH_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "inet.h"
#include "units.h"

enum { AUTH_GUARD_MAX = 65536 };

struct auth_guard;

struct auth_guard *auth_guard_new(void); /* NULL without memory */
void auth_guard_free(struct auth_guard *g);
/* A log-in from this address was wrong. Without memory it is not counted. */
void auth_guard_failed(struct auth_guard *g, const struct inet_addr *client, struct rate limit, int64_t now_ms);
/* Whether it is shut out now. An unlimited rate never shuts out. */
bool auth_guard_is_shut(struct auth_guard *g, const struct inet_addr *client, struct rate limit, int64_t now_ms);

#endif
