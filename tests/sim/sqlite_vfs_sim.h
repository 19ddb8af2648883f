/* sqlite_vfs_sim.h: the file system below SQLite, on a simulated disk: database, log and body files lose their power together.
 * It also watches that no connection but the writing one ever takes the lock for checkpoints. */
#ifndef FL_SQLITE_VFS_SIM_H
#define FL_SQLITE_VFS_SIM_H

#include "file_sim.h"

struct sim_vfs;

/* disk is borrowed. The name is what store_parts.vfs takes. */
struct sim_vfs *sim_vfs_new(struct sim_disk *disk);
void sim_vfs_free(struct sim_vfs *v);
const char *sim_vfs_name(const struct sim_vfs *v);
/* What was shared between connections is gone: with the power. */
void sim_vfs_power_on(struct sim_vfs *v);
/* How often the lock for checkpoints was taken, and how often by a connection that was opened for reading. */
int sim_vfs_checkpoints(const struct sim_vfs *v);
int sim_vfs_foreign_checkpoints(const struct sim_vfs *v);

#endif
