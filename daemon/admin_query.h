/* admin_query.h: the path and the query of a request target, decoded strictly (RFC 3986 2.1): segments and key=value pairs.
 * Pure; any thread. Decoded texts live in the caller's arena. */
#ifndef FL_ADMIN_QUERY_H
#define FL_ADMIN_QUERY_H

#include "arena.h"
#include "slice.h"

enum { ADMIN_SEGMENTS_MAX = 8, ADMIN_PAIRS_MAX = 16 };

struct admin_path {
    struct slice segment[ADMIN_SEGMENTS_MAX];
    int count;
};

struct admin_pair {
    struct slice key, value;
};

struct admin_query {
    struct admin_pair pair[ADMIN_PAIRS_MAX];
    int count;
};

/* "/v1/queues/a%2Fb" → "v1", "queues", "a/b". False: no leading slash, an empty segment, too many, a bad escape, a control
 * character, bytes that are no UTF-8, or no memory. */
bool admin_path_parse(struct slice path, struct arena *arena, struct admin_path *ret);
/* "tenant=a&limit=5"; "+" is a blank. False: as above, or a key twice, or an empty key. */
bool admin_query_parse(struct slice query, struct arena *arena, struct admin_query *ret);
/* The value of a key; .p NULL when it is not there. */
struct slice admin_query_get(const struct admin_query *q, const char *key);

#endif
