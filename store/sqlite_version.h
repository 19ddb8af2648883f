/* sqlite_version.h: which SQLite library is loaded, and what is known to be wrong with it.
 * Pure; any thread. For `fairlead version`, the start log, status and metrics. */
#ifndef FL_SQLITE_VERSION_H
#define FL_SQLITE_VERSION_H

#include <stdbool.h>

/* The version of the library in use, not of the header: "3.40.1". Lives as long as the program. */
const char *sqlite_version(void);

/* A warning for people, or NULL: the library is one of those with the WAL-reset race, which Fairlead's rule of one checkpointing
 * connection keeps out of reach. */
const char *sqlite_version_warning(void);

/* Whether a version, as sqlite3_libversion_number() counts (3.40.1: 3040001), has that race. */
bool sqlite_version_has_wal_reset_race(int number);

#endif
