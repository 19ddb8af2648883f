/* pool.c: see pool.h. */
#include "pool.h"

const struct conf_vmta *pool_pick(const struct conf_pool *p, struct rand *rand)
{
    uint64_t sum = 0, at;

    for (int i = 0; i < p->member_count; i++)
        sum += (uint64_t)p->members[i].weight;
    at = rand_below(rand, sum);
    for (int i = 0; i < p->member_count - 1; i++) {
        if (at < (uint64_t)p->members[i].weight)
            return p->members[i].vmta;
        at -= (uint64_t)p->members[i].weight;
    }
    return p->members[p->member_count - 1].vmta;
}
