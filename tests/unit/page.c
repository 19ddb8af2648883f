/* A page of a listing: the smallest names behind a key, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "page.h"
#include "rand.h"

enum { NAMES = 500 };

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void pages_one_after_the_other_give_all_names_in_order(void **state)
{
    char name[NAMES][8], sorted[NAMES][8];
    struct rand r;

    rand_seed(&r, 3);
    for (int i = 0; i < NAMES; i++)
        snprintf(name[i], sizeof name[i], "%06d", (int)rand_below(&r, 1000) * 1000 + i);
    memcpy(sorted, name, sizeof name);
    qsort(sorted, NAMES, sizeof *sorted, by_text);
    for (int limit = 1; limit <= 600; limit = limit * 3 + 1) {
        struct slice after = SLICE_NONE;
        bool more = true;
        int seen = 0;

        while (more) {
            struct page p;

            assert_int_equal(page_init(&p, limit), 0);
            for (int i = 0; i < NAMES; i++)
                if (page_is_behind(slice_of(name[i]), after))
                    page_add(&p, slice_of(name[i]), name[i]);
            page_sort(&p);
            for (int i = 0; i < p.count; i++)
                assert_string_equal(p.item[i], sorted[seen++]);
            more = p.more;
            assert_int_equal(more, seen < NAMES);
            after = slice_of(sorted[seen - 1]);
            page_free(&p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_one_after_the_other_give_all_names_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
