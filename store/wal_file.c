/* wal_file.c: see wal_file.h. */
#include "wal_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { PIECE = 64 << 10 };

/* FL_ENOENT when there is none. */
static int open_log(struct disk *disk, const char *path, struct file **ret)
{
    const char *slash = strrchr(path, '/');
    char *name;
    int rc;

    if (asprintf(&name, "%s-wal", slash ? slash + 1 : path) < 0)
        return FL_ENOMEM;
    rc = disk_open_file(disk, name, FILE_WRITE, ret);
    free(name);
    return rc;
}

static int write_again(struct file *f)
{
    char *piece = malloc(PIECE);
    uint64_t offset = 0;
    int64_t n;
    int rc = 0;

    if (!piece)
        return FL_ENOMEM;
    while (rc == 0 && (n = file_read(f, piece, PIECE, offset)) != 0) {
        struct iovec v = { .iov_base = piece, .iov_len = n > 0 ? (size_t)n : 0 };

        rc = n < 0 ? (int)n : file_writev(f, &v, 1, offset);
        offset += v.iov_len;
    }
    free(piece);
    return rc;
}

int wal_file_harden(struct disk *disk, const char *path)
{
    struct file *f;
    int rc = open_log(disk, path, &f);

    if (rc < 0)
        return rc == FL_ENOENT ? 0 : rc;
    rc = write_again(f);
    if (rc == 0)
        rc = file_sync(f);
    file_close(f);
    return rc;
}

int wal_file_sync(struct disk *disk, const char *path)
{
    struct file *f;
    int rc = open_log(disk, path, &f);

    if (rc < 0)
        return rc == FL_ENOENT ? 0 : rc;
    rc = file_sync(f);
    file_close(f);
    return rc;
}
