/* note.c: see note.h. */
#include "note.h"

#include <stdlib.h>

static struct slice keep(char **at, struct slice s)
{
    char *p = *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    *at += s.n;
    return slice_make(p, s.n);
}

void note_set(struct note *n, const struct last_reply *r)
{
    char *store = malloc(r->enhanced.n + r->text.n + r->mx.n + 1), *at = store;
    struct last_reply copy = *r;

    copy.enhanced = store ? keep(&at, r->enhanced) : SLICE_NONE;
    copy.text = store ? keep(&at, r->text) : SLICE_NONE;
    copy.mx = store ? keep(&at, r->mx) : SLICE_NONE;
    free(n->store);
    n->store = store;
    n->reply = copy;
}

void note_free(struct note *n)
{
    free(n->store);
    *n = (struct note){ .store = NULL };
}

struct last_reply note_of_reply(const struct reply *r, enum reply_stage stage, struct slice mx, int64_t wall_ms)
{
    return (struct last_reply){
        .time_ms = wall_ms,
        .stage = stage,
        .code = r->code,
        .enhanced = slice_of(r->enhanced),
        .text = slice_of(r->text),
        .mx = mx,
    };
}
