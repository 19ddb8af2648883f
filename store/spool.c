/* spool.c: see spool.h. */
#include "spool.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "crc32c.h"
#include "fault.h"
#include "segment.h"

enum { WAITING_LOW = 1 << 20 };

struct chunk {
    STAILQ_ENTRY(chunk) link;
    size_t n;
    char bytes[];
};

STAILQ_HEAD(chunks, chunk);

struct store_spool {
    LIST_ENTRY(store_spool) link;
    struct spools *owner;
    struct ulid id;
    struct op *end;              /* made at the beginning, so that ending it needs no memory */
    void (*written)(void *arg);  /* loop only */
    void *written_arg;
    pthread_mutex_t lock;        /* of the next three */
    struct chunks chunks;
    bool posted;                 /* an OP_SPOOL_WRITE is on its way, and takes all chunks */
    _Atomic int64_t waiting;     /* bytes in chunks */
    /* the thread's */
    struct file *file;
    uint64_t length;
    uint32_t crc;
    int rc;                      /* the first error; what follows is dropped */
};

struct spools {
    struct spools_options o;
    struct rand rand;
    struct ulid_source ids;
    LIST_HEAD(, store_spool) all; /* loop only */
};

int spools_new(const struct spools_options *options, struct spools **ret)
{
    struct spools *s = calloc(1, sizeof *s);

    if (!s)
        return FL_ENOMEM;
    s->o = *options;
    rand_seed(&s->rand, options->seed);
    s->ids.rand = &s->rand;
    LIST_INIT(&s->all);
    *ret = s;
    return 0;
}

static void post(struct spools *s, struct op *op)
{
    struct op_list one = STAILQ_HEAD_INITIALIZER(one);

    STAILQ_INSERT_TAIL(&one, op, link);
    mailbox_post(s->o.in, &one, true);
}

/* ---------------------------------------------------------------- the loop's side */

int spools_open(struct spools *s, int64_t wall_ms, struct store_spool **ret)
{
    struct store_spool *sp = calloc(1, sizeof *sp);
    struct op *end = sp ? op_new(OP_SPOOL_DROP, 0) : NULL;

    if (!end || pthread_mutex_init(&sp->lock, NULL) != 0) {
        free(end);
        free(sp);
        return FL_ENOMEM;
    }
    sp->owner = s;
    sp->end = end;
    end->spool.spool = sp;
    sp->id = ulid_next(&s->ids, wall_ms);
    STAILQ_INIT(&sp->chunks);
    LIST_INSERT_HEAD(&s->all, sp, link);
    *ret = sp;
    return 0;
}

int store_spool_add(struct store_spool *sp, struct slice bytes)
{
    struct chunk *c = malloc(sizeof *c + bytes.n);
    struct op *op = NULL;

    if (!c)
        return FL_ENOMEM;
    c->n = bytes.n;
    if (bytes.n)
        memcpy(c->bytes, bytes.p, bytes.n);
    pthread_mutex_lock(&sp->lock);
    if (!sp->posted) {
        op = op_new(OP_SPOOL_WRITE, 0);
        if (!op) {
            pthread_mutex_unlock(&sp->lock);
            free(c);
            return FL_ENOMEM;
        }
        op->spool.spool = sp;
        sp->posted = true;
    }
    STAILQ_INSERT_TAIL(&sp->chunks, c, link);
    pthread_mutex_unlock(&sp->lock);
    atomic_fetch_add(&sp->waiting, (int64_t)bytes.n);
    if (op)
        post(sp->owner, op);
    return 0;
}

int64_t store_spool_waiting(const struct store_spool *sp)
{
    return atomic_load(&sp->waiting);
}

void store_spool_on_written(struct store_spool *sp, void (*written)(void *arg), void *arg)
{
    sp->written = written;
    sp->written_arg = arg;
}

static void end_by(struct store_spool *sp, enum op_type type)
{
    struct op *op = sp->end;

    sp->end = NULL;
    sp->written = NULL;
    op->type = type;
    post(sp->owner, op);
}

void store_spool_finish(struct store_spool *sp, struct body *body, store_done *done, void *arg)
{
    sp->end->spool.body = body_ref(body);
    sp->end->done = done;
    sp->end->arg = arg;
    end_by(sp, OP_SPOOL_FINISH);
}

void store_spool_abort(struct store_spool *sp)
{
    if (sp)
        end_by(sp, OP_SPOOL_DROP);
}

int spools_drop(struct spools *s, const struct ulid *file)
{
    struct op *op = op_new(OP_SPOOL_DROP, 0);

    if (!op)
        return FL_ENOMEM;
    op->spool.file = *file;
    post(s, op);
    return 0;
}

static void spool_free(struct store_spool *sp)
{
    struct chunk *c;

    while ((c = STAILQ_FIRST(&sp->chunks))) {
        STAILQ_REMOVE_HEAD(&sp->chunks, link);
        free(c);
    }
    LIST_REMOVE(sp, link);
    file_close(sp->file);
    pthread_mutex_destroy(&sp->lock);
    free(sp->end);
    free(sp);
}

void spools_free(struct spools *s)
{
    struct store_spool *sp;

    if (!s)
        return;
    while ((sp = LIST_FIRST(&s->all)))
        spool_free(sp);
    free(s);
}

void spools_answer(struct spools *s, struct op *op)
{
    struct store_spool *sp = op->spool.spool;

    if (op->type == OP_SPOOL_WRITE) {
        if (sp->written && store_spool_waiting(sp) <= WAITING_LOW)
            sp->written(sp->written_arg);
        return;
    }
    if (op->type == OP_SPOOL_FINISH) {
        if (op->rc == 0)
            body_set_file(op->spool.body, &sp->id, sp->length, sp->crc);
        if (op->done)
            op->done(op->arg, op->rc);
    }
    if (sp)
        spool_free(sp);
}

/* ---------------------------------------------------------------- the thread's side */

static void write_chunk(struct store_spool *sp, const struct chunk *c)
{
    struct iovec piece = { .iov_base = (char *)c->bytes, .iov_len = c->n };

    if (sp->rc == 0 && !sp->file) {
        char name[SEGMENT_NAME];

        segment_large_name(&sp->id, name);
        sp->rc = disk_open_file(sp->owner->o.disk, name, FILE_CREATE, &sp->file);
    }
    if (sp->rc == 0)
        sp->rc = file_writev(sp->file, &piece, 1, sp->length);
    if (sp->rc == 0) {
        sp->crc = crc32c(sp->crc, c->bytes, c->n);
        sp->length += c->n;
    }
}

static void write_chunks(struct store_spool *sp)
{
    for (;;) {
        struct chunk *c;

        pthread_mutex_lock(&sp->lock);
        c = STAILQ_FIRST(&sp->chunks);
        if (c)
            STAILQ_REMOVE_HEAD(&sp->chunks, link);
        else
            sp->posted = false;
        pthread_mutex_unlock(&sp->lock);
        if (!c)
            return;
        write_chunk(sp, c);
        atomic_fetch_sub(&sp->waiting, (int64_t)c->n);
        free(c);
    }
}

static void drop(struct spools *s, const struct ulid *id)
{
    char name[SEGMENT_NAME];

    segment_large_name(id, name);
    disk_unlink(s->o.disk, name); /* what is left behind now is removed by the next start */
}

static int finish(struct spools *s, struct store_spool *sp)
{
    struct chunk *empty;

    write_chunks(sp);
    if (sp->rc == 0 && !sp->file) { /* nothing was ever added */
        empty = calloc(1, sizeof *empty);
        if (!empty)
            return FL_ENOMEM;
        write_chunk(sp, empty);
        free(empty);
    }
    if (sp->rc == 0 && !FAULT(large_not_synced))
        sp->rc = file_sync(sp->file);
    if (sp->rc == 0)
        sp->rc = disk_sync(s->o.disk);
    file_close(sp->file);
    sp->file = NULL;
    if (sp->rc < 0)
        drop(s, &sp->id);
    return sp->rc;
}

static void carry_out(struct spools *s, struct op *op)
{
    struct store_spool *sp = op->spool.spool;

    switch (op->type) {
    case OP_SPOOL_WRITE:
        write_chunks(sp);
        break;
    case OP_SPOOL_FINISH:
        op->rc = finish(s, sp);
        break;
    default:
        if (sp) {
            file_close(sp->file);
            sp->file = NULL;
        }
        if (!FAULT(large_left_behind))
            drop(s, sp ? &sp->id : &op->spool.file);
        break;
    }
}

bool spools_step(struct spools *s)
{
    struct op_list ops = STAILQ_HEAD_INITIALIZER(ops);
    struct op *op;

    mailbox_take(s->o.in, &ops);
    if (STAILQ_EMPTY(&ops))
        return false;
    while ((op = STAILQ_FIRST(&ops))) {
        struct op_list one = STAILQ_HEAD_INITIALIZER(one);

        STAILQ_REMOVE_HEAD(&ops, link);
        carry_out(s, op);
        STAILQ_INSERT_TAIL(&one, op, link);
        if (mailbox_post(s->o.out, &one, true))
            s->o.wake(s->o.wake_arg);
    }
    return true;
}
