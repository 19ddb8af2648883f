/* net_world.c: see net_world.h. */
#include "net_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { NET_LOOK_MS = 5 };

static void on_connect(void *arg)
{
    ((struct side *)arg)->connected = true;
}

static void on_read(void *arg, struct slice in)
{
    struct side *side = arg;

    side->net->reads++;
    assert_true(in.n > 0);
    assert_int_equal(buf_add(&side->got, in), 0);
    if (side->echo) {
        stream_write(side->s, in);
        stream_flush(side->s);
    }
    if (side->pause_on_read)
        stream_pause(side->s);
    if (side->on_read)
        side->on_read(side);
}

static void on_tls(void *arg, const struct stream_tls_info *info)
{
    struct side *side = arg;

    side->shaken = true;
    side->verified = info->verified;
    side->resumed = info->resumed;
    side->trusted = info->peer_trusted;
    side->has_certificate = info->has_peer_certificate;
    snprintf(side->version, sizeof side->version, "%s", info->version);
    if (info->verify_error)
        snprintf(side->text, sizeof side->text, "%s", info->verify_error);
    if (side->on_tls)
        side->on_tls(side);
}

static void on_drain(void *arg)
{
    ((struct side *)arg)->drained++;
}

static void on_end(void *arg, enum stream_end why, const char *text)
{
    struct side *side = arg;

    assert_false(side->ended);
    side->ended = true;
    side->s = NULL;
    side->why = why;
    if (text)
        snprintf(side->text, sizeof side->text, "%s", text);
}

const struct stream_events side_events = {
    .on_connect = on_connect, .on_read = on_read, .on_tls = on_tls, .on_drain = on_drain, .on_end = on_end,
};

static void on_accepts(uv_poll_t *handle, int status, int events)
{
    struct net *n = handle->data;
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    int fd = accept4(n->fd, (struct sockaddr *)&sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct inet_endpoint peer;
    struct side *side;

    if (fd < 0)
        return;
    assert_true(n->side_count < NET_SIDES);
    peer = inet_from_sockaddr((struct sockaddr *)&sa);
    side = &n->sides[n->side_count++];
    side->net = n;
    side->echo = n->echo;
    assert_int_equal(streams_accept(n->streams, fd, &peer, &side->s), 0);
    stream_adopt(side->s, &side_events, side);
    if (n->on_accept)
        n->on_accept(side);
}

static void on_wake(uv_timer_t *handle)
{
    struct net *n = handle->data;

    timers_run(&n->timers, (int64_t)uv_now(&n->uv));
}

static void on_prepare(uv_prepare_t *handle)
{
    struct net *n = handle->data;
    int64_t next;

    do
        streams_turn(n->streams);
    while (streams_busy(n->streams));
    next = timers_next_ms(&n->timers);
    next = next == NEVER_MS ? NET_LOOK_MS : next - (int64_t)uv_now(&n->uv);
    if (next > NET_LOOK_MS) /* what the turn itself did may be all that is waited for */
        next = NET_LOOK_MS;
    uv_timer_start(&n->wake, on_wake, next > 0 ? (uint64_t)next : 0, 0);
}

static void listen_loopback(struct net *n)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof sa;

    n->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(n->fd >= 0);
    assert_int_equal(bind(n->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(n->fd, 2048), 0);
    getsockname(n->fd, (struct sockaddr *)&sa, &size);
    n->at = inet_from_sockaddr((struct sockaddr *)&sa);
}

struct net *net_new(void)
{
    struct net *n = calloc(1, sizeof *n);
    struct fl_err err;

    assert_non_null(n);
    uv_loop_init(&n->uv);
    timers_init(&n->timers);
    assert_int_equal(streams_new(&n->uv, &n->timers, &n->streams, &err), 0);
    uv_prepare_init(&n->uv, &n->prepare);
    n->prepare.data = n;
    uv_prepare_start(&n->prepare, on_prepare);
    uv_timer_init(&n->uv, &n->wake);
    n->wake.data = n;
    listen_loopback(n);
    uv_poll_init(&n->uv, &n->accepts, n->fd);
    n->accepts.data = n;
    uv_poll_start(&n->accepts, UV_READABLE, on_accepts);
    return n;
}

void net_free(struct net *n)
{
    streams_free(n->streams);
    uv_close((uv_handle_t *)&n->prepare, NULL);
    uv_close((uv_handle_t *)&n->wake, NULL);
    uv_close((uv_handle_t *)&n->accepts, NULL);
    uv_run(&n->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->uv), 0);
    close(n->fd);
    timers_free(&n->timers);
    for (int i = 0; i < n->side_count; i++)
        side_free(&n->sides[i]);
    free(n);
}

static void on_deadline(void *arg)
{
    *(bool *)arg = true;
}

bool net_run(struct net *n, bool (*done)(void *arg), void *arg)
{
    bool late = false;
    struct timer deadline;

    timer_init(&deadline, on_deadline, &late);
    uv_update_time(&n->uv);
    timer_set(&n->timers, &deadline, (int64_t)uv_now(&n->uv) + NET_WAIT_MS);
    while (!late && !done(arg))
        uv_run(&n->uv, UV_RUN_ONCE);
    timer_stop(&n->timers, &deadline);
    return !late;
}

void net_run_ms(struct net *n, int ms)
{
    bool late = false;
    struct timer deadline;

    timer_init(&deadline, on_deadline, &late);
    uv_update_time(&n->uv);
    timer_set(&n->timers, &deadline, (int64_t)uv_now(&n->uv) + ms);
    while (!late)
        uv_run(&n->uv, UV_RUN_ONCE);
}

void side_connect(struct net *n, struct side *side)
{
    struct inet_addr any = { 0 };

    side->net = n;
    assert_int_equal(stream_connect(n->streams, &any, &n->at, 5000, &side_events, side, &side->s), 0);
}

bool side_has_ended(void *side) { return ((struct side *)side)->ended; }
bool side_is_connected(void *side) { return ((struct side *)side)->connected; }
bool side_is_shaken(void *side) { return ((struct side *)side)->shaken || ((struct side *)side)->ended; }

void side_free(struct side *side)
{
    buf_free(&side->got);
}

int net_raw(struct net *n)
{
    struct sockaddr_storage sa;
    socklen_t size = inet_to_sockaddr(&n->at, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, size), 0);
    return fd;
}
