/* store_desk.c: see store_desk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "store_desk.h"

enum { PATIENCE_MS = 20000 };

static int64_t wall(void *arg)
{
    return ((struct desk *)arg)->wall_ms;
}

static void wake(void *arg)
{
    eventfd_write(((struct desk *)arg)->wake_fd, 1);
}

static void sink(void *arg, enum log_level level, struct slice line)
{
    struct desk *d = arg;

    snprintf(d->last_log, sizeof d->last_log, "%.*s", SLICE_ARG(line));
}

int desk_open_store(struct desk *d, struct fl_err *err)
{
    return store_open(&d->options, &d->store, err);
}

void desk_open(struct desk *d)
{
    struct fl_err err = { 0 };

    memset(d, 0, sizeof *d);
    strcpy(d->dir, "/tmp/fairlead-store-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->wall_ms = 1764000000000;
    d->log = (struct log){ .level = LOG_LEVEL_INFO, .sink = sink, .wall_ms = wall, .arg = d };
    d->options = (struct store_options){
        .data_dir = d->dir,
        .group_max_messages = 1000,
        .group_max_bytes = 16 << 20,
        .budget = &d->budget,
        .log = &d->log,
        .wall_ms = wall,
        .wall_arg = d,
        .wake = wake,
        .wake_arg = d,
        .max_fresh_at_start = 1000,
    };
    if (desk_open_store(d, &err) < 0)
        fail_msg("%s", err.text);
}

void desk_close_store(struct desk *d)
{
    store_close(d->store);
    d->store = NULL;
}

void desk_reopen(struct desk *d)
{
    struct fl_err err = { 0 };

    desk_close_store(d);
    if (desk_open_store(d, &err) < 0)
        fail_msg("%s", err.text);
}

static int each_file(struct desk *d, const char *prefix, bool remove)
{
    DIR *dir = opendir(d->dir);
    const struct dirent *e;
    int count = 0;

    while (dir && (e = readdir(dir))) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        count++;
        if (remove)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
    return count;
}

int desk_files(struct desk *d, const char *prefix)
{
    return each_file(d, prefix, false);
}

void desk_close(struct desk *d)
{
    desk_drop_loaded(d);
    desk_close_store(d);
    each_file(d, "", true);
    rmdir(d->dir);
    close(d->wake_fd);
    assert_int_equal(d->budget.used, 0);
}

void desk_wait(struct desk *d, int count)
{
    int before = d->done;

    store_flush(d->store);
    while (d->done - before < count) {
        struct pollfd p = { .fd = d->wake_fd, .events = POLLIN };
        eventfd_t n;

        if (poll(&p, 1, PATIENCE_MS) == 0)
            fail_msg("the store does not answer");
        eventfd_read(d->wake_fd, &n);
        store_dispatch(d->store);
        store_flush(d->store);
    }
}

void desk_on_done(void *desk, int rc)
{
    struct desk *d = desk;

    d->rc = rc;
    d->done++;
}

void desk_on_settled(void *desk, const struct settle_result *r)
{
    struct desk *d = desk;

    d->settled = *r;
    d->done++;
}

void desk_drop_loaded(struct desk *d)
{
    for (int i = 0; i < d->loaded.count; i++)
        envelope_unref(d->loaded.envelopes[i]);
    free(d->loaded.envelopes);
    d->loaded = (struct load_result){ 0 };
}

static void keep(struct desk *d, int rc, const struct load_result *r, bool more_references)
{
    desk_drop_loaded(d);
    d->rc = rc;
    d->done++;
    d->loaded = *r;
    d->loaded.envelopes = malloc((size_t)(r->count + 1) * sizeof(struct envelope *));
    for (int i = 0; i < r->count; i++)
        d->loaded.envelopes[i] = more_references ? envelope_ref(r->envelopes[i]) : r->envelopes[i];
}

void desk_on_loaded(void *desk, int rc, const struct load_result *r)
{
    keep(desk, rc, r, false);
}

void desk_on_shown(void *desk, int rc, const struct load_result *r)
{
    keep(desk, rc, r, true);
}

struct envelope *desk_message(struct desk *d, const char *text, const char *job, const char *const *rcpts)
{
    struct envelope *e = envelope_new(1);
    uint64_t ms = (uint64_t)d->wall_ms;

    assert_non_null(e);
    d->next_id++;
    for (int i = 0; i < 6; i++)
        e->id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    for (int i = 0; i < 8; i++)
        e->id.b[8 + i] = (uint8_t)(d->next_id >> (56 - 8 * i));
    e->tenant = SLICE("acme");
    e->user = SLICE("mailer");
    e->reverse_path = SLICE("sender@acme.test");
    e->job = job ? envelope_text(e, slice_of(job)) : SLICE_NONE;
    e->received_ms = d->wall_ms;
    e->expires_ms = d->wall_ms + 5 * DAY_MS;
    e->size = (int64_t)strlen(text);
    e->body = body_new(&d->budget);
    assert_int_equal(body_add(e->body, slice_of(text)), 0);
    for (; *rcpts; rcpts++) {
        struct slice rest = slice_of(*rcpts), domain = rest, id = slice_cut(&rest, ' ');
        struct envelope_rcpt r = { .queue = { .tenant = e->tenant, .vmta = SLICE("v1") }, .address = rest };

        domain = rest;
        slice_cut(&domain, '@');
        r.queue.domain = domain;
        assert_true(slice_to_u64(id, UINT64_MAX, &r.queue.id));
        assert_non_null(envelope_add_rcpt(e, &r));
    }
    return e;
}

int desk_accept(struct desk *d, struct envelope *e, bool fresh)
{
    store_accept(d->store, e, fresh, desk_on_done, d);
    desk_wait(d, 1);
    return d->rc;
}

void desk_settle(struct desk *d, struct envelope *e, int number, enum settle_kind kind, int64_t due_ms)
{
    struct settle_rcpt rcpts[64];
    int count = 0;

    for (int i = 0; i < e->rcpt_count; i++)
        if (number < 0 || e->rcpts[i].number == (uint32_t)number)
            rcpts[count++] = (struct settle_rcpt){
                .number = e->rcpts[i].number,
                .kind = kind,
                .attempts = e->rcpts[i].attempts + 1,
                .due_ms = due_ms,
                .reply = { .time_ms = d->wall_ms,
                           .stage = STAGE_RCPT,
                           .code = 451,
                           .enhanced = SLICE("4.7.1"),
                           .text = SLICE("later"),
                           .mx = SLICE("mx.two.test") },
            };
    store_settle(d->store, e, rcpts, count, NULL, false, desk_on_settled, d);
    desk_wait(d, 1);
}

void desk_load(struct desk *d, uint64_t queue, int64_t until_ms, int limit)
{
    store_load(d->store, queue, until_ms, NULL, limit, desk_on_loaded, d);
    desk_wait(d, 1);
}

static void on_read(void *desk, int rc, struct slice bytes)
{
    struct desk *d = desk;

    d->rc = rc;
    d->done++;
    assert_true(d->read_n + bytes.n <= sizeof d->read);
    if (bytes.n)
        memcpy(d->read + d->read_n, bytes.p, bytes.n);
    d->read_n += bytes.n;
}

int desk_read(struct desk *d, struct body *b)
{
    d->read_n = 0;
    while (d->read_n < body_length(b)) {
        size_t before = d->read_n;

        store_read(d->store, b, d->read_n, 100000, on_read, d);
        desk_wait(d, 1);
        if (d->rc < 0 || d->read_n == before)
            break;
    }
    return d->rc;
}

void desk_show(struct desk *d, const struct ulid *id)
{
    store_show(d->store, id, desk_on_shown, d);
    desk_wait(d, 1);
}

void desk_files_become(struct desk *d, const char *prefix, int count)
{
    for (int i = 0; i < 1000 && desk_files(d, prefix) != count; i++)
        usleep(10000);
    assert_int_equal(desk_files(d, prefix), count);
}
