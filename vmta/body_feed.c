/* body_feed.c: memory first, then the store's reader. */
#include "body_feed.h"

#include <stdlib.h>

#include "err.h"
#include "store.h"

struct body_feed {
    struct store *store;
    struct body *body;
    const struct body_feed_sink *sink; /* NULL: stopped */
    void *arg;
    uint64_t offset;
    bool reading; /* the store will call on_read, whatever happens meanwhile */
};

struct body_feed *body_feed_new(struct store *store, struct body *body, const struct body_feed_sink *sink, void *arg)
{
    struct body_feed *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->store = store;
    f->body = body ? body_ref(body) : NULL;
    f->sink = sink;
    f->arg = arg;
    return f;
}

static void destroy(struct body_feed *f)
{
    body_unref(f->body);
    free(f);
}

static void end(struct body_feed *f, int rc)
{
    const struct body_feed_sink *sink = f->sink;
    void *arg = f->arg;

    destroy(f);
    sink->on_end(arg, rc);
}

static void on_read(void *arg, int rc, struct slice bytes)
{
    struct body_feed *f = arg;

    f->reading = false;
    if (!f->sink) {
        destroy(f);
    } else if (rc < 0 || bytes.n == 0) {
        end(f, rc < 0 ? rc : FL_ECORRUPT);
    } else {
        f->offset += bytes.n;
        f->sink->on_bytes(f->arg, bytes);
    }
}

void body_feed_more(struct body_feed *f)
{
    uint64_t length = f->body ? body_length(f->body) : 0;
    uint64_t in_memory = f->body ? body_in_memory(f->body) : 0;
    uint64_t at = f->offset, n;

    if (!f->body) {
        end(f, FL_ENOENT);
    } else if (at >= length) {
        end(f, 0);
    } else if (at < in_memory) {
        n = in_memory - at < BODY_FEED_PIECE ? in_memory - at : BODY_FEED_PIECE;
        f->offset += n;
        f->sink->on_memory(f->arg, f->body, at, n);
    } else {
        n = length - at < BODY_FEED_PIECE ? length - at : BODY_FEED_PIECE;
        f->reading = true;
        store_read(f->store, f->body, at, (size_t)n, on_read, f);
    }
}

void body_feed_stop(struct body_feed *f)
{
    if (!f)
        return;
    f->sink = NULL;
    if (!f->reading)
        destroy(f);
}
