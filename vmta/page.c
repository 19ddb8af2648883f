/* page.c: see page.h. A heap with the largest name on top: what is smaller replaces it when the page is full. */
#include "page.h"

#include <stdlib.h>

#include "err.h"

int page_init(struct page *p, int limit)
{
    *p = (struct page){ .limit = limit };
    p->item = malloc((size_t)(limit + 1) * sizeof *p->item);
    p->name = malloc((size_t)(limit + 1) * sizeof *p->name);
    return p->item && p->name ? 0 : FL_ENOMEM;
}

void page_free(struct page *p)
{
    free(p->item);
    free(p->name);
}

static void page_sink(struct page *p, int at)
{
    for (;;) {
        int child = 2 * at + 1;
        struct slice name = p->name[at];
        const void *item = p->item[at];

        if (child >= p->count)
            return;
        if (child + 1 < p->count && slice_cmp(p->name[child + 1], p->name[child]) > 0)
            child++;
        if (slice_cmp(p->name[child], name) <= 0)
            return;
        p->name[at] = p->name[child];
        p->item[at] = p->item[child];
        p->name[child] = name;
        p->item[child] = item;
        at = child;
    }
}

void page_add(struct page *p, struct slice name, const void *item)
{
    int at = p->count;

    if (p->count == p->limit) {
        p->more = true;
        if (p->limit == 0 || slice_cmp(name, p->name[0]) > 0)
            return;
        p->name[0] = name;
        p->item[0] = item;
        page_sink(p, 0);
        return;
    }
    p->name[p->count] = name;
    p->item[p->count++] = item;
    while (at > 0 && slice_cmp(p->name[(at - 1) / 2], p->name[at]) < 0) {
        int up = (at - 1) / 2;
        struct slice n = p->name[up];
        const void *i = p->item[up];

        p->name[up] = p->name[at];
        p->item[up] = p->item[at];
        p->name[at] = n;
        p->item[at] = i;
        at = up;
    }
}

void page_sort(struct page *p)
{
    int count = p->count;

    while (p->count > 1) {
        struct slice n = p->name[0];
        const void *i = p->item[0];
        int last = --p->count;

        p->name[0] = p->name[last];
        p->item[0] = p->item[last];
        p->name[last] = n;
        p->item[last] = i;
        page_sink(p, 0);
    }
    p->count = count;
}
