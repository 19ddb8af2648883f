/* fault.c: see fault.h. Only builds with -Dfaults=true have it. */
#include "fault.h"

#include <string.h>

enum fault fault_planted;

bool fault_plant(const char *name)
{
    static const char *const names[FAULTS] = {
#define FAULT_NAME(name, text) [FAULT_##name] = #name,
        FAULTS_OF_STORE(FAULT_NAME) FAULTS_OF_VMTA(FAULT_NAME)
#undef FAULT_NAME
    };

    for (int i = FAULT_none + 1; i < FAULTS; i++)
        if (strcmp(names[i], name) == 0) {
            fault_planted = (enum fault)i;
            return true;
        }
    return false;
}
