/* store_desk.h: a store in a folder of its own for tests, with calls that wait for their answers. */
#ifndef FL_TEST_STORE_DESK_H
#define FL_TEST_STORE_DESK_H

#include "store.h"

struct desk {
    char dir[64];
    struct store *store;
    struct store_options options;
    struct body_budget budget;
    struct log log;
    int wake_fd;
    int64_t wall_ms;
    uint64_t next_id;
    /* answers */
    int done, rc;           /* how many ran since desk_wait; the last one's code */
    struct settle_result settled;
    struct load_result loaded; /* envelopes: references held until desk_drop_loaded */
    char read[1 << 20];
    size_t read_n;
    char last_log[512];
};

/* A folder in /tmp, and an open store in it. Fails the test when it cannot be. */
void desk_open(struct desk *d);
/* Closes it and opens it anew, as after a normal stop. */
void desk_reopen(struct desk *d);
void desk_close_store(struct desk *d);
int desk_open_store(struct desk *d, struct fl_err *err);
/* Closes, and removes the folder. */
void desk_close(struct desk *d);
/* Runs until `count` answers came. */
void desk_wait(struct desk *d, int count);

/* A message with this text and these recipients ("queue-number local@domain"), not yet stored. */
struct envelope *desk_message(struct desk *d, const char *text, const char *job, const char *const *rcpts);
/* Stores it and waits. */
int desk_accept(struct desk *d, struct envelope *e, bool fresh);
/* One outcome, for one recipient or (number < 0) for all. */
void desk_settle(struct desk *d, struct envelope *e, int number, enum settle_kind kind, int64_t due_ms);
/* Loads into d->loaded. */
void desk_load(struct desk *d, uint64_t queue, int64_t until_ms, int limit);
void desk_drop_loaded(struct desk *d);
/* Reads all of a stored body into d->read. */
int desk_read(struct desk *d, struct body *b);
/* Takes the whole message out of the store. */
void desk_show(struct desk *d, const struct ulid *id);
/* Files in the folder whose name begins so. */
int desk_files(struct desk *d, const char *prefix);
/* Waits until there are so many: files go on a thread of its own. Fails the test when they stay. */
void desk_files_become(struct desk *d, const char *prefix, int count);

/* Callbacks for other calls, which count in d->done. */
void desk_on_done(void *desk, int rc);
void desk_on_loaded(void *desk, int rc, const struct load_result *r);
void desk_on_shown(void *desk, int rc, const struct load_result *r);
void desk_on_settled(void *desk, const struct settle_result *r);

#endif
