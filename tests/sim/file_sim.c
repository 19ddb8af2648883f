/* file_sim.c: see file_sim.h. */
#include "file_sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "rand.h"

enum { SECTOR = 512, NAME_MAX_SIM = 64 };

struct bytes {
    char *p;
    uint64_t n, room;
};

/* A change that is not durable yet. */
struct change {
    STAILQ_ENTRY(change) link;
    bool resize;      /* to `offset`; else: bytes at offset */
    uint64_t offset;
    struct bytes data;
};

struct inode {
    SLIST_ENTRY(inode) link;
    struct bytes now, durable;
    STAILQ_HEAD(, change) changes;
};

/* A name, as it is and as it survives. */
struct entry {
    SLIST_ENTRY(entry) link;
    char name[NAME_MAX_SIM];
    struct inode *now, *durable;
};

struct sim_file {
    struct file file;
    struct sim_disk *disk;
    struct inode *inode;
    int life; /* of the disk in which it was opened */
};

struct sim_disk {
    struct disk disk;
    struct rand rand;
    SLIST_HEAD(, inode) inodes;
    SLIST_HEAD(, entry) entries;
    int life, operations;
    bool dead;
    int cut_in;  /* operations until the power goes; negative: it stays */
    int fail_in; /* the same for a failure */
    int fail_code;
    bool fail_for_good;
    uint64_t capacity, punched;
};

static bool coin(struct sim_disk *d)
{
    return rand_below(&d->rand, 2);
}

/* ---------------------------------------------------------------- bytes */

static void make_room(struct bytes *b, uint64_t n)
{
    if (n <= b->room && b->p)
        return;
    b->room = b->room * 2 > n ? b->room * 2 : n + 1;
    b->p = realloc(b->p, b->room);
    assert(b->p);
}

static void resize(struct bytes *b, uint64_t n)
{
    make_room(b, n);
    if (n > b->n)
        memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static void put(struct bytes *b, uint64_t offset, const void *p, uint64_t n)
{
    if (offset > b->n)
        resize(b, offset);
    make_room(b, offset + n);
    memcpy(b->p + offset, p, n);
    if (offset + n > b->n)
        b->n = offset + n;
}

static void change_free(struct inode *i, struct change *c)
{
    STAILQ_REMOVE_HEAD(&i->changes, link);
    free(c->data.p);
    free(c);
}

static void note(struct inode *i, bool is_resize, uint64_t offset, const void *p, uint64_t n)
{
    struct change *c = calloc(1, sizeof *c);

    assert(c);
    c->resize = is_resize;
    c->offset = offset;
    if (n) {
        c->data = (struct bytes){ .p = malloc(n), .n = n, .room = n };
        assert(c->data.p);
        memcpy(c->data.p, p, n);
    }
    STAILQ_INSERT_TAIL(&i->changes, c, link);
}

/* All of a change reaches the platter, or whatever of it chance permits. */
static void survive(struct sim_disk *d, struct inode *i, const struct change *c, bool all)
{
    if (c->resize) {
        if (all || coin(d))
            resize(&i->durable, c->offset);
        return;
    }
    for (uint64_t at = 0; at < c->data.n;) {
        uint64_t n = SECTOR - (c->offset + at) % SECTOR;

        if (n > c->data.n - at)
            n = c->data.n - at;
        if (all || coin(d))
            put(&i->durable, c->offset + at, c->data.p + at, n);
        at += n;
    }
}

static void settle_changes(struct sim_disk *d, struct inode *i, bool all)
{
    struct change *c;
    bool luck = all || rand_below(&d->rand, 4) == 0; /* now and then everything is there though nobody asked */

    while ((c = STAILQ_FIRST(&i->changes))) {
        survive(d, i, c, luck);
        change_free(i, c);
    }
}

/* ---------------------------------------------------------------- what can go wrong */

/* Before each operation that changes something: 0, or the failure that is due. */
static int strike(struct sim_disk *d)
{
    d->operations++;
    if (d->dead)
        return FL_EIO;
    if (d->cut_in >= 0 && d->cut_in-- == 0) {
        d->dead = true;
        return FL_EIO;
    }
    if (d->fail_in > 0) {
        d->fail_in--;
    } else if (d->fail_in == 0) {
        if (!d->fail_for_good)
            d->fail_in = -1;
        return d->fail_code;
    }
    return 0;
}

static int handle(const struct file *f)
{
    const struct sim_file *s = (const struct sim_file *)f;

    return s->disk->dead || s->life != s->disk->life ? FL_EIO : 0;
}

static struct sim_disk *disk_of(struct file *f)
{
    return ((struct sim_file *)f)->disk;
}

static struct inode *inode_of(struct file *f)
{
    return ((struct sim_file *)f)->inode;
}

static uint64_t used(const struct sim_disk *d)
{
    const struct entry *e;
    uint64_t sum = 0;

    SLIST_FOREACH(e, &d->entries, link)
        sum += e->now ? e->now->now.n : 0;
    return sum;
}

static int room_for(struct sim_disk *d, const struct inode *i, uint64_t size)
{
    uint64_t more = size > i->now.n ? size - i->now.n : 0;

    return more && used(d) + more > d->capacity ? FL_EFULL : 0;
}

/* ---------------------------------------------------------------- files */

static void sim_close(struct file *f)
{
    free(f);
}

static int64_t sim_read(struct file *f, void *p, size_t n, uint64_t offset)
{
    const struct inode *i = inode_of(f);
    int rc = handle(f);

    if (rc < 0)
        return rc;
    if (offset >= i->now.n)
        return 0;
    if (n > i->now.n - offset)
        n = i->now.n - offset;
    memcpy(p, i->now.p + offset, n);
    return (int64_t)n;
}

static int write_one(struct file *f, const void *p, size_t n, uint64_t offset)
{
    struct inode *i = inode_of(f);
    int rc = room_for(disk_of(f), i, offset + n);

    if (rc < 0)
        return rc;
    put(&i->now, offset, p, n);
    note(i, false, offset, p, n);
    return 0;
}

static int sim_writev(struct file *f, const struct iovec *v, int count, uint64_t offset)
{
    int rc = handle(f), broken;

    if (rc < 0)
        return rc;
    broken = strike(disk_of(f));
    for (int k = 0; k < count && rc == 0; k++) {
        size_t n = v[k].iov_len;
        bool cut = broken && coin(disk_of(f)); /* part of it happened */

        if (cut)
            n = rand_below(&disk_of(f)->rand, n + 1);
        rc = n ? write_one(f, v[k].iov_base, n, offset) : 0;
        offset += n;
        if (cut)
            break;
    }
    return broken ? broken : rc;
}

static int sim_sync(struct file *f)
{
    int rc = handle(f);

    if (rc < 0)
        return rc;
    rc = strike(disk_of(f));
    if (!disk_of(f)->dead)
        settle_changes(disk_of(f), inode_of(f), rc == 0);
    return rc;
}

static int set_size(struct file *f, uint64_t size)
{
    struct inode *i = inode_of(f);
    int rc = handle(f);

    if (rc == 0)
        rc = strike(disk_of(f));
    if (rc == 0)
        rc = room_for(disk_of(f), i, size);
    if (rc < 0)
        return rc;
    resize(&i->now, size);
    note(i, true, size, NULL, 0);
    return 0;
}

static int sim_allocate(struct file *f, uint64_t size)
{
    return size > inode_of(f)->now.n ? set_size(f, size) : 0;
}

/* As if zeros were written. */
static int sim_punch(struct file *f, uint64_t offset, uint64_t n)
{
    struct inode *i = inode_of(f);
    int rc = handle(f);
    char *zeros;

    if (rc == 0)
        rc = strike(disk_of(f));
    if (rc < 0)
        return rc;
    assert(offset + n <= i->now.n);
    zeros = calloc(1, n);
    assert(zeros);
    put(&i->now, offset, zeros, n);
    note(i, false, offset, zeros, n);
    disk_of(f)->punched += n;
    free(zeros);
    return 0;
}

static int64_t sim_size(struct file *f)
{
    int rc = handle(f);

    return rc < 0 ? rc : (int64_t)inode_of(f)->now.n;
}

static const struct file_ops sim_file_ops = {
    .close = sim_close,
    .read = sim_read,
    .writev = sim_writev,
    .sync = sim_sync,
    .allocate = sim_allocate,
    .truncate = set_size,
    .punch = sim_punch,
    .size = sim_size,
};

/* ---------------------------------------------------------------- the folder */

static struct entry *entry_of(struct sim_disk *d, const char *name)
{
    struct entry *e;

    SLIST_FOREACH(e, &d->entries, link)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

bool sim_disk_exists(struct sim_disk *d, const char *name)
{
    const struct entry *e = entry_of(d, name);

    return e && e->now;
}

/* The entry of a name, made if it never was there. */
static struct entry *entry_for(struct sim_disk *d, const char *name)
{
    struct entry *e = entry_of(d, name);

    if (e)
        return e;
    e = calloc(1, sizeof *e);
    assert(e && strlen(name) < sizeof e->name);
    strcpy(e->name, name);
    SLIST_INSERT_HEAD(&d->entries, e, link);
    return e;
}

static struct entry *create(struct sim_disk *d, const char *name)
{
    struct entry *e = entry_for(d, name);
    struct inode *i = calloc(1, sizeof *i);

    assert(i);
    STAILQ_INIT(&i->changes);
    SLIST_INSERT_HEAD(&d->inodes, i, link);
    e->now = i;
    return e;
}

static int sim_open(struct disk *port, const char *name, enum file_mode mode, struct file **ret)
{
    struct sim_disk *d = (struct sim_disk *)port;
    struct entry *e = entry_of(d, name);
    struct sim_file *f;
    int rc = d->dead ? FL_EIO : 0;

    if (rc == 0 && mode == FILE_CREATE)
        rc = e && e->now ? FL_EEXIST : strike(d);
    if (rc < 0)
        return rc;
    if (mode == FILE_CREATE)
        e = create(d, name);
    if (!e || !e->now)
        return FL_ENOENT;
    f = calloc(1, sizeof *f);
    assert(f);
    *f = (struct sim_file){ .file = { .ops = &sim_file_ops }, .disk = d, .inode = e->now, .life = d->life };
    *ret = &f->file;
    return 0;
}

static int sim_unlink(struct disk *port, const char *name)
{
    struct sim_disk *d = (struct sim_disk *)port;
    struct entry *e = entry_of(d, name);
    int rc = strike(d);

    if (rc < 0)
        return rc;
    if (!e || !e->now)
        return FL_ENOENT;
    e->now = NULL;
    return 0;
}

static int sim_rename(struct disk *port, const char *from, const char *to)
{
    struct sim_disk *d = (struct sim_disk *)port;
    struct entry *e = entry_of(d, from), *target;
    int rc = strike(d);

    if (rc < 0)
        return rc;
    if (!e || !e->now)
        return FL_ENOENT;
    target = entry_for(d, to);
    target->now = e->now;
    e->now = NULL;
    return 0;
}

static int sim_disk_sync_names(struct disk *port)
{
    struct sim_disk *d = (struct sim_disk *)port;
    struct entry *e;
    int rc = strike(d);

    if (rc < 0)
        return rc;
    SLIST_FOREACH(e, &d->entries, link)
        e->durable = e->now;
    return 0;
}

static int sim_list(struct disk *port, int (*each)(void *arg, const char *name), void *arg)
{
    struct sim_disk *d = (struct sim_disk *)port;
    struct entry *e;
    int rc = d->dead ? FL_EIO : 0;

    SLIST_FOREACH(e, &d->entries, link)
    {
        if (rc == 0 && e->now)
            rc = each(arg, e->name);
    }
    return rc;
}

static int64_t sim_free_space(struct disk *port)
{
    struct sim_disk *d = (struct sim_disk *)port;
    uint64_t n = used(d);

    if (d->dead)
        return FL_EIO;
    return n < d->capacity ? (int64_t)(d->capacity - n) : 0;
}

static int sim_lock(struct disk *port, const char *name, int *ret_pid)
{
    *ret_pid = 0;
    return 0;
}

static void sim_port_close(struct disk *port)
{
}

static const struct disk_ops sim_disk_ops = {
    .close = sim_port_close,
    .open = sim_open,
    .unlink = sim_unlink,
    .rename = sim_rename,
    .sync = sim_disk_sync_names,
    .list = sim_list,
    .free_space = sim_free_space,
    .lock = sim_lock,
};

/* ---------------------------------------------------------------- the disk */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *d = calloc(1, sizeof *d);

    assert(d);
    d->disk.ops = &sim_disk_ops;
    rand_seed(&d->rand, seed);
    SLIST_INIT(&d->inodes);
    SLIST_INIT(&d->entries);
    d->capacity = UINT64_MAX / 4;
    d->cut_in = d->fail_in = -1;
    return d;
}

void sim_disk_free(struct sim_disk *d)
{
    struct inode *i;
    struct entry *e;

    while ((i = SLIST_FIRST(&d->inodes))) {
        SLIST_REMOVE_HEAD(&d->inodes, link);
        while (!STAILQ_EMPTY(&i->changes))
            change_free(i, STAILQ_FIRST(&i->changes));
        free(i->now.p);
        free(i->durable.p);
        free(i);
    }
    while ((e = SLIST_FIRST(&d->entries))) {
        SLIST_REMOVE_HEAD(&d->entries, link);
        free(e);
    }
    free(d);
}

struct disk *sim_disk_port(struct sim_disk *d)
{
    return &d->disk;
}

void sim_disk_cut_after(struct sim_disk *d, int operations)
{
    d->cut_in = operations - 1;
    d->dead |= operations == 0;
}

bool sim_disk_is_dead(const struct sim_disk *d)
{
    return d->dead;
}

void sim_disk_power_on(struct sim_disk *d)
{
    struct inode *i;
    struct entry *e;

    SLIST_FOREACH(i, &d->inodes, link)
    {
        settle_changes(d, i, false);
        resize(&i->now, i->durable.n);
        if (i->durable.n)
            memcpy(i->now.p, i->durable.p, i->durable.n);
    }
    SLIST_FOREACH(e, &d->entries, link)
    {
        if (e->now != e->durable && coin(d))
            e->durable = e->now;
        e->now = e->durable;
    }
    d->dead = false;
    d->life++;
    d->cut_in = -1;
    sim_disk_mend(d);
}

void sim_disk_fail_after(struct sim_disk *d, int operations, int code, bool for_good)
{
    d->fail_in = operations;
    d->fail_code = code;
    d->fail_for_good = for_good;
}

void sim_disk_mend(struct sim_disk *d)
{
    d->fail_in = -1;
}

void sim_disk_capacity(struct sim_disk *d, uint64_t bytes)
{
    d->capacity = bytes;
}

uint64_t sim_disk_punched(const struct sim_disk *d)
{
    return d->punched;
}

int sim_disk_operations(const struct sim_disk *d)
{
    return d->operations;
}

bool sim_disk_damage(struct sim_disk *d, const char *name, uint64_t offset)
{
    struct entry *e = entry_of(d, name);

    if (!e || !e->now || offset >= e->now->now.n || offset >= e->now->durable.n)
        return false;
    e->now->now.p[offset] ^= 0x55;
    e->now->durable.p[offset] ^= 0x55;
    return true;
}
