/* session_body.c: see session_body.h. */
#include "session_body.h"

#include "header.h"

void session_body_begin(struct session_body *b, struct store *store, struct body_budget *budget, bool raw,
                        void (*written)(void *arg), void *arg)
{
    *b = (struct session_body){ .store = store, .open = true, .written = written, .arg = arg };
    b->body = body_new(budget);
    if (!b->body)
        b->error = FL_ENOMEM;
    else
        body_set_raw(b->body, raw);
}

/* The error stands for all that follows; what was kept is of no use any more. */
static void fail(struct session_body *b, int rc)
{
    if (b->spool)
        store_spool_abort(b->spool);
    body_unref(b->body);
    b->spool = NULL;
    b->body = NULL;
    b->error = rc;
}

/* Whether the header block has come to its end, or is too large in any case. It must stay in memory: ingest reads and rewrites
 * it. */
static bool header_is_whole(struct session_body *b)
{
    uint64_t length = body_length(b->body);
    struct slice front;

    if (length > HEADER_BYTES_MAX)
        return true;
    front = body_front(b->body, (size_t)length);
    return slice_starts_nocase(front, SLICE("\r\n")) || slice_find_slice(front, SLICE("\r\n\r\n")) < front.n;
}

void session_body_add(struct session_body *b, struct slice bytes, int64_t spool_after)
{
    int rc = 0;

    if (b->error)
        return;
    if (!b->spool && body_length(b->body) + bytes.n > (uint64_t)spool_after && header_is_whole(b)) {
        rc = store_spool_open(b->store, &b->spool);
        if (rc == 0)
            store_spool_on_written(b->spool, b->written, b->arg);
    }
    if (rc == 0)
        rc = b->spool ? store_spool_add(b->spool, bytes) : body_add(b->body, bytes);
    if (rc < 0)
        fail(b, rc);
}

static void spool_finished(void *arg, int rc)
{
    struct session_body *b = arg;

    b->finishing = false;
    b->spool = NULL;
    b->done(b->arg, rc);
}

void session_body_finish(struct session_body *b, store_done *done, void *arg)
{
    b->open = false;
    b->done = done;
    b->arg = arg;
    if (b->error || !b->spool) {
        done(arg, b->error);
        return;
    }
    b->finishing = true;
    store_spool_on_written(b->spool, NULL, NULL);
    store_spool_finish(b->spool, b->body, spool_finished, b);
}

struct body *session_body_take(struct session_body *b)
{
    struct body *body = b->body;

    b->body = NULL;
    return body;
}

void session_body_drop(struct session_body *b)
{
    if (b->finishing)
        return;
    fail(b, 0);
    b->open = false;
}

bool session_body_is_open(const struct session_body *b) { return b->open; }
bool session_body_is_finishing(const struct session_body *b) { return b->finishing; }

bool session_body_must_wait(const struct session_body *b)
{
    return b->spool && store_spool_waiting(b->spool) > SESSION_SPOOL_WAITING_MAX;
}

struct ingest_reply session_body_reply(int rc)
{
    if (rc == FL_EFULL || rc == FL_ENOMEM || rc == FL_ELIMIT)
        return (struct ingest_reply){ 452, "4.3.1", "Insufficient system storage" };
    return (struct ingest_reply){ 451, "4.3.0", "The message could not be stored, try again later" };
}
