/* reader.c: see reader.h. */
#include "reader.h"

#include <stdlib.h>

#include "crc32c.h"
#include "fault.h"
#include "segment.h"
#include "thin.h"

enum { OPEN_FILES = 8, READ_MAX = 1 << 20 };

struct open_file {
    char name[SEGMENT_NAME];
    struct file *file;
    uint64_t used; /* when, in steps: the oldest makes room */
};

struct reader {
    struct reader_options o;
    pthread_mutex_t lock;  /* of the next two: the store thread takes the engine away when a COMMIT fails */
    struct engine *engine; /* NULL: opened at the next need */
    bool paused;
    struct open_file files[OPEN_FILES];
    uint64_t steps;
    struct thin *thin;     /* NULL: none is thinned out */
};

int reader_new(const struct reader_options *options, struct reader **ret)
{
    struct reader *r = calloc(1, sizeof *r);

    if (!r)
        return FL_ENOMEM;
    r->o = *options;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return FL_ENOMEM;
    }
    *ret = r;
    return 0;
}

static void close_files(struct reader *r)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        file_close(r->files[i].file);
        r->files[i] = (struct open_file){ 0 };
    }
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    close_files(r);
    thin_free(r->thin);
    engine_close(r->engine);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void reader_pause(void *reader)
{
    struct reader *r = reader;

    pthread_mutex_lock(&r->lock);
    engine_close(r->engine);
    r->engine = NULL;
    r->paused = true;
    pthread_mutex_unlock(&r->lock);
}

void reader_go_on(void *reader)
{
    struct reader *r = reader;

    pthread_mutex_lock(&r->lock);
    r->paused = false;
    pthread_mutex_unlock(&r->lock);
}

/* ---------------------------------------------------------------- bodies */

static int open_file(struct reader *r, const char *name, struct file **ret)
{
    struct open_file *oldest = &r->files[0];
    int rc;

    for (int i = 0; i < OPEN_FILES; i++) {
        struct open_file *f = &r->files[i];

        if (f->file && strcmp(f->name, name) == 0) {
            f->used = ++r->steps;
            *ret = f->file;
            return 0;
        }
        if (f->used < oldest->used)
            oldest = f;
    }
    file_close(oldest->file);
    *oldest = (struct open_file){ 0 };
    rc = disk_open_file(r->o.disk, name, FILE_READ, &oldest->file);
    if (rc < 0) {
        oldest->file = NULL;
        return rc;
    }
    memcpy(oldest->name, name, SEGMENT_NAME);
    oldest->used = ++r->steps;
    *ret = oldest->file;
    return 0;
}

/* One of the two parts of a body. */
struct part {
    char name[SEGMENT_NAME];
    uint64_t begin, length; /* within the body */
    uint64_t offset;        /* within the file */
    uint32_t crc;
};

/* Goes on with the sum while it is read in order; at the end of the part it must fit. */
static int check(struct body_check *c, const struct part *p, uint64_t at, const char *bytes, size_t n)
{
    if (at == p->begin) {
        c->next = at;
        c->crc = 0;
    }
    if (at != c->next)
        return 0;
    c->crc = crc32c(c->crc, bytes, n);
    c->next += n;
    return c->next == p->begin + p->length && c->crc != p->crc && !FAULT(body_unchecked) ? FL_ECORRUPT : 0;
}

/* Adds to what was read what of [at, at + n) lies in this part. */
static int read_part(struct reader *r, struct op *op, const struct part *p, size_t *done)
{
    uint64_t at = op->read.offset + *done, end = p->begin + p->length;
    size_t n = op->read.n - *done;
    struct file *f;
    int64_t got;
    int rc;

    if (n == 0 || at < p->begin || at >= end)
        return 0;
    if (n > end - at)
        n = (size_t)(end - at);
    rc = open_file(r, p->name, &f);
    if (rc < 0)
        return rc == FL_ENOENT ? FL_EIO : rc;
    got = file_read(f, op->read.bytes + *done, n, p->offset + (at - p->begin));
    if (got < 0)
        return (int)got;
    if ((size_t)got < n)
        return FL_ECORRUPT; /* the file ends before the body */
    rc = check(body_check(op->read.body), p, at, op->read.bytes + *done, n);
    *done += n;
    return rc;
}

static int read_body(struct reader *r, struct op *op)
{
    const struct body_place *place = body_place(op->read.body);
    struct part parts[2] = {
        { .length = place->length, .offset = place->offset, .crc = place->crc },
        { .begin = place->length, .length = place->file_length, .crc = place->file_crc },
    };
    uint64_t length = place->length + place->file_length;
    size_t done = 0;
    int rc = 0;

    if (!place->segment)
        return FL_ENOENT;
    segment_name(place->segment, parts[0].name);
    segment_large_name(&place->file, parts[1].name);
    if (op->read.n > READ_MAX)
        op->read.n = READ_MAX;
    if (op->read.offset >= length)
        op->read.n = 0;
    else if (op->read.n > length - op->read.offset)
        op->read.n = (size_t)(length - op->read.offset);
    op->read.bytes = malloc(op->read.n ? op->read.n : 1);
    if (!op->read.bytes)
        return FL_ENOMEM;
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = read_part(r, op, &parts[i], &done);
    return rc;
}

static void discard(struct reader *r, const struct op *op)
{
    const char *name = op->discard.name.p;

    for (int i = 0; i < OPEN_FILES; i++)
        if (r->files[i].file && strcmp(r->files[i].name, name) == 0) {
            file_close(r->files[i].file);
            r->files[i] = (struct open_file){ 0 };
        }
    if (r->thin)
        thin_forget(r->thin, name);
    if (!op->discard.keep || disk_rename(r->o.disk, name, SEGMENT_SPARE) < 0)
        disk_unlink(r->o.disk, name); /* what cannot be removed now is met again at the next start */
}

/* ---------------------------------------------------------------- listings, and old segments */

static int find_op(struct reader *r, void *op)
{
    return engine_find(r->engine, op);
}

static int thin_on(struct reader *r, void *none)
{
    return thin_step(r->thin, r->engine);
}

/* Does something with the connection, while nobody takes it away. */
static int with_engine(struct reader *r, int (*what)(struct reader *r, void *arg), void *arg)
{
    struct engine_options eo = { .path = r->o.path, .vfs = r->o.vfs, .budget = r->o.budget };
    int rc;

    pthread_mutex_lock(&r->lock);
    rc = r->paused ? FL_EIO : 0;
    if (rc == 0 && !r->engine)
        rc = engine_open(&eo, &r->engine, NULL);
    if (rc == 0)
        rc = what(r, arg);
    if (rc < 0 && rc != FL_ENOMEM) { /* what it may have cached is not trusted */
        engine_close(r->engine);
        r->engine = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* A round that is under way goes on; the segments of a second one are named again another time. */
static void begin_thinning(struct reader *r, const struct op *op)
{
    if (!r->thin && thin_new(r->o.disk, op->thin.segments, op->thin.count, &r->thin) < 0)
        r->thin = NULL;
}

static void go_on_thinning(struct reader *r)
{
    struct log_line l;
    int rc = with_engine(r, thin_on, NULL);

    if (rc > 0)
        return;
    log_begin(&l, r->o.log, rc < 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "segments_thinned_out");
    log_int(&l, "bytes", thin_freed(r->thin));
    if (rc < 0)
        log_int(&l, "error", rc);
    log_end(&l);
    thin_free(r->thin);
    r->thin = NULL;
}

/* What the store thread asks for, and nobody waits for. False: it is another operation. */
static bool is_chore(struct reader *r, struct op *op)
{
    if (op->type == OP_DISCARD)
        discard(r, op);
    else if (op->type == OP_THIN)
        begin_thinning(r, op);
    else
        return false;
    op_free(op);
    return true;
}

bool reader_step(struct reader *r)
{
    struct op_list ops = STAILQ_HEAD_INITIALIZER(ops);
    struct op *op;

    mailbox_take(r->o.in, &ops);
    if (r->thin) {
        go_on_thinning(r);
    } else if (STAILQ_EMPTY(&ops)) {
        close_files(r);
        return false;
    }
    while ((op = STAILQ_FIRST(&ops))) {
        struct op_list one = STAILQ_HEAD_INITIALIZER(one);

        STAILQ_REMOVE_HEAD(&ops, link);
        if (is_chore(r, op))
            continue;
        op->rc = op->type == OP_READ ? read_body(r, op) : with_engine(r, find_op, op);
        STAILQ_INSERT_TAIL(&one, op, link);
        if (mailbox_post(r->o.out, &one, true))
            r->o.wake(r->o.wake_arg);
    }
    return true;
}
