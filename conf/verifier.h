/* verifier.h: whether a stored password verifier has the form that its kind needs. Pure; any thread.
 * What is malformed is refused when the configuration is read, not when somebody logs in. */
#ifndef FL_VERIFIER_H
#define FL_VERIFIER_H

#include <stdbool.h>

#include "slice.h"

/* A hash of crypt(3): yescrypt, bcrypt, SHA-512 and their like. */
bool verifier_is_crypt(struct slice text);
/* "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY" (RFC 5803's form), RFC 7677's 4096 iterations at least. */
bool verifier_is_scram(struct slice text);

#endif
