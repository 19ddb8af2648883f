/* allocation.c: see allocation.h. */
#include "allocation.h"

#include <stddef.h>

static int fail_at, seen;
static bool for_good_too, watched, failed;

void allocation_fail(int n, bool for_good)
{
    fail_at = n;
    for_good_too = for_good;
    seen = 0;
    failed = false;
}

void allocation_watch(void) { watched = true; }
void allocation_ignore(void) { watched = false; }
bool allocation_failed(void) { return failed; }

static bool fails(void)
{
    if (!watched || fail_at == 0)
        return false;
    seen++;
    if (seen != fail_at && !(for_good_too && seen > fail_at))
        return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }
char *__wrap_strndup(const char *s, size_t n) { return fails() ? NULL : __real_strndup(s, n); }
