/* store_figures.h: what the store counts about itself, readable from any thread at any time. */
#ifndef FL_STORE_FIGURES_H
#define FL_STORE_FIGURES_H

#include <stdatomic.h>

#include "store.h"

struct figures {
    _Atomic uint64_t commits, flushes, messages;
    _Atomic uint64_t commit_us_bucket[STORE_BUCKETS], commit_us_sum;
    _Atomic uint64_t group_bucket[STORE_BUCKETS], group_sum;
    _Atomic int64_t wal_bytes, free_bytes;
};

/* One batch was committed: it took this long, and carried so many messages (0: only settles and the like). */
void figures_commit(struct figures *f, int64_t us, int messages, int flushes);
void figures_copy(const struct figures *f, struct store_stats *ret);

#endif
