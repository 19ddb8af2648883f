/* include.h: the main file and all that it includes, read and merged into one tree. Reads files; one thread; called by
 * load.c. An included file lies below the main file's folder and is reached without a symbolic link, so that who may write
 * one tenant's file cannot make the daemon read any other. */
#ifndef FL_INCLUDE_H
#define FL_INCLUDE_H

#include "node.h"

/* Reads everything. *ret is the merged root, an empty mapping at least. Nodes come from nodes, file names from names.
 * *ret_folder: the main file's folder, absolute, from names. Both are set with 0 and with FL_EINVAL: a file was no YAML, so
 * names may be missing; salvages: what can be read of such a file is there. Other codes: the main file cannot be read, or no
 * memory. All but the last are findings too. */
int include_read(const char *main_file, bool salvages, struct arena *nodes, struct arena *names, struct conf_findings *findings,
                 struct node **ret, const char **ret_folder);

#endif
