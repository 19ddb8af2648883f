/* stream_desk.c: see stream_desk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream_desk.h"

#include <stdio.h>
#include <stdlib.h>

static const char head[] = "server: {hostname: relay.test, data_dir: /tmp, user: \"\", postmaster: postmaster@relay.test}\n"
                           "listeners: [{address: \"127.0.0.1:2587\", role: submission, tls: none}]\n"
                           "sources: [{network: 127.0.0.0/8, require_starttls_before_auth: false}]\n";

static void load(struct stream_desk *d, const char *text)
{
    char *whole = malloc(sizeof head + strlen(text));

    assert_non_null(whole);
    strcpy(whole, head);
    strcat(whole, text);
    if (conf_desk_try(&d->conf, whole) < 0)
        for (int i = 0; i < d->conf.findings.count; i++)
            print_message("line %d: %s\n", d->conf.findings.items[i].at.line, d->conf.findings.items[i].text);
    assert_non_null(d->conf.conf);
    free(whole);
    queues_set_conf(&d->mta.queues, d->conf.conf);
    assert_int_equal(tenancy_set_conf(&d->mta.tenancy, d->conf.conf, d->now.mono_ms), 0);
}

void stream_desk_open(struct stream_desk *d, const char *text)
{
    *d = (struct stream_desk){ .now = { 1000000, 1700000000000 } };
    conf_desk_open(&d->conf);
    timers_init(&d->timers);
    d->mta.now = &d->now;
    d->mta.timers = &d->timers;
    rand_seed(&d->mta.rand, 1);
    d->mta.sites = (struct sites){ .rand = &d->mta.rand, .now = &d->now };
    queues_init(&d->mta.queues, &d->mta.tenancy, 1);
    load(d, text);
    sched_init(&d->mta.sched, &d->mta.queues, &d->mta.sites, &d->timers, &d->now, INT64_MAX);
}

void stream_desk_reload(struct stream_desk *d, const char *text)
{
    load(d, text);
}

void stream_desk_close(struct stream_desk *d)
{
    for (int i = 0; i < DESK_CONNECTIONS; i++)
        if (d->connection[i].used)
            sched_closed(&d->mta.sched, &d->connection[i].conn);
    while (d->mta.queues.by_name)
        stream_desk_remove(d, d->mta.queues.by_name);
    assert_int_equal(d->mta.queues.total.recipients, 0);
    assert_int_equal(d->mta.queues.memory_rcpts, 0);
    assert_null(d->mta.queues.messages);
    queues_free(&d->mta.queues);
    sched_free(&d->mta.sched);
    sites_free(&d->mta.sites);
    tenancy_free(&d->mta.tenancy);
    timers_free(&d->timers);
    conf_desk_close(&d->conf);
}

static void arrive(struct stream_desk *d, struct queue *q, const char *name)
{
    struct inet_addr addrs[8] = { { .family = 0 } };
    struct mx_target targets[8];
    struct mx_host host = { 10, name, false, addrs, 0 };
    struct site_key key = { .port = 25, .families = { 4, 0 } };
    int n = (int)strlen(name);

    for (int i = 0; i < n && i < 8; i++) {
        char text[16];

        snprintf(text, sizeof text, "127.1.0.%d", i + 1);
        assert_true(inet_addr_parse(slice_of(text), &addrs[i]));
        targets[i] = (struct mx_target){ addrs[i], 0 };
        key.hosts = key.hosts * 31 + (uint64_t)name[i];
    }
    host.addr_count = n;
    q->site = site_get(&d->mta.sites, &key);
    assert_non_null(q->site);
    assert_int_equal(site_fill(q->site, &host, 1, targets, n), 0);
    q->resolve = RESOLVE_DONE;
}

struct queue *stream_desk_queue(struct stream_desk *d, const char *tenant, const char *vmta, const char *domain, const char *site)
{
    struct queue *q = queues_get(&d->mta.queues, slice_of(tenant), slice_of(vmta), slice_of(domain), 0);

    assert_non_null(q);
    if (!q->site) {
        arrive(d, q, site);
        assert_int_equal(sched_attach(&d->mta.sched, q), 0);
    }
    return q;
}

struct queue_entry *stream_desk_message(struct stream_desk *d, struct queue *q, int rcpts, const char *reverse_path)
{
    struct envelope *env = envelope_new(rcpts);
    struct queue_entry *e;
    int *which = calloc((size_t)rcpts, sizeof *which);

    assert_true(env && which);
    for (int i = 0; i < 8; i++)
        env->id.b[i] = (uint8_t)(d->messages >> (8 * i));
    d->messages++;
    env->received_ms = d->now.wall_ms;
    env->expires_ms = d->now.wall_ms + DAY_MS;
    env->reverse_path = envelope_text(env, slice_of(reverse_path));
    env->tenant = envelope_text(env, q->key.tenant);
    env->size = 1000;
    for (int i = 0; i < rcpts; i++) {
        struct envelope_rcpt r = { .address = SLICE("b@two.test"), .queue = q->key };

        assert_non_null(envelope_add_rcpt(env, &r));
        which[i] = i;
    }
    e = queue_entry_new(&d->mta.queues, q, env, which, rcpts, false);
    assert_non_null(e);
    queue_count(&d->mta.queues, q, 1, rcpts, env->size);
    envelope_unref(env);
    free(which);
    sched_update(&d->mta.sched, q);
    return e;
}

void stream_desk_messages(struct stream_desk *d, struct queue *q, int count)
{
    for (int i = 0; i < count; i++)
        stream_desk_message(d, q, 1, "a@one.test");
}

void stream_desk_done(struct stream_desk *d, struct queue_entry *e)
{
    struct queue *q = e->queue;
    bool last = e->message->first == e && !e->next_of_message;
    int64_t size = e->env->size;

    if (e->state != ENTRY_SETTLING)
        queue_entry_move(e, ENTRY_SETTLING);
    queue_count(&d->mta.queues, q, last ? -1 : 0, -e->rcpt_count, last ? -size : 0);
    queue_entry_free(&d->mta.queues, e);
    sched_update(&d->mta.sched, q);
}

void stream_desk_remove(struct stream_desk *d, struct queue *q)
{
    struct queue_entry *e;

    while ((e = TAILQ_FIRST(&q->ready)) || (e = TAILQ_FIRST(&q->busy)))
        stream_desk_done(d, e);
    if (q->turns)
        sched_detach(&d->mta.sched, q);
    if (q->site)
        site_unref(&d->mta.sites, q->site);
    q->site = NULL;
    queue_count(&d->mta.queues, q, -q->messages, -q->recipients, -q->bytes);
    queues_remove(&d->mta.queues, q);
}

void stream_desk_pass(struct stream_desk *d, int64_t ms)
{
    int64_t end = d->now.mono_ms + ms;

    while (timers_next_ms(&d->timers) <= end) {
        int64_t at = timers_next_ms(&d->timers);

        if (at > d->now.mono_ms) {
            d->now.wall_ms += at - d->now.mono_ms;
            d->now.mono_ms = at;
        }
        timers_run(&d->timers, d->now.mono_ms);
    }
    d->now.wall_ms += end - d->now.mono_ms;
    d->now.mono_ms = end;
}
