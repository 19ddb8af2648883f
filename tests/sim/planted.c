/* planted.c: see planted.h. */
#include "planted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#ifdef FL_FAULTS
static bool plant(const char *name)
{
    return fault_plant(name);
}

bool planted(void)
{
    return fault_planted != FAULT_none;
}
#else
static bool plant(const char *name)
{
    return false;
}

bool planted(void)
{
    return false;
}
#endif

void planted_take(int *argc, char ***argv)
{
    if (*argc < 3 || strcmp((*argv)[1], "--fault") != 0)
        return;
    if (!plant((*argv)[2])) {
        fprintf(stderr, "%s: no such fault, or not built with -Dfaults=true\n", (*argv)[2]);
        exit(2);
    }
    *argc -= 2;
    *argv += 2;
}

void planted_plays(uint64_t seed)
{
    if (planted())
        printf("plays seed %llu\n", (unsigned long long)seed);
}
