/* file_sim.h: a disk in memory that forgets what was not synced when the power goes, that can be full, and that can fail.
 * Everything it does follows from its seed. See store/file.h; the SQLite VFS of sqlite_vfs_sim.h stands on it too.
 *
 * What a power cut leaves: of each unsynced write any of its sectors (512 bytes), of each unsynced change of a name or a size
 * all or nothing, in any combination. What a failed sync leaves: the same for what it should have written, now and not later:
 * the pages count as clean, and another sync says nothing about them (so does Linux). */
#ifndef FL_FILE_SIM_H
#define FL_FILE_SIM_H

#include "file.h"

struct sim_disk;

struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *d);
struct disk *sim_disk_port(struct sim_disk *d);
bool sim_disk_exists(struct sim_disk *d, const char *name);

/* The power goes at the n-th operation from now (0: now). From then on everything fails. */
void sim_disk_cut_after(struct sim_disk *d, int operations);
bool sim_disk_is_dead(const struct sim_disk *d);
/* The power comes back: old handles are worthless, names and bytes are what has survived. */
void sim_disk_power_on(struct sim_disk *d);

/* The n-th operation from now that changes something fails with code; all that follow too when for_good. n < 0: never. */
void sim_disk_fail_after(struct sim_disk *d, int operations, int code, bool for_good);
/* Nothing fails any more. */
void sim_disk_mend(struct sim_disk *d);
/* Bytes that files may have in all: writing beyond is FL_EFULL. */
void sim_disk_capacity(struct sim_disk *d, uint64_t bytes);
/* Operations so far that change something. */
int sim_disk_operations(const struct sim_disk *d);
/* Bytes that holes were punched over so far. */
uint64_t sim_disk_punched(const struct sim_disk *d);
/* A byte of a file is changed behind everybody's back, durably. False when there is no such byte. */
bool sim_disk_damage(struct sim_disk *d, const char *name, uint64_t offset);

#endif
