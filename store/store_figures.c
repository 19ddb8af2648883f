/* store_figures.c: see store_figures.h. Each number is right by itself; a reader between two of them may see one batch in
 * part. */
#include "store_figures.h"

enum { FIRST_COMMIT_BIT = 6 }; /* the first bucket: below 64 µs */

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

/* The first bucket whose bound, 2^(i+shift), is above v. */
static int bucket_of(uint64_t v, int shift)
{
    int i = 0;

    while (i < STORE_BUCKETS - 1 && v >= (uint64_t)1 << (i + shift))
        i++;
    return i;
}

void figures_commit(struct figures *f, int64_t us, int messages, int flushes)
{
    uint64_t took = us > 0 ? (uint64_t)us : 0;

    add(&f->commits, 1);
    add(&f->flushes, (uint64_t)flushes);
    add(&f->commit_us_bucket[bucket_of(took, FIRST_COMMIT_BIT)], 1);
    add(&f->commit_us_sum, took);
    if (messages == 0)
        return;
    add(&f->messages, (uint64_t)messages);
    add(&f->group_bucket[bucket_of((uint64_t)messages - 1, 0)], 1);
    add(&f->group_sum, (uint64_t)messages);
}

void figures_copy(const struct figures *f, struct store_stats *ret)
{
    *ret = (struct store_stats){
        .commits = f->commits,
        .flushes = f->flushes,
        .messages = f->messages,
        .commit_us_sum = f->commit_us_sum,
        .group_sum = f->group_sum,
        .wal_bytes = f->wal_bytes,
        .free_bytes = f->free_bytes,
    };
    for (int i = 0; i < STORE_BUCKETS; i++) {
        ret->commit_us_bucket[i] = f->commit_us_bucket[i];
        ret->group_bucket[i] = f->group_bucket[i];
    }
}
