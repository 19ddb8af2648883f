/* yaml_nodes.h (of yaml.c; the name yaml.h is the library's): the text of one file → nodes. The only user of libyaml. No I/O
 * of its own; one thread. A configuration comes from people, but in a platform from many: aliases, tags and further
 * documents are refused, depth is bounded, and what YAML would guess from a plain word (`no`, `0123`, `1e3`) stays the text
 * that it is. */
#ifndef FL_YAML_NODES_H
#define FL_YAML_NODES_H

#include "node.h"

enum { YAML_DEPTH_MAX = 64 };

/* *ret: the document's root, NULL when the file is empty. Nodes come from the arena; file is borrowed as long as they live.
 * FL_EINVAL when there were errors (findings): *ret is what came before the first then. FL_ENOMEM. */
int yaml_parse(struct arena *arena, struct slice text, const char *file, struct conf_findings *findings, struct node **ret);

#endif
