/* file.h: the port to the disk: one folder, and the files in it. Under segments, spool and reserve; the SQLite VFS of the tests
 * stands on the same port, so that one power cut hits everything in one order. file_posix.c is the real one,
 * tests/sim/file_sim.c the other. A folder may be used by several threads, a file by one at a time (reads by several). Errors:
 * FL_EIO, FL_EFULL, FL_ENOENT, FL_EEXIST, FL_EDENIED, FL_ENOMEM. */
#ifndef FL_FILE_H
#define FL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct iovec;
struct file;
struct disk;

enum file_mode {
    FILE_READ,   /* must be there */
    FILE_WRITE,  /* must be there; read and written */
    FILE_CREATE, /* must not be there; the name is durable after disk_sync */
};

struct file_ops {
    void (*close)(struct file *f);
    int64_t (*read)(struct file *f, void *p, size_t n, uint64_t offset);
    int (*writev)(struct file *f, const struct iovec *v, int count, uint64_t offset);
    int (*sync)(struct file *f);
    int (*allocate)(struct file *f, uint64_t size);
    int (*truncate)(struct file *f, uint64_t size);
    int (*punch)(struct file *f, uint64_t offset, uint64_t n);
    int64_t (*size)(struct file *f);
};

struct disk_ops {
    void (*close)(struct disk *d);
    int (*open)(struct disk *d, const char *name, enum file_mode mode, struct file **ret);
    int (*unlink)(struct disk *d, const char *name);
    int (*rename)(struct disk *d, const char *from, const char *to);
    int (*sync)(struct disk *d);
    int (*list)(struct disk *d, int (*each)(void *arg, const char *name), void *arg);
    int64_t (*free_space)(struct disk *d);
    int (*lock)(struct disk *d, const char *name, int *ret_pid);
};

struct file {
    const struct file_ops *ops;
};

struct disk {
    const struct disk_ops *ops;
};

/* The folder at path, made with mode 0700 when it is missing (its parent must be there). */
int disk_open_posix(const char *path, struct disk **ret, struct fl_err *err);

/* Closes the folder and gives up its lock. Takes NULL. Files opened from it are closed before. */
static inline void disk_close(struct disk *d)
{
    if (d)
        d->ops->close(d);
}

static inline int disk_open_file(struct disk *d, const char *name, enum file_mode mode, struct file **ret)
{
    return d->ops->open(d, name, mode, ret);
}

/* Removes the name; the bytes go when the last open file is closed. FL_ENOENT. Durable after disk_sync. */
static inline int disk_unlink(struct disk *d, const char *name)
{
    return d->ops->unlink(d, name);
}

/* Gives a file another name, in one step; one that had it before is removed. FL_ENOENT. Durable after disk_sync: until then a
 * power cut may leave it under either name, or under both. */
static inline int disk_rename(struct disk *d, const char *from, const char *to)
{
    return d->ops->rename(d, from, to);
}

/* Makes the names durable: what was created, renamed or removed. */
static inline int disk_sync(struct disk *d)
{
    return d->ops->sync(d);
}

/* Calls each for every file, in no particular order, until it returns other than 0; returns that. */
static inline int disk_list(struct disk *d, int (*each)(void *arg, const char *name), void *arg)
{
    return d->ops->list(d, each, arg);
}

/* Bytes that can still be written, or an error. */
static inline int64_t disk_free_space(struct disk *d)
{
    return d->ops->free_space(d);
}

/* Takes the folder for this process until disk_close, by a lock on that file, which then says our pid. FL_EBUSY with the
 * holder's pid (0: not known) when it is taken. */
static inline int disk_lock(struct disk *d, const char *name, int *ret_pid)
{
    return d->ops->lock(d, name, ret_pid);
}

/* Closes without syncing. Takes NULL. */
static inline void file_close(struct file *f)
{
    if (f)
        f->ops->close(f);
}

/* Bytes read: fewer than n only at the end of the file. Or an error. */
static inline int64_t file_read(struct file *f, void *p, size_t n, uint64_t offset)
{
    return f->ops->read(f, p, n, offset);
}

/* Writes all of it, in as few calls as the system permits. After an error the range holds anything. */
static inline int file_writev(struct file *f, const struct iovec *v, int count, uint64_t offset)
{
    return f->ops->writev(f, v, count, offset);
}

/* fdatasync. After an error nothing is known of what was written since the last success: never ask again, give the file up. */
static inline int file_sync(struct file *f)
{
    return f->ops->sync(f);
}

/* Reserves room up to size, so that writing there cannot run out of space. The file is that long afterwards. */
static inline int file_allocate(struct file *f, uint64_t size)
{
    return f->ops->allocate(f, size);
}

static inline int file_truncate(struct file *f, uint64_t size)
{
    return f->ops->truncate(f, size);
}

/* Gives the room of a range back; it reads as zeros afterwards, and the size stays. Whole blocks of 4 KiB are worth it. */
static inline int file_punch(struct file *f, uint64_t offset, uint64_t n)
{
    return f->ops->punch(f, offset, n);
}

static inline int64_t file_size(struct file *f)
{
    return f->ops->size(f);
}

#endif
