/* file_posix.c: see file.h. Names are relative to one open folder and never follow a symbolic link. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

struct posix_file {
    struct file file;
    int fd;
};

struct posix_disk {
    struct disk disk;
    int fd;
    int lock_fd; /* -1: not locked */
};

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, PID_TEXT = 32 };

static int fd_of(struct file *f)
{
    return ((struct posix_file *)f)->fd;
}

static int errno_code(void)
{
    return fl_code_of_errno(errno);
}

static void posix_close(struct file *f)
{
    close(fd_of(f));
    free(f);
}

static int64_t posix_read(struct file *f, void *p, size_t n, uint64_t offset)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = pread(fd_of(f), (char *)p + done, n - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno_code();
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

/* Writes one piece from `skip` on to its end. */
static int write_rest(int fd, const struct iovec *v, size_t skip, uint64_t offset)
{
    while (skip < v->iov_len) {
        ssize_t n = pwrite(fd, (const char *)v->iov_base + skip, v->iov_len - skip, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno_code() : FL_EIO;
        skip += (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int posix_writev(struct file *f, const struct iovec *v, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t n = pwritev(fd_of(f), v, count < IOV_MAX ? count : IOV_MAX, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_code();
        offset += (uint64_t)n;
        while (count > 0 && (size_t)n >= v->iov_len) {
            n -= (ssize_t)v->iov_len;
            v++;
            count--;
        }
        if (count > 0) { /* it ended inside a piece, or between two calls */
            int rc = write_rest(fd_of(f), v, (size_t)n, offset);

            if (rc < 0)
                return rc;
            offset += v->iov_len - (size_t)n;
            v++;
            count--;
        }
    }
    return 0;
}

static int posix_sync(struct file *f)
{
    return fdatasync(fd_of(f)) == 0 ? 0 : errno_code();
}

static int posix_allocate(struct file *f, uint64_t size)
{
    int rc = posix_fallocate(fd_of(f), 0, (off_t)size);

    return rc == 0 ? 0 : fl_code_of_errno(rc);
}

static int posix_truncate(struct file *f, uint64_t size)
{
    return ftruncate(fd_of(f), (off_t)size) == 0 ? 0 : errno_code();
}

static int posix_punch(struct file *f, uint64_t offset, uint64_t n)
{
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    return fallocate(fd_of(f), mode, (off_t)offset, (off_t)n) == 0 ? 0 : errno_code();
}

static int64_t posix_size(struct file *f)
{
    struct stat st;

    return fstat(fd_of(f), &st) == 0 ? (int64_t)st.st_size : errno_code();
}

static const struct file_ops posix_file_ops = {
    .close = posix_close,
    .read = posix_read,
    .writev = posix_writev,
    .sync = posix_sync,
    .allocate = posix_allocate,
    .truncate = posix_truncate,
    .punch = posix_punch,
    .size = posix_size,
};

static struct posix_disk *disk_of(struct disk *d)
{
    return (struct posix_disk *)d;
}

static void posix_disk_close(struct disk *d)
{
    if (disk_of(d)->lock_fd >= 0)
        close(disk_of(d)->lock_fd);
    close(disk_of(d)->fd);
    free(d);
}

static int posix_open(struct disk *d, const char *name, enum file_mode mode, struct file **ret)
{
    static const int flags[] = { [FILE_READ] = O_RDONLY, [FILE_WRITE] = O_RDWR, [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL };
    struct posix_file *f = malloc(sizeof *f);

    if (!f)
        return FL_ENOMEM;
    f->file.ops = &posix_file_ops;
    f->fd = openat(disk_of(d)->fd, name, flags[mode] | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (f->fd < 0) {
        free(f);
        return errno_code();
    }
    *ret = &f->file;
    return 0;
}

static int posix_unlink(struct disk *d, const char *name)
{
    return unlinkat(disk_of(d)->fd, name, 0) == 0 ? 0 : errno_code();
}

static int posix_rename(struct disk *d, const char *from, const char *to)
{
    return renameat(disk_of(d)->fd, from, disk_of(d)->fd, to) == 0 ? 0 : errno_code();
}

static int posix_disk_sync(struct disk *d)
{
    return fsync(disk_of(d)->fd) == 0 ? 0 : errno_code();
}

static int posix_list(struct disk *d, int (*each)(void *arg, const char *name), void *arg)
{
    int fd = openat(disk_of(d)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        rc = errno_code();
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            rc = each(arg, entry->d_name);
    closedir(dir);
    return rc;
}

static int64_t posix_free_space(struct disk *d)
{
    struct statvfs st;

    return fstatvfs(disk_of(d)->fd, &st) == 0 ? (int64_t)(st.f_bavail * st.f_frsize) : errno_code();
}

static int posix_lock(struct disk *d, const char *name, int *ret_pid)
{
    int fd = openat(disk_of(d)->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    char text[PID_TEXT] = "";
    int n;

    *ret_pid = 0;
    if (fd < 0)
        return errno_code();
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? FL_EBUSY : errno_code();

        if (pread(fd, text, sizeof text - 1, 0) > 0)
            *ret_pid = atoi(text);
        close(fd);
        return rc;
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0)
        *ret_pid = 0; /* a full disk: the lock holds without it, only the other's message is poorer */
    disk_of(d)->lock_fd = fd;
    return 0;
}

static const struct disk_ops posix_disk_ops = {
    .close = posix_disk_close,
    .open = posix_open,
    .unlink = posix_unlink,
    .rename = posix_rename,
    .sync = posix_disk_sync,
    .list = posix_list,
    .free_space = posix_free_space,
    .lock = posix_lock,
};

int disk_open_posix(const char *path, struct disk **ret, struct fl_err *err)
{
    struct posix_disk *d = malloc(sizeof *d);

    if (!d)
        return fl_fail(err, FL_ENOMEM, "%s: out of memory", path);
    if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST) {
        free(d);
        return fl_fail(err, errno_code(), "%s: cannot be made: %s", path, strerror(errno));
    }
    *d = (struct posix_disk){ .disk = { .ops = &posix_disk_ops }, .lock_fd = -1 };
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        free(d);
        return fl_fail(err, errno_code(), "%s: cannot be opened: %s", path, strerror(errno));
    }
    *ret = &d->disk;
    return 0;
}
