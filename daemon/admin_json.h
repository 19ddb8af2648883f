/* admin_json.h: small steps between our types and jansson's, so that building an answer reads as a list of its fields.
 * Pure; any thread. Whatever comes from outside becomes printable on the way (printable.h). */
#ifndef FL_ADMIN_JSON_H
#define FL_ADMIN_JSON_H

#include <jansson.h>

#include "buf.h"
#include "envelope.h"

/* An object being built. A field that cannot be added for want of memory is noticed once, at the end. */
struct admin_object {
    json_t *json;
    bool has_failed;
};

struct admin_object admin_object(void);
/* Takes value; NULL means that there was no memory for it. */
void admin_put(struct admin_object *o, const char *key, json_t *value);
/* The object (given), or NULL when memory ran out anywhere. */
json_t *admin_object_end(struct admin_object *o);

/* Values; NULL without memory. */
json_t *admin_text(struct slice s);
json_t *admin_text_or_null(struct slice s); /* null for the empty text */
json_t *admin_ulid(const struct ulid *id);
json_t *admin_time(int64_t wall_ms);                   /* RFC 3339; null for 0 and for NEVER_MS */
json_t *admin_age_s(int64_t since_ms, int64_t now_ms); /* seconds, not below 0; 0 when since_ms is 0 */
json_t *admin_reply(const struct last_reply *r);       /* null when there is none */

/* Adds the document, compact, with an LF. Takes json; NULL gives FL_ENOMEM. */
int admin_json_write(json_t *json, struct buf *out);

#endif
