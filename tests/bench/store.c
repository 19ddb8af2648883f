/* store.c: what the store costs: messages accepted and settled a second, the longest wait for an answer, flushes, and CPU of the
 * store thread a message, beside the bare fdatasync rate of the same disk; and how long a start takes beside a backlog.
 * usage: store_bench [--dir DIR] [--messages N] [--window N] [--size N] [--backlog N] */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "store_parts.h"

enum { QUEUES = 100, LOAD_LIMIT = 1000, PROBE_SYNCS = 200 };

struct bench {
    struct store *store;
    struct store_options options;
    struct body_budget budget;
    int wake_fd;
    char *text;
    size_t size;
    uint64_t next_id;
    long target, started, ended, in_flight;
    bool park;
    long loaded;
    uint64_t queue;
    double longest_s; /* from the hand-over of a message to its answer */
};

/* Callbacks get their message, and find the bench through it. */
struct mail {
    struct bench *bench;
    struct envelope *env;
    double posted_s;
};

static double now_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double thread_cpu(pthread_t thread)
{
    clockid_t clock;

    return pthread_getcpuclockid(thread, &clock) == 0 ? now_s(clock) : 0;
}

static int64_t wall_ms(void *arg)
{
    return (int64_t)(now_s(CLOCK_REALTIME) * 1000);
}

static void wake(void *arg)
{
    eventfd_write(((struct bench *)arg)->wake_fd, 1);
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "store_bench: %s failed\n", what);
        exit(1);
    }
}

static void turn(struct bench *b)
{
    struct pollfd p = { .fd = b->wake_fd, .events = POLLIN };
    eventfd_t n;

    store_flush(b->store);
    must(poll(&p, 1, 30000) == 1, "waiting for the store");
    eventfd_read(b->wake_fd, &n);
    store_dispatch(b->store);
}

static struct envelope *make_message(struct bench *b)
{
    struct envelope *e = envelope_new(1);
    char domain[32], address[64];
    uint64_t ms = (uint64_t)wall_ms(NULL), q = 1 + b->next_id % QUEUES;
    struct envelope_rcpt r = { .due_ms = (int64_t)ms };

    must(e != NULL, "envelope_new");
    for (int i = 0; i < 6; i++)
        e->id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b->next_id++;
    for (int i = 0; i < 8; i++)
        e->id.b[8 + i] = (uint8_t)(b->next_id >> (56 - 8 * i));
    snprintf(domain, sizeof domain, "domain-%u.test", (unsigned)q);
    snprintf(address, sizeof address, "user%u@%s", (unsigned)b->next_id, domain);
    e->tenant = SLICE("acme");
    e->client_ip = SLICE("192.0.2.1");
    e->reverse_path = SLICE("bounces+1234567@news.acme.test");
    e->received_ms = (int64_t)ms;
    e->expires_ms = (int64_t)ms + 5 * DAY_MS;
    e->size = (int64_t)b->size;
    r.address = slice_of(address);
    r.queue = (struct queue_key){ .id = q, .tenant = e->tenant, .vmta = SLICE("v1"), .domain = slice_of(domain) };
    e->body = body_new(&b->budget);
    must(e->body && envelope_add_rcpt(e, &r) && body_add(e->body, slice_make(b->text, b->size)) == 0, "making a message");
    return e;
}

static void on_settled(void *arg, const struct settle_result *r)
{
    struct mail *m = arg;

    must(r->message_gone, "settling");
    m->bench->ended++;
    m->bench->in_flight--;
    envelope_unref(m->env);
    free(m);
}

static void settle(struct mail *m)
{
    struct settle_rcpt r = { .number = m->env->rcpts[0].number, .kind = SETTLE_DELIVERED, .attempts = 1 };

    store_settle(m->bench->store, m->env, &r, 1, NULL, false, on_settled, m);
}

static void on_accepted(void *arg, int rc)
{
    struct mail *m = arg;

    double waited = now_s(CLOCK_MONOTONIC) - m->posted_s;

    must(rc == 0, "accepting");
    if (waited > m->bench->longest_s)
        m->bench->longest_s = waited;
    if (!m->bench->park) {
        settle(m);
        return;
    }
    m->bench->ended++;
    m->bench->in_flight--;
    envelope_unref(m->env);
    free(m);
}

static void run(struct bench *b, long count, long window, bool park)
{
    b->target = count;
    b->started = b->ended = b->in_flight = 0;
    b->park = park;
    while (b->ended < b->target) {
        while (b->in_flight < window && b->started < b->target) {
            struct mail *m = malloc(sizeof *m);

            must(m != NULL, "malloc");
            *m = (struct mail){ b, make_message(b), now_s(CLOCK_MONOTONIC) };
            store_accept(b->store, m->env, !park, on_accepted, m);
            b->in_flight++;
            b->started++;
        }
        turn(b);
    }
}

static void on_loaded(void *arg, int rc, const struct load_result *r)
{
    struct bench *b = arg;

    must(rc == 0, "loading");
    b->loaded = r->count;
    for (int i = 0; i < r->count; i++) {
        struct mail *m = malloc(sizeof *m);

        must(m != NULL, "malloc");
        *m = (struct mail){ .bench = b, .env = r->envelopes[i] };
        b->in_flight++;
        settle(m);
    }
}

static void drain(struct bench *b, long count)
{
    b->ended = b->in_flight = 0;
    for (b->queue = 1; b->ended < count; b->queue = b->queue % QUEUES + 1) {
        b->loaded = -1;
        store_load(b->store, b->queue, NEVER_MS, NULL, LOAD_LIMIT, on_loaded, b);
        while (b->loaded < 0 || b->in_flight > 0)
            turn(b);
    }
}

/* What the disk itself can do. */
static double sync_rate(const char *dir)
{
    char name[4096], block[4096] = { 0 };
    double began;
    int fd;

    snprintf(name, sizeof name, "%s/probe", dir);
    fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    must(fd >= 0, "opening the probe");
    must(posix_fallocate(fd, 0, PROBE_SYNCS * (off_t)sizeof block) == 0, "allocating the probe");
    began = now_s(CLOCK_MONOTONIC);
    for (int i = 0; i < PROBE_SYNCS; i++)
        must(pwrite(fd, block, sizeof block, (off_t)i * (off_t)sizeof block) == sizeof block && fdatasync(fd) == 0,
             "the probe");
    began = now_s(CLOCK_MONOTONIC) - began;
    close(fd);
    unlink(name);
    return PROBE_SYNCS / began;
}

static void report(struct bench *b, const char *what, long count, double seconds, double cpu, const struct store_stats *before)
{
    struct store_stats after;

    store_stats(b->store, &after);
    printf(
        "%-16s %8.0f messages/s  %6.2f us CPU of the store thread a message  %.3f flushes a message  %.1f messages a commit  "
        "longest wait %.1f ms\n",
        what, (double)count / seconds, cpu * 1e6 / (double)count, (double)(after.flushes - before->flushes) / (double)count,
        (double)count / (double)(after.commits - before->commits), b->longest_s * 1e3);
}

static void open_it(struct bench *b)
{
    struct fl_err err;

    if (store_open(&b->options, &b->store, &err) < 0) {
        fprintf(stderr, "store_bench: %s\n", err.text);
        exit(1);
    }
}

static void timed(struct bench *b, const char *what, long count, long window, void (*go)(struct bench *, long, long))
{
    struct store_stats before;
    double began = now_s(CLOCK_MONOTONIC), cpu = thread_cpu(b->store->writer_thread);

    store_stats(b->store, &before);
    b->longest_s = 0;
    go(b, count, window);
    report(b, what, count, now_s(CLOCK_MONOTONIC) - began, thread_cpu(b->store->writer_thread) - cpu, &before);
}

static void go_through(struct bench *b, long count, long window)
{
    run(b, count, window, false);
}

static void go_park(struct bench *b, long count, long window)
{
    run(b, count, window, true);
}

static void go_drain(struct bench *b, long count, long window)
{
    drain(b, count);
}

static void beside_a_backlog(struct bench *b, long backlog, long messages, long window)
{
    double began;

    timed(b, "park", backlog, window, go_park);
    store_close(b->store);
    began = now_s(CLOCK_MONOTONIC);
    open_it(b);
    printf("start beside %ld parked messages: %.3f s\n", backlog, now_s(CLOCK_MONOTONIC) - began);
    store_forget_recovered(b->store);
    timed(b, "through, beside", messages, window, go_through);
    timed(b, "drain", backlog, window, go_drain);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "dir", 1, 0, 'd' },  { "messages", 1, 0, 'm' }, { "window", 1, 0, 'w' },
                                             { "size", 1, 0, 's' }, { "backlog", 1, 0, 'b' },  { 0 } };
    struct bench b = { .size = 4096 };
    long messages = 20000, window = 50, backlog = 20000;
    char temporary[] = "/tmp/fairlead-bench-XXXXXX";
    const char *dir = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd': dir = optarg; break;
        case 'm': messages = atol(optarg); break;
        case 'w': window = atol(optarg); break;
        case 's': b.size = (size_t)atol(optarg); break;
        case 'b': backlog = atol(optarg); break;
        default: return 2;
        }
    }
    if (!dir)
        dir = mkdtemp(temporary);
    must(dir != NULL, "making a folder");
    b.text = malloc(b.size + 1);
    must(b.text != NULL, "malloc");
    memset(b.text, 'x', b.size);
    b.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b.options = (struct store_options){
        .data_dir = dir, .group_max_messages = 1000, .group_max_bytes = 16 << 20, .budget = &b.budget, .wall_ms = wall_ms,
        .wake = wake, .wake_arg = &b, .max_fresh_at_start = 100000,
    };
    printf("bare fdatasync: %.0f/s\n", sync_rate(dir));
    open_it(&b);
    store_forget_recovered(b.store);
    timed(&b, "through", messages, window, go_through);
    if (backlog > 0)
        beside_a_backlog(&b, backlog, messages, window);
    store_close(b.store);
    free(b.text);
    close(b.wake_fd);
    if (dir == temporary)
        printf("left behind: %s\n", dir);
    return 0;
}
