/* segment.c: see segment.h. */
#include "segment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "crc32c.h"
#include "fault.h"

static const char SEGMENT_PREFIX[] = "segment-", LARGE_PREFIX[] = "large-";

enum { SEGMENT_DIGITS = 16, PIECES_A_BODY = 16, LEAST_ROOM = 1 << 20, TAIL_PART = 64 /* more unused than this part of a file */, SPARSE_PART = 4 };

void segment_name(uint64_t id, char ret[SEGMENT_NAME])
{
    snprintf(ret, SEGMENT_NAME, "%s%016" PRIx64, SEGMENT_PREFIX, id);
}

void segment_large_name(const struct ulid *file, char ret[SEGMENT_NAME])
{
    char text[ULID_TEXT];

    ulid_text(file, text);
    snprintf(ret, SEGMENT_NAME, "%s%s", LARGE_PREFIX, text);
}

static bool parse_hex(struct slice digits, uint64_t *ret)
{
    uint64_t v = 0;

    if (digits.n != SEGMENT_DIGITS)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        const char *all = "0123456789abcdef", *at = digits.p[i] ? strchr(all, digits.p[i]) : NULL;

        if (!at)
            return false;
        v = v << 4 | (uint64_t)(at - all);
    }
    *ret = v;
    return v != 0;
}

bool segment_parse_name(const char *name, uint64_t *ret_id, struct ulid *ret_file)
{
    *ret_id = 0;
    *ret_file = (struct ulid){ 0 };
    if (strncmp(name, SEGMENT_PREFIX, sizeof SEGMENT_PREFIX - 1) == 0)
        return parse_hex(slice_of(name + sizeof SEGMENT_PREFIX - 1), ret_id);
    if (strncmp(name, LARGE_PREFIX, sizeof LARGE_PREFIX - 1) == 0)
        return ulid_parse(slice_of(name + sizeof LARGE_PREFIX - 1), ret_file);
    return false;
}

struct segment {
    uint64_t id;
    int64_t live; /* messages, as committed */
    int64_t most; /* that it ever held, or what was left when it was called sparse */
    bool old;     /* it was sealed when sparse ones were asked for before */
    UT_hash_handle hh;
};

struct segments {
    struct disk *disk;
    uint64_t size;       /* of a new file */
    struct segment *all; /* by number */
    uint64_t next;       /* number of the next file */
    /* the one that is written */
    struct file *file;   /* NULL: the next run begins one */
    uint64_t id, used, room;
    bool dirty;          /* written to since the last sync */
    bool nameless;       /* its name was not synced yet */
    bool some_idle;      /* one was sealed while empty */
    int64_t written;
    struct iovec *pieces;
    int pieces_room;
};

int segments_new(struct disk *disk, uint64_t size, struct segments **ret)
{
    struct segments *s = calloc(1, sizeof *s);

    if (!s)
        return FL_ENOMEM;
    s->disk = disk;
    s->size = size;
    s->next = 1;
    *ret = s;
    return 0;
}

void segments_free(struct segments *s)
{
    struct segment *g, *next;

    if (!s)
        return;
    HASH_ITER(hh, s->all, g, next)
    {
        HASH_DELETE(hh, s->all, g);
        free(g);
    }
    file_close(s->file);
    free(s->pieces);
    free(s);
}

static struct segment *find(const struct segments *s, uint64_t id)
{
    struct segment *g;

    HASH_FIND(hh, s->all, &id, sizeof id, g);
    return g;
}

int segments_add(struct segments *s, uint64_t id, int64_t live, int64_t most)
{
    struct segment *g = calloc(1, sizeof *g);

    if (!g)
        return FL_ENOMEM;
    g->id = id;
    g->live = live;
    g->most = most > live ? most : live;
    HASH_ADD(hh, s->all, id, sizeof g->id, g);
    if (!g->hh.tbl) {
        free(g);
        return FL_ENOMEM;
    }
    segments_reserve(s, id);
    s->some_idle |= live == 0;
    return 0;
}

void segments_reserve(struct segments *s, uint64_t id)
{
    if (id >= s->next)
        s->next = id + 1;
}

void segments_seal(struct segments *s)
{
    const struct segment *g = s->file ? find(s, s->id) : NULL;

    if (!s->file)
        return;
    if (s->room - s->used >= s->size / TAIL_PART)
        file_truncate(s->file, s->used); /* gives unused room back; that it may fail harms nothing */
    file_close(s->file);
    s->file = NULL;
    s->id = 0;
    s->dirty = s->nameless = false;
    s->some_idle |= g && g->live == 0;
}

/* A nearly full disk may have room for this run though not for a whole segment. */
static int allocate(struct segments *s, struct file *f, uint64_t needed, uint64_t *ret_room)
{
    uint64_t least = needed > LEAST_ROOM ? needed : LEAST_ROOM, room = needed > s->size ? needed : s->size;
    int rc = file_allocate(f, room);

    if (rc == FL_EFULL && least < room) {
        room = least;
        rc = file_truncate(f, 0);
        if (rc == 0)
            rc = file_allocate(f, room);
    }
    *ret_room = room;
    return rc;
}

/* The spare one under its new name, or a new one. */
static int make_file(struct segments *s, const char *name, struct file **ret)
{
    bool spare = disk_rename(s->disk, SEGMENT_SPARE, name) == 0;
    int rc = disk_open_file(s->disk, name, spare ? FILE_WRITE : FILE_CREATE, ret);

    if (rc < 0 && spare)
        disk_unlink(s->disk, name);
    return rc;
}

static int begin_file(struct segments *s, uint64_t needed)
{
    char name[SEGMENT_NAME];
    struct file *f;
    uint64_t id = s->next++, room; /* a number is never tried again: a file of it may have been left behind */
    int rc;

    segments_seal(s);
    segment_name(id, name);
    rc = make_file(s, name, &f);
    if (rc < 0)
        return rc;
    rc = allocate(s, f, needed, &room);
    if (rc == 0)
        rc = segments_add(s, id, 0, 0);
    if (rc < 0) {
        file_close(f);
        disk_unlink(s->disk, name);
        return rc;
    }
    s->file = f;
    s->id = id;
    s->used = 0;
    s->room = room;
    s->nameless = true;
    return 0;
}

static int pieces_grow(struct segments *s, int needed)
{
    struct iovec *bigger;
    int room = s->pieces_room ? s->pieces_room : 64;

    if (needed <= s->pieces_room)
        return 0;
    while (room < needed)
        room *= 2;
    bigger = realloc(s->pieces, (size_t)room * sizeof *bigger);
    if (!bigger)
        return FL_ENOMEM;
    s->pieces = bigger;
    s->pieces_room = room;
    return 0;
}

/* Adds a body's pieces to the run, and says where it will lie. */
static int add_body(struct segments *s, struct op_message *m, uint64_t offset, int *count)
{
    uint64_t length = body_in_memory(m->env->body), at = 0;
    struct body_place place = *body_place(m->env->body); /* a large one has a file already */
    uint32_t crc = 0;

    while (at < length) {
        int rc = pieces_grow(s, *count + PIECES_A_BODY), n;

        if (rc < 0)
            return rc;
        n = body_pieces(m->env->body, at, s->pieces + *count, PIECES_A_BODY);
        for (int i = 0; i < n; i++) {
            const struct iovec *v = &s->pieces[*count + i];

            crc = crc32c(crc, v->iov_base, v->iov_len);
            at += v->iov_len;
        }
        *count += n;
    }
    place.segment = s->id;
    place.offset = offset;
    place.length = length;
    place.crc = crc;
    m->place = place;
    return 0;
}

static void take_places_back(struct op_message *const *messages, int count, uint64_t id)
{
    for (int i = 0; i < count; i++)
        if (!messages[i]->again && messages[i]->place.segment == id)
            messages[i]->place = (struct body_place){ 0 };
}

int segments_write(struct segments *s, struct op_message *const *messages, int count)
{
    uint64_t total = 0, at;
    int pieces = 0, rc = 0;
    bool any = false;

    for (int i = 0; i < count; i++)
        if (!messages[i]->place.segment) {
            total += body_in_memory(messages[i]->env->body);
            any = true;
        }
    if (!any)
        return 0;
    if (!s->file || s->room - s->used < total)
        rc = begin_file(s, total);
    if (rc < 0)
        return rc;
    at = s->used;
    for (int i = 0; i < count && rc == 0; i++)
        if (!messages[i]->place.segment) {
            rc = add_body(s, messages[i], at, &pieces);
            at += messages[i]->place.length;
        }
    if (rc == 0 && pieces)
        rc = file_writev(s->file, s->pieces, pieces, s->used);
    if (rc < 0) {
        take_places_back(messages, count, s->id);
        segments_seal(s);
        return rc;
    }
    s->used += total;
    s->written += (int64_t)total;
    s->dirty = true;
    return 0;
}

int segments_sync(struct segments *s, int *ret_flushes)
{
    int rc;

    *ret_flushes = 0;
    if (!s->dirty)
        return 0;
    rc = FAULT(segment_not_synced) ? 0 : file_sync(s->file);
    ++*ret_flushes;
    if (rc < 0 && FAULT(sync_tried_again))
        rc = file_sync(s->file);
    if (rc == 0 && s->nameless && !FAULT(folder_not_synced)) {
        rc = disk_sync(s->disk);
        ++*ret_flushes;
    }
    if (rc < 0) {
        segments_seal(s);
        return rc;
    }
    s->dirty = s->nameless = false;
    return 0;
}

int segments_tally_idle(struct segments *s, struct tally *t)
{
    struct segment *g, *next;
    int rc = 0;

    if (!s->some_idle)
        return 0;
    HASH_ITER(hh, s->all, g, next)
    {
        if (g->live == 0 && g->id != s->id && rc == 0)
            rc = tally_segment(t, g->id, 0);
    }
    return rc;
}

int64_t segments_live_after(const struct segments *s, const struct tally_segment *t)
{
    const struct segment *g = find(s, t->id);

    return (g ? g->live : 0) + t->live;
}

bool segments_dies(const struct segments *s, const struct tally_segment *t)
{
    return t->id != s->id && segments_live_after(s, t) <= 0;
}

/* Most that were idle went with this batch; one that was sealed while its COMMIT was under way did not. */
static void look_for_idle(struct segments *s)
{
    const struct segment *g;

    s->some_idle = false;
    for (g = s->all; g; g = g->hh.next)
        s->some_idle |= g->live == 0 && g->id != s->id;
}

void segments_commit(struct segments *s, const struct tally *t, segment_died *died, void *arg)
{
    struct tally_segment *c, *next;

    HASH_ITER(hh, t->segments, c, next)
    {
        struct segment *g = find(s, c->id);
        char name[SEGMENT_NAME];

        if (!g)
            continue;
        g->live += c->live;
        if (g->live > g->most)
            g->most = g->live;
        if (g->id == s->id || g->live > 0)
            continue;
        segment_name(g->id, name);
        died(arg, name);
        HASH_DELETE(hh, s->all, g);
        free(g);
    }
    if (s->some_idle)
        look_for_idle(s);
}

int segments_sparse(struct segments *s, uint64_t *ret, int limit)
{
    struct segment *g;
    int count = 0;

    for (g = s->all; g; g = g->hh.next) {
        bool sealed = g->id != s->id;

        if (g->old && sealed && g->live > 0 && g->live <= g->most / SPARSE_PART && count < limit) {
            ret[count++] = g->id;
            g->most = g->live;
        }
        g->old = sealed;
    }
    return count;
}

int64_t segments_written(struct segments *s)
{
    int64_t n = s->written;

    s->written = 0;
    return n;
}
