/* Tests of vmta/stream_uv.c and stream_io_uv.c over loopback, in clear. Under TLS: tls.c beside this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net_world.h"

static int setup(void **state)
{
    *state = net_new();
    return 0;
}

static int teardown(void **state)
{
    net_free(*state);
    return 0;
}

struct wanted {
    struct side *side;
    size_t n;
};

static bool has_bytes(void *arg)
{
    struct wanted *w = arg;

    return buf_len(&w->side->got) >= w->n || w->side->ended;
}

static bool has_accepted(void *arg)
{
    return ((struct net *)arg)->side_count > 0;
}

static void bytes_go_both_ways(void **state)
{
    struct net *n = *state;
    struct side c = { 0 };

    n->echo = true;
    side_connect(n, &c);
    assert_true(net_run(n, side_is_connected, &c));
    stream_write(c.s, SLICE("EHLO one\r\n"));
    stream_write(c.s, SLICE("NOOP\r\n"));
    assert_int_equal(stream_queued(c.s), 16);
    stream_flush(c.s);
    assert_int_equal(stream_queued(c.s), 0);
    assert_true(net_run(n, has_bytes, &(struct wanted){ &c, 16 }));
    assert_memory_equal(buf_slice(&c.got).p, "EHLO one\r\nNOOP\r\n", 16);
    assert_int_equal(stream_local(c.s).port, stream_peer(n->sides[0].s).port);
    stream_abort(c.s);
    assert_true(net_run(n, side_has_ended, &n->sides[0]));
    assert_int_equal(n->sides[0].why, STREAM_EOF);
    side_free(&c);
}

static void what_is_written_while_connecting_goes_out_by_the_turn(void **state)
{
    struct net *n = *state;
    struct side c = { 0 };

    n->echo = true;
    side_connect(n, &c);
    stream_write(c.s, SLICE("early"));
    assert_true(net_run(n, has_bytes, &(struct wanted){ &c, 5 }));
    stream_abort(c.s);
    side_free(&c);
}

static void a_body_goes_between_bytes_in_order(void **state)
{
    struct net *n = *state;
    struct body_budget budget = { 0 };
    struct body *body = body_new(&budget);
    struct side c = { 0 };
    char block[1000];

    n->echo = true;
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 300; i++)
        assert_int_equal(body_add(body, slice_make(block, sizeof block)), 0);
    side_connect(n, &c);
    assert_true(net_run(n, side_is_connected, &c));
    stream_write(c.s, SLICE("<"));
    stream_write_body(c.s, body, 10, 250000);
    stream_write(c.s, SLICE(">."));
    body_unref(body);
    assert_true(net_run(n, has_bytes, &(struct wanted){ &c, 250003 }));
    assert_int_equal(buf_slice(&c.got).p[0], '<');
    assert_int_equal(buf_slice(&c.got).p[250000], 'x');
    assert_memory_equal(buf_slice(&c.got).p + 250001, ">.", 2);
    stream_abort(c.s);
    side_free(&c);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void a_closed_port_is_refused(void **state)
{
    struct net *n = *state;
    struct inet_endpoint nobody = n->at;
    struct inet_addr any = { 0 };
    struct side c = { .net = n };

    nobody.port = 1;
    assert_int_equal(stream_connect(n->streams, &any, &nobody, 1000, &side_events, &c, &c.s), 0);
    assert_false(c.ended);
    assert_true(net_run(n, side_has_ended, &c));
    assert_int_equal(c.why, STREAM_REFUSED);
}

static void a_source_that_is_not_ours_is_unreachable(void **state)
{
    struct net *n = *state;
    struct inet_addr foreign = { .family = 4, .b = { 192, 0, 2, 1 } };
    struct side c = { .net = n };

    assert_int_equal(stream_connect(n->streams, &foreign, &n->at, 1000, &side_events, &c, &c.s), 0);
    assert_false(c.ended);
    assert_true(net_run(n, side_has_ended, &c));
    assert_int_equal(c.why, STREAM_UNREACHABLE);
}

static void a_source_address_is_used(void **state)
{
    struct net *n = *state;
    struct inet_addr source = { .family = 4, .b = { 127, 0, 0, 77 } };
    struct side c = { .net = n };
    struct inet_endpoint peer;

    assert_int_equal(stream_connect(n->streams, &source, &n->at, 1000, &side_events, &c, &c.s), 0);
    assert_true(net_run(n, has_accepted, n));
    peer = stream_peer(n->sides[0].s);
    assert_true(inet_addr_eq(&peer.addr, &source));
    stream_abort(c.s);
}

static void a_connection_that_nobody_answers_times_out(void **state)
{
    struct net *n = *state;
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof sa;
    struct inet_addr any = { 0 };
    struct inet_endpoint full;
    struct side c[4] = { 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0), timeouts = 0;

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&sa, &size);
    full = inet_from_sockaddr((struct sockaddr *)&sa);
    for (int i = 0; i < 4; i++) {
        c[i].net = n;
        assert_int_equal(stream_connect(n->streams, &any, &full, 300, &side_events, &c[i], &c[i].s), 0);
    }
    net_run_ms(n, 800);
    for (int i = 0; i < 4; i++) {
        if (c[i].ended && c[i].why == STREAM_TIMEOUT)
            timeouts++;
        else
            stream_abort(c[i].s);
    }
    assert_true(timeouts >= 1);
    close(fd);
}

static void bytes_before_a_reset_are_read(void **state)
{
    struct net *n = *state;
    struct linger hard = { .l_onoff = 1 };
    int fd = net_raw(n);

    assert_int_equal(write(fd, "421 gone\r\n", 10), 10);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    assert_true(net_run(n, has_accepted, n));
    assert_true(net_run(n, side_has_ended, &n->sides[0]));
    assert_int_equal(n->sides[0].why, STREAM_RESET);
    assert_int_equal(buf_len(&n->sides[0].got), 10);
}

static void pause_at_first(struct side *side)
{
    side->pause_on_read = true;
}

static void a_paused_stream_reads_nothing_until_it_is_resumed(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    int fd;

    n->on_accept = pause_at_first;
    fd = net_raw(n);
    assert_int_equal(write(fd, "one", 3), 3);
    assert_true(net_run(n, has_accepted, n));
    assert_true(net_run(n, has_bytes, &(struct wanted){ server, 3 }));
    assert_int_equal(write(fd, "two", 3), 3);
    net_run_ms(n, 100);
    assert_int_equal(buf_len(&server->got), 3);
    stream_resume(server->s);
    assert_true(net_run(n, has_bytes, &(struct wanted){ server, 6 }));
    close(fd);
    stream_resume(server->s);
    assert_true(net_run(n, side_has_ended, server));
    assert_int_equal(server->why, STREAM_EOF);
}

static void a_slow_reader_is_waited_for_and_drains(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    size_t size = 8 << 20, got = 0;
    char *big = malloc(size), piece[65536];
    int fd = net_raw(n);

    memset(big, 'b', size);
    assert_true(net_run(n, has_accepted, n));
    stream_write(server->s, slice_make(big, size));
    stream_flush(server->s);
    assert_true(stream_queued(server->s) > STREAM_HIGH_WATER);
    net_run_ms(n, 50);
    assert_int_equal(server->drained, 0);
    while (got < size) {
        ssize_t k = read(fd, piece, sizeof piece);

        assert_true(k > 0);
        got += (size_t)k;
        uv_run(&n->uv, UV_RUN_NOWAIT);
    }
    net_run_ms(n, 20);
    assert_int_equal(server->drained, 1);
    assert_int_equal(stream_queued(server->s), 0);
    close(fd);
    free(big);
    assert_true(net_run(n, side_has_ended, server));
}

static void close_sends_all_and_waits_for_the_peer(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    char got[64];
    int fd = net_raw(n);

    assert_int_equal(write(fd, "QUIT\r\n", 6), 6);
    assert_true(net_run(n, has_accepted, n));
    stream_write(server->s, SLICE("421 too many\r\n"));
    stream_close(server->s, 1000);
    assert_false(server->ended);
    assert_true(net_run(n, side_has_ended, server));
    assert_int_equal(server->why, STREAM_CLOSED_BY_US);
    /* what was sent meanwhile does not turn the close into a reset */
    assert_int_equal(write(fd, "MAIL FROM:<>\r\n", 14), 14);
    net_run_ms(n, 20);
    assert_int_equal(read(fd, got, sizeof got), 14);
    assert_int_equal(read(fd, got, sizeof got), 0);
    close(fd);
    net_run_ms(n, 20);
    assert_int_equal(streams_count(n->streams), 0);
}

static void close_gives_up_when_the_grace_is_over(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    size_t size = 32 << 20;
    char *big = calloc(1, size);
    int fd = net_raw(n);

    assert_true(net_run(n, has_accepted, n));
    stream_write(server->s, slice_make(big, size));
    uv_update_time(&n->uv);
    stream_close(server->s, 300);
    net_run_ms(n, 50);
    assert_false(server->ended);
    assert_true(net_run(n, side_has_ended, server));
    assert_int_equal(server->why, STREAM_CLOSED_BY_US);
    close(fd);
    free(big);
}

static void abort_inside(struct side *side)
{
    stream_write(side->s, SLICE("never seen"));
    stream_abort(side->s);
    side->s = NULL;
}

static void abort_inside_a_callback_ends_without_another(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    char got[8];
    int fd = net_raw(n);

    assert_true(net_run(n, has_accepted, n));
    server->on_read = abort_inside;
    assert_int_equal(write(fd, "x", 1), 1);
    net_run_ms(n, 50);
    assert_false(server->ended);
    assert_int_equal(read(fd, got, sizeof got), 0);
    assert_int_equal(streams_count(n->streams), 0);
    close(fd);
}

static void give_back(struct side *side)
{
    side->on_read = NULL;
    assert_int_equal(stream_unread(side->s, slice_skip(buf_slice(&side->got), 5)), 0);
    buf_clear(&side->got);
    stream_adopt(side->s, &side_events, side);
}

static void bytes_given_back_are_read_by_who_adopts_next(void **state)
{
    struct net *n = *state;
    struct side *server = &n->sides[0];
    int fd = net_raw(n);

    assert_true(net_run(n, has_accepted, n));
    server->on_read = give_back;
    assert_int_equal(write(fd, "PROXYEHLO", 9), 9);
    assert_true(net_run(n, has_bytes, &(struct wanted){ server, 4 }));
    assert_int_equal(write(fd, " a", 2), 2);
    assert_true(net_run(n, has_bytes, &(struct wanted){ server, 6 }));
    assert_memory_equal(buf_slice(&server->got).p, "EHLO a", 6);
    close(fd);
    assert_true(net_run(n, side_has_ended, server));
}

struct crowd {
    struct side *sides;
    int count;
};

static bool all_echoed(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < crowd->count; i++)
        if (buf_len(&crowd->sides[i].got) < 6)
            return false;
    return true;
}

static void a_thousand_connections_live_at_once(void **state)
{
    struct net *n = *state;
    struct crowd crowd = { .count = 1000, .sides = calloc(1000, sizeof(struct side)) };

    n->echo = true;
    for (int i = 0; i < crowd.count; i++) {
        side_connect(n, &crowd.sides[i]);
        stream_write(crowd.sides[i].s, SLICE("NOOP\r\n"));
    }
    assert_true(net_run(n, all_echoed, &crowd));
    assert_int_equal(streams_count(n->streams), 2000);
    for (int i = 0; i < crowd.count; i++) {
        stream_close(crowd.sides[i].s, 100);
        side_free(&crowd.sides[i]);
        crowd.sides[i].net = n;
    }
    net_run_ms(n, 200);
    for (int i = 0; i < crowd.count; i++) {
        assert_true(crowd.sides[i].ended);
        assert_int_equal(n->sides[i].why, STREAM_EOF);
    }
    free(crowd.sides);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_while_connecting_goes_out_by_the_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_goes_between_bytes_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_port_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_is_not_ours_is_unreachable, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_address_is_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_that_nobody_answers_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_before_a_reset_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_stream_reads_nothing_until_it_is_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_is_waited_for_and_drains, setup, teardown),
        cmocka_unit_test_setup_teardown(close_sends_all_and_waits_for_the_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(close_gives_up_when_the_grace_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(abort_inside_a_callback_ends_without_another, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_given_back_are_read_by_who_adopts_next, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thousand_connections_live_at_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
