/* wal_file.h: SQLite's log as a file, where its durability must be certain before SQLite reads it. The store thread, while no
 * connection is open, or right after one was opened. (SQLite's locks are on other files: opening and closing this one breaks
 * none.) */
#ifndef FL_WAL_FILE_H
#define FL_WAL_FILE_H

#include "file.h"

/* Before the database is opened: makes durable what can be read from the log. Where the sync of a COMMIT failed, the system
 * shows bytes that the platter does not have, and another sync says nothing about them; a checkpoint would then change the
 * database ahead of its log, and a power cut would leave a mixture. So its bytes are written once more, and synced. path: of
 * the database. A log that is not there is no error. */
int wal_file_harden(struct disk *disk, const char *path);
/* After it was emptied: SQLite does not sync that, and an older log that came back with the power would overwrite newer
 * pages. */
int wal_file_sync(struct disk *disk, const char *path);

#endif
