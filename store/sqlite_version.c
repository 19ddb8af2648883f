/* sqlite_version.c: which SQLite library is loaded, and what is known to be wrong with it. */
#include "sqlite_version.h"

#include <sqlite3.h>
#include <stddef.h>

const char *sqlite_version(void)
{
    return sqlite3_libversion();
}

bool sqlite_version_has_wal_reset_race(int number)
{
    bool mended = number >= 3051003                          /* fixed on the main line */
                  || (number >= 3044006 && number < 3045000) /* back-ported */
                  || (number >= 3050007 && number < 3051000);

    return number >= 3007000 && !mended;
}

const char *sqlite_version_warning(void)
{
    if (!sqlite_version_has_wal_reset_race(sqlite3_libversion_number()))
        return NULL;
    return "this SQLite has the WAL-reset race (fixed in 3.51.3): never let another program checkpoint or write the live database; "
           "Fairlead itself checkpoints from one connection only, which cannot meet it";
}
