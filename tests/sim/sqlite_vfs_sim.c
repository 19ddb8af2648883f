/* sqlite_vfs_sim.c: see sqlite_vfs_sim.h. */
#include "sqlite_vfs_sim.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { WRITE_MOST = 64 << 10, REGIONS = 64, CHECKPOINT_SLOT = 1, NAME_ROOM = 64 };

struct vfs_file;

/* What the connections of one database share: the index of the log, its locks, and the lock of the file. There is one
 * database. */
struct shared {
    void *regions[REGIONS];
    int readers[SQLITE_SHM_NLOCK];
    struct vfs_file *owner[SQLITE_SHM_NLOCK];
    int handles;
    int holders;                 /* of the file's shared lock */
    struct vfs_file *exclusive;  /* of its reserved, pending or exclusive one */
};

struct sim_vfs {
    sqlite3_vfs vfs;
    char name[NAME_ROOM];
    struct sim_disk *disk;
    struct shared *shared;
    int checkpoints, foreign;
};

struct vfs_file {
    sqlite3_file base;
    struct sim_vfs *owner;
    struct file *file;
    struct shared *shared;       /* of the life in which it was opened */
    bool writes, maps;
    bool nameless; /* a log or journal just made: its first sync includes the folder, as in SQLite's own for Unix */
    int level;
    unsigned reads, owns;        /* slots, as bits */
};

static int result_of(int code, int otherwise)
{
    return code == FL_EFULL ? SQLITE_FULL : code < 0 ? otherwise : SQLITE_OK;
}

static struct vfs_file *file_of(sqlite3_file *f)
{
    return (struct vfs_file *)f;
}

static void drop_locks(struct vfs_file *f)
{
    if (f->level > SQLITE_LOCK_NONE && f->shared->holders > 0)
        f->shared->holders--;
    if (f->shared->exclusive == f)
        f->shared->exclusive = NULL;
    f->level = SQLITE_LOCK_NONE;
}

static int vfs_close(sqlite3_file *sf)
{
    struct vfs_file *f = file_of(sf);

    if (f->shared == f->owner->shared)
        drop_locks(f);
    file_close(f->file);
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *sf, void *p, int n, sqlite3_int64 offset)
{
    int64_t got = file_read(file_of(sf)->file, p, (size_t)n, (uint64_t)offset);

    if (got < 0)
        return SQLITE_IOERR_READ;
    if (got == n)
        return SQLITE_OK;
    memset((char *)p + got, 0, (size_t)(n - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *sf, const void *p, int n, sqlite3_int64 offset)
{
    struct iovec v = { .iov_base = (void *)p, .iov_len = (size_t)n };

    assert(n <= WRITE_MOST); /* SQLite's own file system for Unix writes 0 bytes of 128 KiB, and says that the disk is full */
    return result_of(file_writev(file_of(sf)->file, &v, 1, (uint64_t)offset), SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *sf, sqlite3_int64 size)
{
    return result_of(file_truncate(file_of(sf)->file, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

static int vfs_sync(sqlite3_file *sf, int flags)
{
    struct vfs_file *f = file_of(sf);
    int rc = result_of(file_sync(f->file), SQLITE_IOERR_FSYNC);

    if (rc == SQLITE_OK && f->nameless) {
        f->nameless = false;
        disk_sync(sim_disk_port(f->owner->disk)); /* whose failure it does not look at either */
    }
    return rc;
}

static int vfs_size(sqlite3_file *sf, sqlite3_int64 *ret)
{
    int64_t n = file_size(file_of(sf)->file);

    *ret = n < 0 ? 0 : n;
    return n < 0 ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int vfs_lock(sqlite3_file *sf, int level)
{
    struct vfs_file *f = file_of(sf);
    struct shared *s = f->shared;

    if (level <= f->level)
        return SQLITE_OK;
    if (s->exclusive && s->exclusive != f)
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && s->holders > (f->level > SQLITE_LOCK_NONE))
        return SQLITE_BUSY;
    if (f->level == SQLITE_LOCK_NONE)
        s->holders++;
    if (level > SQLITE_LOCK_SHARED)
        s->exclusive = f;
    f->level = level;
    return SQLITE_OK;
}

static int vfs_unlock(sqlite3_file *sf, int level)
{
    struct vfs_file *f = file_of(sf);

    if (level == SQLITE_LOCK_NONE)
        drop_locks(f);
    else if (f->shared->exclusive == f)
        f->shared->exclusive = NULL;
    if (f->level > level)
        f->level = level;
    return SQLITE_OK;
}

static int vfs_is_reserved(sqlite3_file *sf, int *ret)
{
    *ret = file_of(sf)->shared->exclusive != NULL;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *sf, int what, void *arg)
{
    return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *sf)
{
    return 512;
}

static int vfs_characteristics(sqlite3_file *sf)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_shm_map(sqlite3_file *sf, int region, int size, int extend, void volatile **ret)
{
    struct vfs_file *f = file_of(sf);

    assert(region < REGIONS);
    if (!f->maps) {
        f->maps = true;
        f->shared->handles++;
    }
    if (!f->shared->regions[region] && extend)
        f->shared->regions[region] = calloc(1, (size_t)size);
    *ret = f->shared->regions[region];
    return SQLITE_OK;
}

static bool can_lock(const struct vfs_file *f, int slot, bool exclusive)
{
    const struct shared *s = f->shared;

    if (s->owner[slot] && s->owner[slot] != f)
        return false;
    return !exclusive || s->readers[slot] == (int)(f->reads >> slot & 1);
}

static void set_lock(struct vfs_file *f, int slot, int flags)
{
    struct shared *s = f->shared;
    unsigned bit = 1u << slot;

    if (flags & SQLITE_SHM_UNLOCK) {
        if (f->reads & bit)
            s->readers[slot]--;
        if (s->owner[slot] == f)
            s->owner[slot] = NULL;
        f->reads &= ~bit;
        f->owns &= ~bit;
    } else if (flags & SQLITE_SHM_EXCLUSIVE) {
        s->owner[slot] = f;
        f->owns |= bit;
    } else if (!(f->reads & bit)) {
        s->readers[slot]++;
        f->reads |= bit;
    }
}

static int vfs_shm_lock(sqlite3_file *sf, int first, int n, int flags)
{
    struct vfs_file *f = file_of(sf);
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;

    for (int i = first; i < first + n && flags & SQLITE_SHM_LOCK; i++)
        if (!can_lock(f, i, exclusive))
            return SQLITE_BUSY;
    if (flags & SQLITE_SHM_LOCK && exclusive && first <= CHECKPOINT_SLOT && CHECKPOINT_SLOT < first + n) {
        f->owner->checkpoints++;
        f->owner->foreign += !f->writes;
    }
    for (int i = first; i < first + n; i++)
        set_lock(f, i, flags);
    return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *sf)
{
}

static int vfs_shm_unmap(sqlite3_file *sf, int delete)
{
    struct vfs_file *f = file_of(sf);

    if (!f->maps)
        return SQLITE_OK;
    f->maps = false;
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        set_lock(f, i, SQLITE_SHM_UNLOCK);
    if (--f->shared->handles > 0)
        return SQLITE_OK;
    for (int i = 0; i < REGIONS; i++) {
        free(f->shared->regions[i]);
        f->shared->regions[i] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_is_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static struct sim_vfs *vfs_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int vfs_open(sqlite3_vfs *sv, const char *name, sqlite3_file *sf, int flags, int *ret_flags)
{
    struct sim_vfs *v = vfs_of(sv);
    struct vfs_file *f = file_of(sf);
    struct disk *disk = sim_disk_port(v->disk);
    int rc;

    assert(name); /* nothing temporary goes to the disk */
    *f = (struct vfs_file){ .owner = v, .shared = v->shared, .writes = flags & SQLITE_OPEN_READWRITE };
    rc = disk_open_file(disk, name, f->writes ? FILE_WRITE : FILE_READ, &f->file);
    if (rc == FL_ENOENT && flags & SQLITE_OPEN_CREATE) {
        rc = disk_open_file(disk, name, FILE_CREATE, &f->file);
        f->nameless = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    }
    if (rc < 0)
        return SQLITE_CANTOPEN;
    f->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *sv, const char *name, int sync)
{
    struct disk *disk = sim_disk_port(vfs_of(sv)->disk);
    int rc = disk_unlink(disk, name);

    if (rc == FL_ENOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    if (rc == 0 && sync)
        rc = disk_sync(disk);
    return rc < 0 ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *sv, const char *name, int flags, int *ret)
{
    *ret = sim_disk_exists(vfs_of(sv)->disk, name);
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *sv, const char *name, int n, char *ret)
{
    snprintf(ret, (size_t)n, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *sv, int n, char *ret)
{
    memset(ret, 7, (size_t)n); /* the same run every time */
    return n;
}

static int vfs_sleep(sqlite3_vfs *sv, int us)
{
    return us;
}

static int vfs_time(sqlite3_vfs *sv, double *ret)
{
    *ret = 2461000.5;
    return SQLITE_OK;
}

struct sim_vfs *sim_vfs_new(struct sim_disk *disk)
{
    struct sim_vfs *v = calloc(1, sizeof *v);

    assert(v);
    v->disk = disk;
    v->shared = calloc(1, sizeof *v->shared);
    assert(v->shared);
    snprintf(v->name, sizeof v->name, "sim-%p", (void *)v);
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = 128,
        .zName = v->name,
        .pAppData = v,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
    };
    sqlite3_vfs_register(&v->vfs, 0);
    return v;
}

static void shared_clear(struct shared *s)
{
    for (int i = 0; i < REGIONS; i++)
        free(s->regions[i]);
    memset(s, 0, sizeof *s);
}

void sim_vfs_free(struct sim_vfs *v)
{
    sqlite3_vfs_unregister(&v->vfs);
    shared_clear(v->shared);
    free(v->shared);
    free(v);
}

const char *sim_vfs_name(const struct sim_vfs *v)
{
    return v->name;
}

/* Connections of the former life are closed before: nobody points here any more. */
void sim_vfs_power_on(struct sim_vfs *v)
{
    shared_clear(v->shared);
}

int sim_vfs_checkpoints(const struct sim_vfs *v)
{
    return v->checkpoints;
}

int sim_vfs_foreign_checkpoints(const struct sim_vfs *v)
{
    return v->foreign;
}
