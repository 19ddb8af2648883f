/* network.h: whether this machine can do what the configuration says: `fairlead check --network`.
 * Binds sockets and asks the system's resolver, so it may take long; one thread; called by the command alone. */
#ifndef FL_NETWORK_H
#define FL_NETWORK_H

#include "finding.h"

enum { NETWORK_NAMES_MAX = 1000 }; /* host names that are looked up */

/* Tries every VMTA's source addresses and every EHLO name. What fails is added to the findings: errors for addresses that
 * this machine has not, warnings for names. */
void network_try(const struct conf *c, struct conf_findings *findings);

#endif
