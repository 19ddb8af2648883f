/* heap.h: a binary heap of nodes that live inside other objects: the next thing due, in O(log n).
 * Pure; one thread at a time. The heap owns its array, never the nodes. */
#ifndef FL_HEAP_H
#define FL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;   /* smallest first */
    uint64_t tie;  /* equal keys: smallest first, so that order never depends on addresses */
    size_t index;  /* place in the heap, from 1; 0: not in one */
};

struct heap {
    struct heap_node **nodes;
    size_t count, cap;
};

static inline bool heap_has(const struct heap_node *n) { return n->index != 0; }
static inline struct heap_node *heap_first(const struct heap *h) { return h->count ? h->nodes[0] : NULL; }

/* Makes room for this many nodes in all, so that heap_set cannot fail up to there. */
int heap_reserve(struct heap *h, size_t count);
/* Puts node in with this key, or moves it there when it is in already. FL_ENOMEM only when it was not in. */
int heap_set(struct heap *h, struct heap_node *node, int64_t key, uint64_t tie);
/* Takes node out; nothing when it is not in. */
void heap_remove(struct heap *h, struct heap_node *node);
/* Frees the array. Nodes that are still in it are forgotten. */
void heap_free(struct heap *h);

#define HEAP_ENTRY(node, type, member) ((type *)((char *)(node) - offsetof(type, member)))

#endif
