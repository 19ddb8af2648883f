/* admin_body.h: the JSON body of a request, read strictly: one object, no key twice, no unknown key, no value of another type.
 * Pure; any thread. Errors are FL_EINVAL with a text for the `detail` of a 400. */
#ifndef FL_ADMIN_BODY_H
#define FL_ADMIN_BODY_H

#include <jansson.h>

#include "err.h"
#include "slice.h"

enum { ADMIN_BODY_TEXT_MAX = 1024 }; /* bytes of a text in it, but for the values of headers */

/* A new reference. An empty body is an empty object. */
int admin_body_parse(struct slice body, json_t **ret, struct fl_err *err);
/* Whether all keys of the object are among these; the list ends with NULL. */
int admin_body_keys(const json_t *object, const char *const *keys, struct fl_err *err);
/* A text that is not empty and has no control characters. *ret stays as it is when the key is not there. Borrowed from object.
 */
int admin_body_text(const json_t *object, const char *key, struct slice *ret, struct fl_err *err);
int admin_body_flag(const json_t *object, const char *key, bool *ret, struct fl_err *err);

#endif
