/* resolver_sim.h: the DNS of a played world: the port vmta/resolver.h above one table. Answers take some milliseconds. */
#ifndef FL_RESOLVER_SIM_H
#define FL_RESOLVER_SIM_H

#include "resolver.h"
#include "world.h"

struct resolver *resolver_sim_new(struct world *w);
void resolver_sim_free(struct resolver *r);

/* The domain has (one more) mail exchanger. host "": null MX. Names are borrowed for the life of the world. */
void dns_mx(struct world *w, const char *domain, int preference, const char *host);
/* The host has (one more) address. */
void dns_address(struct world *w, const char *host, const char *address);
/* What a look-up of this name ends as from now on; DNS_OK: what the table has. */
void dns_moody(struct world *w, const char *name, enum dns_result result);
/* The domain's only mail exchanger is this one as from now on ("": null MX; NULL: those of the table). Borrowed. */
void dns_mx_instead(struct world *w, const char *domain, const char *host);
/* All names answer what the table has. */
void dns_calm(struct world *w);

#endif
