/* resolve.h: names that the machine must know: its own, the host names that listeners are given by, its user, folders.
 * Asks the system's resolver, which may wait; one thread; called by load.c between parsing and building. */
#ifndef FL_RESOLVE_H
#define FL_RESOLVE_H

#include "parse.h"

/* The machine's name in canonical form, or "localhost"; in the arena, NULL without memory. */
const char *resolve_machine_name(struct arena *arena);
/* Looks up the names in listeners[].address: in dns.hosts, then by the system. Errors are findings. */
void resolve_listeners(struct parse *p, const struct node *root);
/* Warns when the machine knows no user of the name server.user: `run` could not become it. */
void resolve_user(struct parse *p, const struct node *root);
/* Warns of files that cannot be made since their folder is not there: `run` would refuse to start. */
void resolve_folders(struct parse *p, const struct node *root);

#endif
