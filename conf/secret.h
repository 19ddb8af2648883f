/* secret.h: secrets that the configuration only names: {file: F} and {env: NAME} become texts.
 * Reads files and the environment; one thread; called by load.c between parsing and building. */
#ifndef FL_SECRET_H
#define FL_SECRET_H

#include "parse.h"

enum { SECRET_BYTES_MAX = 4096 };

/* Fetches every one that parse.c noted; errors are findings. */
void secret_fetch_all(struct parse *p);

#endif
