/* file_rotation.h: when a file that grows gets a new one, and which of the old ones go.
 * The first part is pure; file_rotate touches the disk and belongs on a thread that may wait. Used by file_uv.c. */
#ifndef FL_FILE_ROTATION_H
#define FL_FILE_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

enum { FILE_ROTATED_MAX = 4096 }; /* looked at; those above it stay */

struct file_rotation {
    int64_t size;      /* bytes; 0: not by size */
    int64_t every_ms;  /* 0: not by time */
    int64_t keep;      /* 0: all */
};

/* Whether the next line belongs into a new file. has: bytes in the file; last_ms: when it was written last; both wall clock. */
bool file_rotation_is_due(const struct file_rotation *r, int64_t has, int64_t last_ms, int64_t now_ms);
/* Renames path to path.<time>, or the next time that is free, never over another file, and removes the oldest beyond keep. 0 or
 * -errno: the file stays. */
int file_rotate(const char *path, const struct file_rotation *r, int64_t now_ms);

#endif
