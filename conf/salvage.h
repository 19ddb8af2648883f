/* salvage.h: what can still be read of a file that is no YAML: its top-level sections, each by itself, and of the section that
 * holds the mistake what stands before it. For client commands, which need to find the daemon's socket whatever else is wrong;
 * never for a configuration that is put in force. Pure; one thread. */
#ifndef FL_SALVAGE_H
#define FL_SALVAGE_H

#include "node.h"

/* A mapping of what was found, perhaps empty. Places in it are of no use. Nodes come from the arena; file is borrowed as long as
 * they live. NULL without memory. */
struct node *salvage_sections(struct arena *arena, struct slice text, const char *file);

#endif
