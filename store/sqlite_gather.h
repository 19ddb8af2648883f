/* sqlite_gather.h: gathers the writes to SQLite's log. SQLite writes each frame of it in two calls (24 bytes that describe a
 * page, then the page); this thin file system between SQLite and the real one lays them side by side in memory and writes them,
 * 64 KiB at a time, when SQLite syncs. Only the log is touched: every other file is opened by the file system below, and is its own.
 * The store thread, for the one connection that writes.
 *
 * Why nobody misses what is still in memory:
 * - Other connections, of this process or another, read the log only as far as the head of its index says, and SQLite moves
 *   that head after the sync of the COMMIT (synchronous = FULL; never a weaker one above this file system). What a transaction
 *   wrote before its COMMIT, because the page cache was full, is beyond the head.
 * - This connection may read back what it wrote, ask how long the log is, or cut it off: whatever was gathered is written
 *   first.
 * - A checkpoint copies frames of transactions that were synced, and none is under way then.
 *
 * What a failure means: a write that fails late is the failure of the call that needed it: the sync of a COMMIT nearly always,
 * so that its outcome is unknown, as when the sync itself had failed. All that is gathered at any time belongs to the
 * transaction under way, or to one that was rolled back; so the failed transaction is the one whose bytes were dropped. */
#ifndef FL_SQLITE_GATHER_H
#define FL_SQLITE_GATHER_H

struct gather_vfs;

/* below: name of the file system beneath; NULL: the system's. FL_EINVAL when there is none of that name. */
int gather_vfs_new(const char *below, struct gather_vfs **ret);
/* After the connection was closed. Takes NULL. */
void gather_vfs_free(struct gather_vfs *v);
/* For sqlite3_open_v2. Borrowed. */
const char *gather_vfs_name(const struct gather_vfs *v);

#endif
