/* page.h: one page of a listing that goes by key: of all names behind a key, the smallest `limit`, in order. Pure. */
#ifndef FL_PAGE_H
#define FL_PAGE_H

#include <stdbool.h>

#include "slice.h"

struct page {
    const void **item;
    struct slice *name; /* borrowed */
    int count, limit;
    bool more;          /* there are names behind the last one kept */
};

/* FL_ENOMEM; page_free in every case. */
int page_init(struct page *p, int limit);
void page_free(struct page *p);
/* Offers an item: kept while it is among the smallest. O(log limit). */
void page_add(struct page *p, struct slice name, const void *item);
/* At the end: item[0 … count-1] smallest first. */
void page_sort(struct page *p);

static inline bool page_is_behind(struct slice name, struct slice after)
{
    return after.n == 0 || slice_cmp(name, after) > 0;
}

#endif
