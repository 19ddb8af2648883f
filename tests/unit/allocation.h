/* allocation.h: memory that runs out on request. A test links with -Wl,--wrap for malloc, calloc, realloc, strdup and strndup
 * (tests/unit/meson.build); then allocations between allocation_watch() and allocation_ignore() are counted, and the chosen
 * one fails. What the test itself allocates outside is not counted. One thread. */
#ifndef FL_ALLOCATION_H
#define FL_ALLOCATION_H

#include <stdbool.h>

/* From now on the n-th watched allocation fails (1: the first), and with for_good all behind it too. 0: none. */
void allocation_fail(int n, bool for_good);
void allocation_watch(void);
void allocation_ignore(void);
/* Whether one has failed since allocation_fail(). */
bool allocation_failed(void);

#endif
