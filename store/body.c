/* body.c: see body.h. Memory is a list of blocks; a rewritten header goes into a block of its own in front. */
#include "body.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "err.h"

enum { BLOCK_MIN = 4096, BLOCK_MAX = 65536 };

struct block {
    struct block *next;
    size_t from, end; /* bytes in use: data[from … end) */
    size_t size;
    char data[];
};

struct body {
    atomic_int refs;
    bool raw;
    struct body_budget *budget;
    struct block *first, *last;
    uint64_t in_memory;
    struct body_place place;
    struct body_check check;
};

struct body *body_new(struct body_budget *budget)
{
    struct body *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->budget = budget;
    return b;
}

struct body *body_stored(struct body_budget *budget, const struct body_place *place, bool raw)
{
    struct body *b = body_new(budget);

    if (!b)
        return NULL;
    b->place = *place;
    b->raw = raw;
    return b;
}

struct body *body_ref(struct body *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static void budget_add(struct body *b, long long n)
{
    if (b->budget)
        atomic_fetch_add_explicit(&b->budget->used, n, memory_order_relaxed);
}

static void block_free(struct body *b, struct block *k)
{
    budget_add(b, -(long long)k->size);
    free(k);
}

static void blocks_free(struct body *b)
{
    struct block *k, *next;

    for (k = b->first; k; k = next) {
        next = k->next;
        block_free(b, k);
    }
    b->first = b->last = NULL;
    b->in_memory = 0;
}

void body_unref(struct body *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
        return;
    blocks_free(b);
    free(b);
}

static struct block *block_new(struct body *b, size_t size)
{
    struct block *k = malloc(sizeof *k + size);

    if (!k)
        return NULL;
    *k = (struct block){ .size = size };
    budget_add(b, (long long)size);
    return k;
}

/* Blocks grow with the body, so that a small one is one block and a large one few. */
static size_t next_size(const struct body *b, size_t needed)
{
    size_t size = b->in_memory < BLOCK_MIN ? BLOCK_MIN : b->in_memory > BLOCK_MAX ? BLOCK_MAX : (size_t)b->in_memory;

    return needed > size ? needed : size;
}

int body_add(struct body *b, struct slice s)
{
    size_t room = b->last ? b->last->size - b->last->end : 0, head = s.n < room ? s.n : room;
    struct block *k = NULL;

    if (head < s.n) {
        k = block_new(b, next_size(b, s.n - head));
        if (!k)
            return FL_ENOMEM;
        memcpy(k->data, s.p + head, s.n - head);
        k->end = s.n - head;
    }
    if (head) {
        memcpy(b->last->data + b->last->end, s.p, head);
        b->last->end += head;
    }
    if (k) {
        if (b->last)
            b->last->next = k;
        else
            b->first = k;
        b->last = k;
    }
    b->in_memory += s.n;
    return 0;
}

/* Takes n bytes from the front. */
static void drop_front(struct body *b, size_t n)
{
    b->in_memory -= n;
    while (n > 0) {
        struct block *k = b->first;
        size_t here = k->end - k->from;

        if (here > n) {
            k->from += n;
            return;
        }
        n -= here;
        b->first = k->next;
        if (!b->first)
            b->last = NULL;
        block_free(b, k);
    }
}

static void put_front(struct body *b, struct block *k)
{
    k->next = b->first;
    b->first = k;
    if (!b->last)
        b->last = k;
    b->in_memory += k->end - k->from;
}

int body_replace_head(struct body *b, size_t n, struct slice head)
{
    struct block *k = NULL;

    if (head.n) {
        k = block_new(b, head.n);
        if (!k)
            return FL_ENOMEM;
        memcpy(k->data, head.p, head.n);
        k->end = head.n;
    }
    drop_front(b, n < b->in_memory ? n : (size_t)b->in_memory);
    if (k)
        put_front(b, k);
    return 0;
}

struct slice body_front(struct body *b, size_t want)
{
    struct block *k = b->first, *joined;

    if (want > b->in_memory)
        want = (size_t)b->in_memory;
    if (!k)
        return SLICE("");
    if (k->end - k->from >= want)
        return slice_make(k->data + k->from, k->end - k->from);
    joined = block_new(b, want);
    if (!joined)
        return SLICE_NONE;
    for (k = b->first; k && joined->end < want; k = k->next) {
        size_t here = k->end - k->from, n = here < want - joined->end ? here : want - joined->end;

        memcpy(joined->data + joined->end, k->data + k->from, n);
        joined->end += n;
    }
    drop_front(b, want);
    put_front(b, joined);
    return slice_make(joined->data, joined->end);
}

bool body_is_raw(const struct body *b)
{
    return b->raw;
}

void body_set_raw(struct body *b, bool raw)
{
    b->raw = raw;
}

uint64_t body_length(const struct body *b)
{
    return (b->in_memory ? b->in_memory : b->place.length) + b->place.file_length;
}

uint64_t body_in_memory(const struct body *b)
{
    return b->in_memory;
}

int body_pieces(const struct body *b, uint64_t offset, struct iovec *ret, int max)
{
    const struct block *k = b->first;
    int count = 0;

    while (k && offset >= k->end - k->from) {
        offset -= k->end - k->from;
        k = k->next;
    }
    for (; k && count < max; k = k->next) {
        if (k->end == k->from)
            continue;
        ret[count++] =
            (struct iovec){ .iov_base = (char *)k->data + k->from + offset, .iov_len = k->end - k->from - (size_t)offset };
        offset = 0;
    }
    return count;
}

const struct body_place *body_place(const struct body *b)
{
    return &b->place;
}

void body_forget(struct body *b)
{
    if (b->place.segment)
        blocks_free(b);
}

void body_set_place(struct body *b, const struct body_place *place)
{
    b->place = *place;
}

void body_set_file(struct body *b, const struct ulid *file, uint64_t length, uint32_t crc)
{
    b->place.file = *file;
    b->place.file_length = length;
    b->place.file_crc = crc;
}

struct body_check *body_check(struct body *b)
{
    return &b->check;
}
