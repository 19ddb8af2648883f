/* build.c: what the builders share (build.h). */
#include "build.h"

#include <stdlib.h>

void *build_array(struct build *b, int count, size_t size)
{
    void *p = arena_alloc(b->arena, (size_t)count * size);

    b->lost |= !p;
    return p;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(const struct node *const *)a)->name, (*(const struct node *const *)b)->name);
}

const struct node **build_sorted(struct build *b, const struct node *n, int *ret_count)
{
    int count = n && n->kind == NODE_MAP ? n->count : 0, kept = 0;
    const struct node **sorted = arena_alloc(b->parse->scratch, sizeof *sorted * (size_t)count);

    *ret_count = 0;
    if (!sorted) {
        b->lost = true;
        return NULL;
    }
    if (count == 0)
        return sorted;
    for (const struct node *c = n->first; c; c = c->next)
        sorted[kept++] = c;
    qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    kept = 0;
    for (int i = 0; i < count; i++)
        if (kept == 0 || by_name(&sorted[kept - 1], &sorted[i]) != 0)
            sorted[kept++] = sorted[i];
    *ret_count = kept;
    return sorted;
}

const char *const *build_texts(struct build *b, const struct node *list, int *ret_count)
{
    const char **texts = build_array(b, list ? list->count : 0, sizeof *texts);
    int n = 0;

    *ret_count = 0;
    if (!texts || !list || list->kind != NODE_LIST)
        return texts;
    for (const struct node *c = list->first; c; c = c->next)
        if (c->ok)
            texts[n++] = c->key->type == VALUE_CHOICE ? c->key->choices[c->value.number] : c->value.text;
    *ret_count = n;
    return texts;
}

const char *build_secret(struct build *b, const struct node *n)
{
    struct slice copy;

    if (!n || !n->ok || n->kind != NODE_TEXT)
        return NULL;
    copy = arena_copy(b->conf->private->secrets, n->text);
    b->lost |= !copy.p;
    return copy.p;
}

unsigned build_choices(const struct node *list)
{
    unsigned bits = 0;

    if (list && list->kind == NODE_LIST)
        for (const struct node *c = list->first; c; c = c->next)
            if (c->ok)
                bits |= 1u << c->value.number;
    return bits;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void build_own_names(struct build *b)
{
    struct conf_private *p = b->conf->private;

    p->own_names = build_array(b, b->conf->vmta_count + 1, sizeof *p->own_names);
    if (!p->own_names)
        return;
    p->own_names[p->own_name_count++] = b->conf->server.hostname;
    for (int i = 0; i < b->conf->vmta_count; i++)
        if (b->conf->vmtas[i].hostname)
            p->own_names[p->own_name_count++] = b->conf->vmtas[i].hostname;
    qsort(p->own_names, (size_t)p->own_name_count, sizeof *p->own_names, by_text);
}

/* Everything that one part needs is built before it. */
void build_all(struct build *b)
{
    build_server(b);
    build_store(b);
    build_dns(b);
    build_admin(b);
    build_accounting(b);
    build_log(b);
    build_domains(b);
    build_vmtas(b);
    build_pools(b);
    build_tenants(b);
    build_tls(b);
    build_listeners(b);
    build_sources(b);
    build_relay(b);
    build_own_names(b);
    build_fingerprints(b);
}
