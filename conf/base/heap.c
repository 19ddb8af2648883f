/* heap.c: see heap.h. */
#include "heap.h"

#include <stdlib.h>

#include "err.h"

enum { HEAP_FIRST = 64 };

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void put(struct heap *h, size_t at, struct heap_node *n)
{
    h->nodes[at] = n;
    n->index = at + 1;
}

static void up(struct heap *h, size_t at, struct heap_node *n)
{
    while (at > 0 && before(n, h->nodes[(at - 1) / 2])) {
        put(h, at, h->nodes[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, n);
}

static void down(struct heap *h, size_t at, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], n))
            break;
        put(h, at, h->nodes[child]);
        at = child;
    }
    put(h, at, n);
}

static void place(struct heap *h, size_t at, struct heap_node *n)
{
    if (at > 0 && before(n, h->nodes[(at - 1) / 2]))
        up(h, at, n);
    else
        down(h, at, n);
}

int heap_reserve(struct heap *h, size_t count)
{
    size_t cap = h->cap ? h->cap : HEAP_FIRST;
    struct heap_node **nodes;

    if (count <= h->cap)
        return 0;
    while (cap < count)
        cap *= 2;
    nodes = realloc(h->nodes, cap * sizeof *nodes);
    if (!nodes)
        return FL_ENOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

int heap_set(struct heap *h, struct heap_node *node, int64_t key, uint64_t tie)
{
    if (!heap_has(node)) {
        if (heap_reserve(h, h->count + 1) < 0)
            return FL_ENOMEM;
        node->index = ++h->count;
    }
    node->key = key;
    node->tie = tie;
    place(h, node->index - 1, node);
    return 0;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t at = node->index - 1;
    struct heap_node *last;

    if (!heap_has(node))
        return;
    last = h->nodes[--h->count];
    node->index = 0;
    if (last != node)
        place(h, at, last);
}

void heap_free(struct heap *h)
{
    free(h->nodes);
    *h = (struct heap){ 0 };
}
