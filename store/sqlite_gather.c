/* sqlite_gather.c: see sqlite_gather.h. */
#include "sqlite_gather.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

enum {
    GATHER_BYTES = 256 << 10,
    WRITE_BYTES = 64 << 10, /* the largest page: more at once SQLite asks of no file system, and its own for Unix cannot do it */
    NAME_ROOM = 32,
};

struct gather_vfs {
    sqlite3_vfs vfs; /* first: SQLite knows it by this */
    sqlite3_vfs *below;
    char name[NAME_ROOM];
};

/* The log. The file below lies right behind, in the memory that SQLite provides. */
struct gather_file {
    sqlite3_file base;
    sqlite3_int64 offset; /* of what is gathered */
    int n;
    char *bytes;
};

static struct gather_file *file_of(sqlite3_file *f)
{
    return (struct gather_file *)f;
}

static sqlite3_file *below(sqlite3_file *f)
{
    return (sqlite3_file *)(file_of(f) + 1);
}

static int write_out(sqlite3_file *sf)
{
    struct gather_file *f = file_of(sf);
    int n = f->n, rc = SQLITE_OK;

    f->n = 0;
    for (int at = 0; at < n && rc == SQLITE_OK; at += WRITE_BYTES) {
        int piece = n - at < WRITE_BYTES ? n - at : WRITE_BYTES;

        rc = below(sf)->pMethods->xWrite(below(sf), f->bytes + at, piece, f->offset + at);
    }
    return rc;
}

static int gather_close(sqlite3_file *sf)
{
    free(file_of(sf)->bytes); /* what was never synced was never promised */
    return below(sf)->pMethods->xClose(below(sf));
}

static int gather_read(sqlite3_file *sf, void *p, int n, sqlite3_int64 offset)
{
    int rc = write_out(sf);

    return rc == SQLITE_OK ? below(sf)->pMethods->xRead(below(sf), p, n, offset) : rc;
}

static int gather_write(sqlite3_file *sf, const void *p, int n, sqlite3_int64 offset)
{
    struct gather_file *f = file_of(sf);

    if (offset != f->offset + f->n || n > GATHER_BYTES - f->n) {
        int rc = write_out(sf);

        if (rc != SQLITE_OK)
            return rc;
        f->offset = offset;
    }
    if (n > GATHER_BYTES)
        return below(sf)->pMethods->xWrite(below(sf), p, n, offset);
    memcpy(f->bytes + f->n, p, (size_t)n);
    f->n += n;
    return SQLITE_OK;
}

static int gather_truncate(sqlite3_file *sf, sqlite3_int64 size)
{
    int rc = write_out(sf);

    return rc == SQLITE_OK ? below(sf)->pMethods->xTruncate(below(sf), size) : rc;
}

static int gather_sync(sqlite3_file *sf, int flags)
{
    int rc = write_out(sf);

    return rc == SQLITE_OK ? below(sf)->pMethods->xSync(below(sf), flags) : rc;
}

static int gather_size(sqlite3_file *sf, sqlite3_int64 *ret)
{
    int rc = write_out(sf);

    return rc == SQLITE_OK ? below(sf)->pMethods->xFileSize(below(sf), ret) : rc;
}

static int gather_lock(sqlite3_file *sf, int level)
{
    return below(sf)->pMethods->xLock(below(sf), level);
}

static int gather_unlock(sqlite3_file *sf, int level)
{
    return below(sf)->pMethods->xUnlock(below(sf), level);
}

static int gather_is_reserved(sqlite3_file *sf, int *ret)
{
    return below(sf)->pMethods->xCheckReservedLock(below(sf), ret);
}

static int gather_control(sqlite3_file *sf, int what, void *arg)
{
    return below(sf)->pMethods->xFileControl(below(sf), what, arg);
}

static int gather_sector(sqlite3_file *sf)
{
    return below(sf)->pMethods->xSectorSize(below(sf));
}

static int gather_characteristics(sqlite3_file *sf)
{
    return below(sf)->pMethods->xDeviceCharacteristics(below(sf));
}

/* Version 1: a log is neither mapped nor does it hold the index. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = gather_close,
    .xRead = gather_read,
    .xWrite = gather_write,
    .xTruncate = gather_truncate,
    .xSync = gather_sync,
    .xFileSize = gather_size,
    .xLock = gather_lock,
    .xUnlock = gather_unlock,
    .xCheckReservedLock = gather_is_reserved,
    .xFileControl = gather_control,
    .xSectorSize = gather_sector,
    .xDeviceCharacteristics = gather_characteristics,
};

static int gather_open(sqlite3_vfs *sv, const char *name, sqlite3_file *sf, int flags, int *ret_flags)
{
    sqlite3_vfs *real = ((struct gather_vfs *)sv)->below;
    struct gather_file *f = file_of(sf);
    int rc;

    if (!(flags & SQLITE_OPEN_WAL))
        return real->xOpen(real, name, sf, flags, ret_flags);
    *f = (struct gather_file){ .bytes = malloc(GATHER_BYTES) };
    if (!f->bytes)
        return SQLITE_NOMEM;
    rc = real->xOpen(real, name, below(sf), flags, ret_flags);
    if (rc == SQLITE_OK) {
        f->base.pMethods = &methods;
        return SQLITE_OK;
    }
    free(f->bytes);
    if (below(sf)->pMethods) /* then it wants to be closed all the same */
        below(sf)->pMethods->xClose(below(sf));
    return rc;
}

int gather_vfs_new(const char *below, struct gather_vfs **ret)
{
    sqlite3_vfs *real = sqlite3_vfs_find(below);
    struct gather_vfs *v;

    if (!real)
        return FL_EINVAL;
    v = calloc(1, sizeof *v);
    if (!v)
        return FL_ENOMEM;
    snprintf(v->name, sizeof v->name, "gather-%p", (void *)v);
    v->below = real;
    v->vfs = *real; /* with its pAppData, by which it does all the rest */
    v->vfs.pNext = NULL;
    v->vfs.zName = v->name;
    v->vfs.szOsFile += (int)sizeof(struct gather_file);
    v->vfs.xOpen = gather_open;
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        free(v);
        return FL_ENOMEM;
    }
    *ret = v;
    return 0;
}

void gather_vfs_free(struct gather_vfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    free(v);
}

const char *gather_vfs_name(const struct gather_vfs *v)
{
    return v->name;
}
