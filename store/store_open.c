/* store_open.c: a store is put together, its threads run, and it is taken apart. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "store_parts.h"

enum {
    LINGER_MS = 2,        /* completions alone wait so long for an accept to ride along with */
    READER_IDLE_MS = 1000,
    BALLAST_BYTES = 256 << 10,
    RESERVE_BYTES = 8 << 20,
    THIN_US = 600 * 1000000,
    CHECKPOINT_FRAMES = 1000, /* 15 ms at most, measured; 44 ms at 4,096 */
};

static const char DATABASE[] = "fairlead.db", LOCK_NAME[] = "fairlead.lock";

static void *run_writer(void *arg)
{
    struct store *s = arg;
    bool more = true;

    while (more) {
        more = mailbox_wait(&s->to_writer, writer_wait_ms(s->writer), LINGER_MS);
        while (writer_step(s->writer))
            ;
    }
    return NULL;
}

static void *run_reader(void *arg)
{
    struct store *s = arg;
    bool more = true;

    while (more) {
        bool busy = reader_step(s->reader);

        more = mailbox_wait(&s->to_reader, busy ? 0 : READER_IDLE_MS, 0);
    }
    return NULL;
}

static void *run_spools(void *arg)
{
    struct store *s = arg;

    while (mailbox_wait(&s->to_spools, -1, 0))
        spools_step(s->spools);
    return NULL;
}

static bool start(pthread_t *thread, void *(*run)(void *), struct store *s)
{
    return pthread_create(thread, NULL, run, s) == 0;
}

static int start_threads(struct store *s, struct fl_err *err)
{
    s->writer_runs = start(&s->writer_thread, run_writer, s);
    s->reader_runs = start(&s->reader_thread, run_reader, s);
    s->spool_runs = start(&s->spool_thread, run_spools, s);
    if (s->writer_runs && s->reader_runs && s->spool_runs)
        return 0;
    return fl_fail(err, FL_ENOMEM, "store: its threads cannot be started");
}

static int open_mailboxes(struct store *s)
{
    struct mailbox *const all[] = { &s->to_writer, &s->to_reader, &s->to_spools, &s->answers };
    int count = sizeof all / sizeof *all;

    while (s->mailboxes < count) {
        int rc = mailbox_init(all[s->mailboxes]);

        if (rc < 0)
            return rc;
        s->mailboxes++;
    }
    return 0;
}

static int open_reader_and_spools(struct store *s, const struct store_parts *p)
{
    struct reader_options ro = {
        .disk = p->disk,
        .path = p->path,
        .vfs = p->vfs,
        .budget = s->o.budget,
        .log = s->o.log,
        .in = &s->to_reader,
        .out = &s->answers,
        .wake = s->o.wake,
        .wake_arg = s->o.wake_arg,
    };
    struct spools_options so = {
        .disk = p->disk,
        .in = &s->to_spools,
        .out = &s->answers,
        .wake = s->o.wake,
        .wake_arg = s->o.wake_arg,
        .seed = p->seed,
    };
    int rc = reader_new(&ro, &s->reader);

    return rc < 0 ? rc : spools_new(&so, &s->spools);
}

/* The store thread. To remove a large file takes long on some file systems, and whoever reads from it has to let go first. */
static void discard(void *arg, const char *name, bool is_segment)
{
    struct store *s = arg;
    size_t n = strlen(name) + 1;
    struct op *op = op_new(OP_DISCARD, n);
    struct op_list one = STAILQ_HEAD_INITIALIZER(one);

    if (!op)
        return; /* the next start finds that no row speaks of it */
    op->discard.name = op_keep(op, slice_make(name, n));
    op->discard.keep = is_segment;
    STAILQ_INSERT_TAIL(&one, op, link);
    mailbox_post(&s->to_reader, &one, true);
}

static void thin_out(void *arg, const uint64_t *segments, int count)
{
    struct store *s = arg;
    size_t n = (size_t)count * sizeof *segments;
    struct op *op = op_new(OP_THIN, n + alignof(uint64_t));
    struct op_list one = STAILQ_HEAD_INITIALIZER(one);

    if (!op)
        return;
    op->thin.segments = op_keep_bytes(op, segments, n, alignof(uint64_t));
    op->thin.count = count;
    STAILQ_INSERT_TAIL(&one, op, link);
    mailbox_post(&s->to_reader, &one, true);
}

static int open_writer(struct store *s, const struct store_parts *p, struct fl_err *err)
{
    struct writer_options wo = {
        .disk = p->disk,
        .path = p->path,
        .vfs = p->vfs,
        .budget = s->o.budget,
        .log = s->o.log,
        .segment_bytes = p->segment_bytes,
        .checkpoint_frames = p->checkpoint_frames,
        .reserve_bytes = p->reserve_bytes,
        .group_max_messages = s->o.group_max_messages,
        .group_max_bytes = s->o.group_max_bytes,
        .min_free_space = s->o.min_free_space,
        .in = &s->to_writer,
        .out = &s->answers,
        .figures = &s->figures,
        .health = &s->health,
        .wall_ms = s->o.wall_ms,
        .wall_arg = s->o.wall_arg,
        .mono_us = p->mono_us,
        .mono_arg = p->mono_arg,
        .discard = discard,
        .thin_out = thin_out,
        .discard_arg = s,
        .thin_us = p->thin_us,
        .reader_pause = reader_pause,
        .reader_go_on = reader_go_on,
        .reader_arg = s->reader,
        .wake = s->o.wake,
        .wake_arg = s->o.wake_arg,
    };
    int rc = writer_open(&wo, &s->writer, err);

    return rc < 0 ? rc : writer_recover(s->writer, s->o.max_fresh_at_start, &s->recovered, err);
}

static int open_parts(struct store *s, const struct store_parts *p, struct fl_err *err)
{
    int rc = open_mailboxes(s);

    s->ballast = malloc(BALLAST_BYTES);
    if (rc == 0)
        rc = open_reader_and_spools(s, p);
    if (rc < 0 || !s->ballast)
        return fl_fail(err, FL_ENOMEM, "store: out of memory");
    rc = open_writer(s, p, err);
    return rc == 0 && p->threads ? start_threads(s, err) : rc;
}

static struct store *store_new(const struct store_options *options)
{
    struct store *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->o = *options;
    STAILQ_INIT(&s->outbox);
    return s;
}

int store_open_on(const struct store_options *options, const struct store_parts *parts, struct store **ret, struct fl_err *err)
{
    struct store *s = store_new(options);
    int rc;

    if (!s)
        return fl_fail(err, FL_ENOMEM, "store: out of memory");
    rc = open_parts(s, parts, err);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static int64_t monotonic_us(void *arg)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Only one process may have it: two would each deliver everything. */
static int lock(struct store *s, struct fl_err *err)
{
    int pid, rc = disk_lock(s->disk, LOCK_NAME, &pid);

    if (rc == FL_EBUSY && pid > 0)
        return fl_fail(err, rc, "%s: in use by another Fairlead, process %d", s->o.data_dir, pid);
    if (rc == FL_EBUSY)
        return fl_fail(err, rc, "%s: in use by another Fairlead", s->o.data_dir);
    return rc < 0 ? fl_fail(err, rc, "%s/%s: cannot be locked", s->o.data_dir, LOCK_NAME) : 0;
}

int store_open(const struct store_options *options, struct store **ret, struct fl_err *err)
{
    struct store *s = store_new(options);
    struct store_parts p = {
        .segment_bytes = SEGMENT_BYTES,
        .checkpoint_frames = CHECKPOINT_FRAMES,
        .reserve_bytes = RESERVE_BYTES,
        .thin_us = THIN_US,
        .mono_us = monotonic_us,
        .threads = true,
    };
    int rc;

    if (!s)
        return fl_fail(err, FL_ENOMEM, "store: out of memory");
    rc = disk_open_posix(options->data_dir, &s->disk, err);
    if (rc == 0)
        rc = lock(s, err);
    if (rc == 0 && asprintf(&s->path, "%s/%s", options->data_dir, DATABASE) < 0) {
        s->path = NULL;
        rc = fl_fail(err, FL_ENOMEM, "store: out of memory");
    }
    if (rc == 0 && getrandom(&p.seed, sizeof p.seed, 0) != sizeof p.seed)
        rc = fl_fail(err, FL_EIO, "store: the system has no random numbers");
    if (rc == 0) {
        p.disk = s->disk;
        p.path = s->path;
        rc = open_parts(s, &p, err);
    }
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static void stop(pthread_t thread, bool runs, struct mailbox *m)
{
    if (!runs)
        return;
    mailbox_close(m);
    pthread_join(thread, NULL);
}

static void free_mailboxes(struct store *s)
{
    struct mailbox *const all[] = { &s->to_writer, &s->to_reader, &s->to_spools, &s->answers };

    for (int i = 0; i < s->mailboxes; i++)
        mailbox_free(all[i]);
}

void store_close(struct store *s)
{
    struct op *op;

    if (!s)
        return;
    if (s->writer)
        store_flush(s);
    stop(s->reader_thread, s->reader_runs, &s->to_reader);
    stop(s->spool_thread, s->spool_runs, &s->to_spools);
    stop(s->writer_thread, s->writer_runs, &s->to_writer);
    while (s->writer && !s->writer_runs && writer_step(s->writer))
        ;
    while ((op = STAILQ_FIRST(&s->outbox))) {
        STAILQ_REMOVE_HEAD(&s->outbox, link);
        op_free(op);
    }
    free_mailboxes(s);
    spools_free(s->spools);
    recovered_free(s->recovered);
    reader_free(s->reader);
    writer_free(s->writer); /* last: its connection empties the log */
    disk_close(s->disk);
    free(s->path);
    free(s->ballast);
    free(s);
}
