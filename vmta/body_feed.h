/* body_feed.h: the content of a message, once, from its beginning to its end, wherever it lies: what is in memory is named,
 * what is on disk is read piece by piece. One piece is given for each call of body_feed_more, so the taker sets the pace.
 * Loop thread; one feed belongs to one connection. */
#ifndef FL_BODY_FEED_H
#define FL_BODY_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "body.h"
#include "slice.h"

struct store;
struct body_feed;

enum { BODY_FEED_PIECE = 256 << 10 };

struct body_feed_sink {
    /* n bytes from offset on are in memory: body_pieces or stream_write_body. */
    void (*on_memory)(void *arg, struct body *body, uint64_t offset, uint64_t n);
    /* The next bytes, read from disk; borrowed. */
    void (*on_bytes)(void *arg, struct slice bytes);
    /* All was given (0), or it cannot be read (FL_ENOENT: there is no content; FL_ECORRUPT, FL_EIO). The feed is gone. */
    void (*on_end)(void *arg, int rc);
};

/* Holds a reference of body. NULL without memory. sink is borrowed (static const). */
struct body_feed *body_feed_new(struct store *store, struct body *body, const struct body_feed_sink *sink, void *arg);
/* Asks for the next piece, or the end: one call of the sink, at once or later. Not while one is asked for. */
void body_feed_more(struct body_feed *f);
/* Ends it without a word; takes NULL. */
void body_feed_stop(struct body_feed *f);

#endif
