/* recover.c: see recover.h. */
#include "recover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"

enum { PARK_BATCH = 1000 /* fresh messages that are parked in one transaction */ };

/* ---------------------------------------------------------------- files */

struct sweep {
    struct engine *engine;
    struct disk *disk;
    struct segments *segments;
    const struct log *log;
    struct { uint64_t *ids; bool *found; size_t count, room; } rows;
};

static int note_row(void *arg, uint64_t id, int64_t live, int64_t most)
{
    struct sweep *s = arg;

    if (s->rows.count == s->rows.room) {
        size_t room = s->rows.room ? s->rows.room * 2 : 64;
        uint64_t *ids = realloc(s->rows.ids, room * sizeof *ids);
        bool *found = ids ? realloc(s->rows.found, room * sizeof *found) : NULL;

        if (ids)
            s->rows.ids = ids;
        if (!found)
            return FL_ENOMEM;
        s->rows.found = found;
        s->rows.room = room;
    }
    s->rows.ids[s->rows.count] = id;
    s->rows.found[s->rows.count++] = live == 0; /* an empty one may well be gone */
    return 0;
}

/* The row of a segment, or NULL. Rows came in order. */
static bool *row_of(struct sweep *s, uint64_t id)
{
    size_t low = 0, high = s->rows.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->rows.ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->rows.count && s->rows.ids[low] == id ? &s->rows.found[low] : NULL;
}

static int sweep_file(void *arg, const char *name)
{
    struct sweep *s = arg;
    struct ulid file;
    uint64_t id;
    bool *row;
    int needed;

    if (!segment_parse_name(name, &id, &file))
        return 0;
    if (id) {
        segments_reserve(s->segments, id);
        row = row_of(s, id);
        if (row)
            *row = true;
        needed = row != NULL;
    } else {
        needed = engine_has_spool(s->engine, &file);
    }
    if (needed < 0)
        return needed;
    if (!needed)
        disk_unlink(s->disk, name); /* a file that cannot be removed now is met again at the next start */
    return 0;
}

int recover_files(struct engine *e, struct disk *disk, struct segments *segments, const struct log *log, struct fl_err *err)
{
    struct sweep s = { .engine = e, .disk = disk, .segments = segments, .log = log };
    int rc = engine_segments(e, note_row, &s);

    if (rc == 0)
        rc = disk_list(disk, sweep_file, &s);
    for (size_t i = 0; i < s.rows.count && rc == 0; i++) {
        char name[SEGMENT_NAME];

        segment_name(s.rows.ids[i], name);
        if (!s.rows.found[i])
            log_message(log, LOG_LEVEL_ERROR, "segment_missing",
                        "%s: the file is missing; the messages in it cannot be delivered", name);
    }
    free(s.rows.ids);
    free(s.rows.found);
    return rc < 0 ? fl_fail(err, rc, "store: the files of bodies cannot be looked through") : 0;
}

/* ---------------------------------------------------------------- rows */

struct recovered {
    struct store_recovered view;
    struct arena *arena; /* texts */
    struct stored_queue *queues;
    struct stored_hold *holds;
    struct stored_job *jobs;
    struct envelope **fresh;
    int queue_room, hold_room, job_room, fresh_room;
};

/* Room for one more of a list. */
static void *grown(void *list, int count, int *room, size_t size)
{
    if (count == *room) {
        int bigger = *room ? *room * 2 : 64;
        void *p = realloc(list, (size_t)bigger * size);

        if (!p)
            return NULL;
        *room = bigger;
        return p;
    }
    return list;
}

static bool keep(struct recovered *r, struct slice *s)
{
    if (s->n == 0) {
        *s = SLICE_NONE;
        return true;
    }
    *s = arena_copy(r->arena, *s);
    return s->p != NULL;
}

static int take_queue(void *arg, const struct stored_queue *q)
{
    struct recovered *r = arg;
    struct stored_queue *list = grown(r->queues, r->view.queue_count, &r->queue_room, sizeof *list), copy = *q;

    if (!list)
        return FL_ENOMEM;
    r->queues = list;
    if (!keep(r, &copy.key.tenant) || !keep(r, &copy.key.vmta) || !keep(r, &copy.key.domain) ||
        !keep(r, &copy.reply.enhanced) || !keep(r, &copy.reply.text) || !keep(r, &copy.reply.mx))
        return FL_ENOMEM;
    list[r->view.queue_count++] = copy;
    return 0;
}

static int take_hold(void *arg, const struct stored_hold *h)
{
    struct recovered *r = arg;
    struct stored_hold *list = grown(r->holds, r->view.hold_count, &r->hold_room, sizeof *list), copy = *h;

    if (!list)
        return FL_ENOMEM;
    r->holds = list;
    if (!keep(r, &copy.tenant) || !keep(r, &copy.vmta) || !keep(r, &copy.domain) || !keep(r, &copy.job) || !keep(r, &copy.who))
        return FL_ENOMEM;
    list[r->view.hold_count++] = copy;
    return 0;
}

static int take_job(void *arg, const struct stored_job *j)
{
    struct recovered *r = arg;
    struct stored_job *list = grown(r->jobs, r->view.job_count, &r->job_room, sizeof *list), copy = *j;

    if (!list)
        return FL_ENOMEM;
    r->jobs = list;
    if (!keep(r, &copy.tenant) || !keep(r, &copy.job))
        return FL_ENOMEM;
    list[r->view.job_count++] = copy;
    return 0;
}

static int take_fresh(void *arg, struct envelope *e)
{
    struct recovered *r = arg;
    struct envelope **list = grown(r->fresh, r->view.fresh_count, &r->fresh_room, sizeof(struct envelope *));

    if (!list) {
        envelope_unref(e);
        return FL_ENOMEM;
    }
    r->fresh = list;
    e->fresh = true;
    list[r->view.fresh_count++] = e;
    for (int i = 0; i < e->rcpt_count; i++)
        if (e->rcpts[i].queue.id >= r->view.next_queue_id)
            r->view.next_queue_id = e->rcpts[i].queue.id + 1;
    return 0;
}

struct surplus {
    struct ulid ids[PARK_BATCH];
    int count;
};

static int note_surplus(void *arg, struct envelope *e)
{
    struct surplus *s = arg;

    s->ids[s->count++] = e->id;
    envelope_unref(e);
    return 0;
}

/* Parks the fresh messages behind `last`, some at a time. */
static int park_surplus(struct engine *e, int64_t now_ms, uint64_t *batch, const struct ulid *last)
{
    struct surplus *s = calloc(1, sizeof *s);
    int rc = s ? 0 : FL_ENOMEM;

    while (rc == 0) {
        s->count = 0;
        rc = engine_fresh(e, last, PARK_BATCH, note_surplus, s);
        if (rc < 0 || s->count == 0)
            break;
        rc = engine_begin(e, now_ms);
        for (int i = 0; i < s->count && rc == 0; i++)
            rc = engine_park_fresh(e, &s->ids[i]);
        if (rc == 0)
            rc = engine_commit(e, ++*batch);
        if (rc < 0)
            engine_rollback(e);
    }
    free(s);
    return rc;
}

static int read_fresh(struct engine *e, int64_t now_ms, uint64_t *batch, int64_t max_fresh, struct recovered *r)
{
    struct ulid last = { 0 };
    int rc = engine_fresh(e, &last, max_fresh, take_fresh, r);

    if (rc < 0 || r->view.fresh_count < max_fresh)
        return rc;
    if (r->view.fresh_count)
        last = r->fresh[r->view.fresh_count - 1]->id;
    return park_surplus(e, now_ms, batch, &last);
}

int recover_read(struct engine *e, int64_t now_ms, uint64_t *batch, int64_t max_fresh, struct recovered **ret,
                 struct fl_err *err)
{
    struct recovered *r = calloc(1, sizeof *r);
    int rc;

    if (r)
        r->arena = arena_new(0);
    if (!r || !r->arena) {
        free(r);
        return fl_fail(err, FL_ENOMEM, "store: out of memory");
    }
    r->view.next_queue_id = 1;
    rc = read_fresh(e, now_ms, batch, max_fresh, r); /* first: what it parks changes the queues */
    if (rc == 0)
        rc = engine_queues(e, take_queue, r);
    if (rc == 0)
        rc = engine_holds(e, take_hold, r);
    if (rc == 0)
        rc = engine_jobs(e, take_job, r);
    if (rc == 0) {
        uint64_t next;

        rc = engine_next_queue(e, &next);
        if (rc == 0 && next > r->view.next_queue_id)
            r->view.next_queue_id = next;
    }
    if (rc < 0) {
        recovered_free(r);
        return fl_fail(err, rc, "store: the database cannot be read%s", rc == FL_ECORRUPT ? ": it is damaged" : "");
    }
    r->view.queues = r->queues;
    r->view.holds = r->holds;
    r->view.jobs = r->jobs;
    r->view.fresh = r->fresh;
    *ret = r;
    return 0;
}

const struct store_recovered *recovered_get(const struct recovered *r)
{
    return &r->view;
}

void recovered_free(struct recovered *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->view.fresh_count; i++)
        envelope_unref(r->fresh[i]);
    free(r->fresh);
    free(r->queues);
    free(r->holds);
    free(r->jobs);
    arena_free(r->arena);
    free(r);
}
