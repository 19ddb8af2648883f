/* thin.c: see thin.h. */
#include "thin.h"

#include <stdlib.h>

#include "segment.h"

enum {
    BLOCK = 4096,     /* file systems free whole ones */
    LEAST_BLOCKS = 4, /* a shorter run is not worth a call */
    ROWS_A_STEP = 1000,
};

struct victim {
    uint64_t id;
    struct file *file; /* NULL: it is not there any more */
    uint64_t blocks;
    uint8_t *alive;    /* a bit for each block */
};

struct thin {
    struct disk *disk;
    struct victim victims[THIN_SEGMENTS];
    int count, next;   /* next: to be thinned out, once all rows were read */
    enum engine_bodies table;
    struct ulid after; /* in that table */
    bool rows_read;
    int64_t freed;
};

void thin_free(struct thin *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->count; i++) {
        file_close(t->victims[i].file);
        free(t->victims[i].alive);
    }
    free(t);
}

static int open_victim(struct thin *t, struct victim *v)
{
    char name[SEGMENT_NAME];
    int64_t size;
    int rc;

    segment_name(v->id, name);
    rc = disk_open_file(t->disk, name, FILE_WRITE, &v->file);
    if (rc < 0) {
        v->file = NULL;
        return rc == FL_ENOMEM ? rc : 0; /* it died since */
    }
    size = file_size(v->file);
    v->blocks = size > 0 ? (uint64_t)size / BLOCK : 0;
    v->alive = calloc(v->blocks / 8 + 1, 1);
    return v->alive ? 0 : FL_ENOMEM;
}

int thin_new(struct disk *disk, const uint64_t *segments, int count, struct thin **ret)
{
    struct thin *t = calloc(1, sizeof *t);
    int rc = t ? 0 : FL_ENOMEM;

    if (t)
        t->disk = disk;
    for (int i = 0; i < count && i < THIN_SEGMENTS && rc == 0; i++) {
        struct victim *v = &t->victims[t->count++];

        v->id = segments[i];
        rc = open_victim(t, v);
    }
    if (rc < 0) {
        thin_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void thin_forget(struct thin *t, const char *name)
{
    uint64_t id;
    struct ulid file;

    if (!segment_parse_name(name, &id, &file))
        return;
    for (int i = 0; i < t->count; i++)
        if (t->victims[i].id == id && t->victims[i].file) {
            file_close(t->victims[i].file);
            t->victims[i].file = NULL;
        }
}

static bool is_alive(const struct victim *v, uint64_t block)
{
    return v->alive[block / 8] >> (block % 8) & 1;
}

static int mark(void *arg, const struct ulid *message, const struct body_place *p)
{
    struct thin *t = arg;

    t->after = *message;
    for (int i = 0; i < t->count; i++) {
        struct victim *v = &t->victims[i];

        if (v->id != p->segment || p->length == 0)
            continue;
        for (uint64_t b = p->offset / BLOCK; b <= (p->offset + p->length - 1) / BLOCK && b < v->blocks; b++)
            v->alive[b / 8] |= (uint8_t)(1 << b % 8);
    }
    return 0;
}

static int read_rows(struct thin *t, struct engine *e)
{
    int rows = engine_bodies(e, t->table, &t->after, ROWS_A_STEP, mark, t);

    if (rows < 0 || rows == ROWS_A_STEP)
        return rows < 0 ? rows : 1;
    t->after = (struct ulid){ 0 };
    if (t->table == BODIES_FRESH)
        t->table = BODIES_PARKED;
    else
        t->rows_read = true;
    return 1;
}

static int punch_all(struct thin *t, struct victim *v)
{
    uint64_t from = 0;

    for (uint64_t b = 0; b <= v->blocks; b++) {
        if (b < v->blocks && !is_alive(v, b))
            continue;
        if (b - from >= LEAST_BLOCKS) {
            int rc = file_punch(v->file, from * BLOCK, (b - from) * BLOCK);

            if (rc < 0)
                return rc;
            t->freed += (int64_t)((b - from) * BLOCK);
        }
        from = b + 1;
    }
    return 0;
}

int thin_step(struct thin *t, struct engine *e)
{
    int rc = 0;

    if (!t->rows_read)
        return read_rows(t, e);
    if (t->next < t->count && t->victims[t->next].file)
        rc = punch_all(t, &t->victims[t->next]);
    t->next++;
    return rc < 0 ? rc : t->next < t->count;
}

int64_t thin_freed(const struct thin *t)
{
    return t->freed;
}
