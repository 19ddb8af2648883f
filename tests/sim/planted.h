/* planted.h: the fault that a simulator is to find, by name on its command line (fault.h). */
#ifndef FL_PLANTED_H
#define FL_PLANTED_H

#include <stdbool.h>
#include <stdint.h>

/* Takes a leading `--fault NAME` from the arguments and plants it. Ends the program where there is no such fault, or the
 * build has none. */
void planted_take(int *argc, char ***argv);
/* One is planted. */
bool planted(void);
/* Says which seed is played next, so that a fault that ends the program without a word has a seed too. Nothing without a
 * fault. */
void planted_plays(uint64_t seed);

#endif
