/* pool.h: which VMTA of a pool carries a message: by weight, at random. Pure; any thread. */
#ifndef FL_POOL_H
#define FL_POOL_H

#include "conf.h"
#include "rand.h"

/* Never NULL: a pool has members, their weights are at least 1. */
const struct conf_vmta *pool_pick(const struct conf_pool *p, struct rand *rand);

#endif
