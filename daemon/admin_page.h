/* admin_page.h: one page of a listing: ?after=&limit= on the way in, {"items": […], "next": KEY or null} on the way out.
 * Pure; any thread. */
#ifndef FL_ADMIN_PAGE_H
#define FL_ADMIN_PAGE_H

#include <jansson.h>

#include "admin_query.h"

enum { ADMIN_PAGE_DEFAULT = 100, ADMIN_PAGE_MAX = 1000 };

struct admin_page {
    struct slice after; /* empty: from the beginning */
    int limit;
    json_t *items;
    bool has_failed;
};

/* False: limit is no number from 1 to ADMIN_PAGE_MAX. */
bool admin_page_begin(struct admin_page *p, const struct admin_query *query);
/* Takes a row; NULL: there was no memory for it. False: stop. */
bool admin_page_add(struct admin_page *p, json_t *row);
/* The document (given), NULL without memory. next: the key behind which it goes on; empty: there is no more. */
json_t *admin_page_end(struct admin_page *p, struct slice next);

#endif
