/* file_uv.h: files that lines are added to, off the loop: accounting. Lines gather in memory and are written by libuv's pool,
 * one write at a time, at most FILE_FLUSH_MS later; the pool also rotates the file and removes old ones. Loop thread.
 * A file is opened O_APPEND, so each write lands whole behind what others added. Rotated files are FILE.<time>. */
#ifndef FL_FILE_UV_H
#define FL_FILE_UV_H

#include <uv.h>

#include "clock.h"
#include "err.h"
#include "log.h"
#include "slice.h"
#include "timer.h"

enum {
    FILE_FLUSH_MS = 200,
    FILE_FLUSH_BYTES = 256 << 10, /* written at once */
    FILE_QUEUE_MAX = 64 << 20,    /* while the disk does not take them: lines above this are dropped, counted and reported */
    FILE_RETRY_MS = 1000,         /* after a write that failed */
};

struct file_options {
    const char *path;
    int64_t rotate_size;     /* bytes; 0: not by size */
    int64_t rotate_every_ms; /* each such span of UTC has a file of its own (24h: midnight); 0: not by time */
    int64_t keep;            /* rotated files; 0: all */
};

struct file_ports { /* borrowed */
    uv_loop_t *uv;
    struct timers *timers;
    const struct now *now;
    const struct log *log;
};

struct file_writer;

/* Opens or makes the file (mode 0640). Blocks for that. options are copied. FL_ENOMEM, FL_EIO and its like. */
int file_writer_open(const struct file_ports *ports, const struct file_options *options, struct file_writer **ret,
                     struct fl_err *err);
/* Adds bytes: whole lines, with their LF. Copied. Never blocks. */
void file_writer_add(struct file_writer *w, struct slice lines);
/* Begins a new file at once, whatever was written: the present one is rotated, or let go where somebody else moved it away. */
void file_writer_begin_anew(struct file_writer *w);
/* Writes what waits, in the background, and frees itself then: the loop must go on running. A disk that fails now loses the
 * rest. */
void file_writer_close(struct file_writer *w);

#endif
