/* admin_page.c: see admin_page.h. Pure. */
#include "admin_page.h"

#include "admin_json.h"

bool admin_page_begin(struct admin_page *p, const struct admin_query *query)
{
    struct slice limit = admin_query_get(query, "limit");
    uint64_t n = ADMIN_PAGE_DEFAULT;

    *p = (struct admin_page){ .after = admin_query_get(query, "after") };
    if (limit.p && (!slice_to_u64(limit, ADMIN_PAGE_MAX, &n) || n == 0))
        return false;
    p->limit = (int)n;
    p->items = json_array();
    p->has_failed = !p->items;
    return true;
}

bool admin_page_add(struct admin_page *p, json_t *row)
{
    if (json_array_append_new(p->items, row) < 0)
        p->has_failed = true;
    return !p->has_failed;
}

json_t *admin_page_end(struct admin_page *p, struct slice next)
{
    struct admin_object o;

    if (p->has_failed) {
        json_decref(p->items);
        return NULL;
    }
    o = admin_object();
    admin_put(&o, "items", p->items);
    admin_put(&o, "next", admin_text_or_null(next));
    return admin_object_end(&o);
}
