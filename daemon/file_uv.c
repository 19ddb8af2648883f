/* file_uv.c: see file_uv.h. */
#include "file_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file_rotation.h"
#include "now_uv.h"

enum { FILE_MODE = 0640 };

/* What the pool works on while `working`; the loop does not touch it then. */
struct file_work {
    uv_work_t uv;
    struct buf lines;
    int fd;
    int64_t size, last_ms, now_ms;
    bool anew;
    int error; /* errno of a write that failed, or 0 */
};

struct file_writer {
    struct file_ports ports;
    struct file_rotation rotation;
    char *path;
    struct buf waiting;
    struct timer timer;
    struct file_work work;
    bool working, failing, closing;
    bool anew;       /* a new file was asked for */
    int64_t dropped; /* lines */
};

/* ---------------------------------------------------------------- on the pool */
/* Opens path and finds out how long and how old it is. 0 or -errno. */
static int open_file(const char *path, struct file_work *k)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        int e = errno;

        close(fd);
        return -e;
    }
    k->fd = fd;
    k->size = st.st_size;
    k->last_ms = (int64_t)st.st_mtim.tv_sec * SECOND_MS;
    return 0;
}

/* Somebody else moved the file away, or removed it. */
static bool is_moved(const struct file_writer *w)
{
    struct stat named, open;

    if (fstat(w->work.fd, &open) < 0)
        return false;
    return lstat(w->path, &named) < 0 || named.st_dev != open.st_dev || named.st_ino != open.st_ino;
}

static bool is_due(const struct file_writer *w)
{
    const struct file_work *k = &w->work;

    return (k->anew && k->size > 0) || file_rotation_is_due(&w->rotation, k->size, k->last_ms, k->now_ms);
}

/* When the new file cannot be opened, the old one goes on under its new name. */
static bool open_anew(struct file_writer *w)
{
    int old = w->work.fd;

    if (open_file(w->path, &w->work) < 0)
        return false;
    close(old);
    return true;
}

static bool rotate(struct file_writer *w)
{
    return file_rotate(w->path, &w->rotation, w->work.now_ms) == 0 && open_anew(w);
}

/* The whole lines that the file has room for; none: a new file is due. A line that is longer than a file may be goes into one
 * of its own. */
static struct slice that_fit(const struct file_writer *w)
{
    const struct file_work *k = &w->work;
    struct slice all = buf_slice(&k->lines);
    int64_t room = w->rotation.size - k->size;
    size_t n = 0, line;

    if (w->rotation.size == 0 || (int64_t)all.n <= room)
        return all;
    while (n < all.n) {
        line = slice_find(slice_skip(all, n), '\n');
        if ((int64_t)(n + line + 1) > room && (n > 0 || k->size > 0))
            break;
        n = n + line + 1 < all.n ? n + line + 1 : all.n;
    }
    return slice_head(all, n);
}

static void write_lines(struct file_writer *w)
{
    struct file_work *k = &w->work;

    while (buf_len(&k->lines) > 0) {
        struct slice s = that_fit(w);
        ssize_t n;

        if (s.n == 0 && rotate(w))
            continue;
        if (s.n == 0)
            s = buf_slice(&k->lines);
        n = write(k->fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            k->error = errno;
            return;
        }
        buf_consume(&k->lines, (size_t)n);
        k->size += n;
        k->last_ms = k->now_ms;
    }
}

static void work_run(uv_work_t *work)
{
    struct file_writer *w = work->data;

    w->work.error = 0;
    if (w->work.anew && is_moved(w))
        open_anew(w);
    else if (is_due(w))
        rotate(w);
    write_lines(w);
}

/* ---------------------------------------------------------------- on the loop */
static void set_timer(struct file_writer *w, int64_t ms)
{
    timer_set(w->ports.timers, &w->timer, w->ports.now->mono_ms + ms);
}

static void file_writer_free(struct file_writer *w)
{
    timer_stop(w->ports.timers, &w->timer);
    close(w->work.fd);
    buf_free(&w->work.lines);
    buf_free(&w->waiting);
    free(w->path);
    free(w);
}

static void report(struct file_writer *w)
{
    struct log_line l;

    if (w->work.error && !w->failing) {
        log_begin(&l, w->ports.log, LOG_LEVEL_ERROR, "file_failed");
        log_text(&l, "file", w->path);
        log_text(&l, "error", strerror(w->work.error));
        log_end(&l);
    } else if (!w->work.error && w->failing) {
        log_begin(&l, w->ports.log, LOG_LEVEL_WARNING, "file_works_again");
        log_text(&l, "file", w->path);
        log_int(&l, "lines_lost", w->dropped);
        log_end(&l);
        w->dropped = 0;
    }
    w->failing = w->work.error != 0;
}

static void work_done(uv_work_t *work, int status);

/* Hands what waits to the pool, unless it is busy: then work_done does. What a failed write left is tried first. */
static void start(struct file_writer *w)
{
    struct buf empty = w->work.lines;

    if (w->working)
        return;
    if (buf_len(&w->work.lines) == 0) {
        buf_clear(&empty);
        w->work.lines = w->waiting;
        w->waiting = empty;
    }
    if (buf_len(&w->work.lines) == 0 && !w->anew)
        return;
    timer_stop(w->ports.timers, &w->timer);
    w->work.now_ms = w->ports.now->wall_ms;
    w->work.anew = w->anew;
    w->anew = false;
    w->work.uv.data = w;
    w->working = uv_queue_work(w->ports.uv, &w->work.uv, work_run, work_done) == 0;
}

static void work_done(uv_work_t *work, int status)
{
    struct file_writer *w = work->data;

    now_refresh(w->ports.uv);
    w->working = false;
    report(w);
    if (w->closing && (w->work.error || buf_len(&w->waiting) == 0)) {
        file_writer_free(w);
        return;
    }
    if (w->work.error)
        set_timer(w, FILE_RETRY_MS);
    else if (w->closing || w->anew || buf_len(&w->waiting) >= FILE_FLUSH_BYTES)
        start(w);
    else if (buf_len(&w->waiting) > 0)
        set_timer(w, FILE_FLUSH_MS);
}

static void on_timer(void *arg)
{
    start(arg);
}

int file_writer_open(const struct file_ports *ports, const struct file_options *options, struct file_writer **ret,
                     struct fl_err *err)
{
    struct file_writer *w = calloc(1, sizeof *w);
    int rc;

    if (w)
        w->path = strdup(options->path);
    if (!w || !w->path) {
        free(w);
        return fl_fail(err, FL_ENOMEM, "%s: out of memory", options->path);
    }
    rc = open_file(w->path, &w->work);
    if (rc < 0) {
        free(w->path);
        free(w);
        return fl_fail(err, fl_code_of_errno(-rc), "%s: cannot be opened: %s", options->path, strerror(-rc));
    }
    w->ports = *ports;
    w->rotation = (struct file_rotation){ options->rotate_size, options->rotate_every_ms, options->keep };
    buf_init(&w->waiting, FILE_QUEUE_MAX);
    buf_init(&w->work.lines, FILE_QUEUE_MAX);
    timer_init(&w->timer, on_timer, w);
    *ret = w;
    return 0;
}

void file_writer_add(struct file_writer *w, struct slice lines)
{
    bool was_empty = buf_len(&w->waiting) == 0;

    if (buf_add(&w->waiting, lines) < 0) {
        w->dropped++;
        return;
    }
    if (w->working || w->failing)
        return;
    if (buf_len(&w->waiting) >= FILE_FLUSH_BYTES)
        start(w);
    else if (was_empty)
        set_timer(w, FILE_FLUSH_MS);
}

void file_writer_begin_anew(struct file_writer *w)
{
    w->anew = true;
    start(w);
}

void file_writer_close(struct file_writer *w)
{
    w->closing = true;
    start(w);
    if (!w->working)
        file_writer_free(w);
}
