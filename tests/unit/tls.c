/* Tests of vmta/tls.c and tls_client.c, through streams over loopback (stream_tls_uv.c). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf.h"
#include "net_world.h"
#include "test_certificate.h"
#include "tls.h"

struct world {
    struct net *net;
    struct test_certificate ca, leaf;
    struct tls_server server;
    char ca_file[64];
};

static struct tls_server *the_server; /* for on_accept */

static void accept_with_tls(struct side *side)
{
    stream_start_tls_server(side->s, the_server);
}

static void serve(struct world *w, const char *name, int valid_days)
{
    test_certificate_free(&w->leaf);
    w->leaf = test_certificate_new(name, &w->ca, valid_days);
    SSL_CTX_use_certificate(w->server.context, w->leaf.x509);
    SSL_CTX_use_PrivateKey(w->server.context, w->leaf.key);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->net = net_new();
    w->ca = test_certificate_new("DNS:ca.test", NULL, 30);
    snprintf(w->ca_file, sizeof w->ca_file, "/tmp/fairlead-test-ca-%d.pem", (int)getpid());
    test_certificate_save(&w->ca, w->ca_file, NULL);
    w->server.context = SSL_CTX_new(TLS_server_method());
    serve(w, "DNS:mx.test", 30);
    the_server = &w->server;
    w->net->on_accept = accept_with_tls;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    net_free(w->net);
    unlink(w->ca_file);
    SSL_CTX_free(w->server.context);
    test_certificate_free(&w->leaf);
    test_certificate_free(&w->ca);
    free(w);
    return 0;
}

static struct tls_client_params verify_params(const struct world *w, const char *host)
{
    return (struct tls_client_params){ .host = host, .min_version = TLS_1_2, .ca_file = w->ca_file, .must_verify = true,
                                       .cache_key = SLICE("127.0.0.1 verify") };
}

static void connect_tls(struct world *w, struct side *c, const struct tls_client_params *params)
{
    side_connect(w->net, c);
    assert_true(net_run(w->net, side_is_connected, c));
    stream_start_tls_client(c->s, params);
    assert_true(net_run(w->net, side_is_shaken, c));
}

static void end_side(struct side *c)
{
    if (c->s)
        stream_abort(c->s);
    side_free(c);
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

static void a_trusted_host_is_verified_and_bytes_go_both_ways(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 };
    size_t size = 1 << 20;
    char *big = malloc(size);

    memset(big, 'z', size);
    w->net->echo = true;
    connect_tls(w, &c, &params);
    assert_false(c.ended);
    assert_true(c.verified);
    assert_string_equal(c.version, "TLSv1.3");
    assert_true(stream_is_tls(c.s));
    stream_write(c.s, slice_make(big, size));
    stream_flush(c.s);
    assert_true(net_run(w->net, has_bytes, &(struct wanted){ &c, size }));
    assert_memory_equal(buf_slice(&c.got).p, big, size);
    end_side(&c);
    free(big);
}

static void a_wrong_name_fails_where_verification_is_a_must(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "other.test");
    struct side c = { 0 };

    connect_tls(w, &c, &params);
    assert_int_equal(c.why, STREAM_TLS_FAILED);
    assert_non_null(strstr(c.text, "hostname mismatch"));
    end_side(&c);
}

static void a_wrong_name_is_recorded_where_it_is_not(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "other.test");
    struct side c = { 0 };

    params.must_verify = false;
    connect_tls(w, &c, &params);
    assert_false(c.ended);
    assert_false(c.verified);
    assert_true(c.has_certificate);
    assert_non_null(strstr(c.text, "hostname mismatch"));
    end_side(&c);
}

static void an_address_must_stand_in_the_certificate_as_one(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "127.0.0.1");
    struct side c = { 0 }, d = { 0 };

    params.host_is_address = true;
    serve(w, "DNS:127.0.0.1", 30);
    connect_tls(w, &c, &params);
    assert_int_equal(c.why, STREAM_TLS_FAILED);
    serve(w, "IP:127.0.0.1", 30);
    connect_tls(w, &d, &params);
    assert_true(d.verified);
    end_side(&c);
    end_side(&d);
}

static void an_expired_certificate_is_not_verified(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 };

    serve(w, "DNS:mx.test", -1);
    connect_tls(w, &c, &params);
    assert_int_equal(c.why, STREAM_TLS_FAILED);
    assert_non_null(strstr(c.text, "expired"));
    end_side(&c);
}

static void unreadable_trust_anchors_verify_nothing(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 };

    params.ca_file = "/nonexistent/ca.pem";
    connect_tls(w, &c, &params);
    assert_int_equal(c.why, STREAM_TLS_FAILED);
    end_side(&c);
}

static void an_old_version_is_refused_unless_allowed(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 }, d = { 0 };

    SSL_CTX_set_cipher_list(w->server.context, "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(w->server.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(w->server.context, TLS1_VERSION);
    connect_tls(w, &c, &params);
    assert_int_equal(c.why, STREAM_TLS_FAILED);
    params.min_version = TLS_1_0;
    connect_tls(w, &d, &params);
    assert_string_equal(d.version, "TLSv1");
    assert_true(d.verified);
    end_side(&c);
    end_side(&d);
}

/* The ticket of TLS 1.3 comes with the first bytes after the handshake. */
static void one_exchange(struct world *w, struct side *c, const struct tls_client_params *params)
{
    w->net->echo = true;
    connect_tls(w, c, params);
    stream_write(c->s, SLICE("NOOP\r\n"));
    assert_true(net_run(w->net, has_bytes, &(struct wanted){ c, 6 }));
}

static void a_session_is_resumed_for_the_same_host_source_and_policy_only(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c[5] = { 0 };

    one_exchange(w, &c[0], &params);
    one_exchange(w, &c[1], &params);
    assert_true(c[1].resumed);
    assert_true(c[1].verified);
    params.cache_key = SLICE("127.0.0.2 verify");
    one_exchange(w, &c[2], &params);
    assert_false(c[2].resumed);
    params.cache_key = SLICE("127.0.0.1 verify");
    params.must_verify = false;
    one_exchange(w, &c[3], &params);
    assert_false(c[3].resumed);
    params.must_verify = true;
    streams_forget_tls(w->net->streams);
    one_exchange(w, &c[4], &params);
    assert_false(c[4].resumed);
    for (int i = 0; i < 5; i++)
        end_side(&c[i]);
}

static void garbage_instead_of_a_handshake_fails(void **state)
{
    struct world *w = *state;
    char got[64];
    int fd = net_raw(w->net);

    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    net_run_ms(w->net, 20);
    assert_int_equal(w->net->side_count, 1);
    assert_true(net_run(w->net, side_has_ended, &w->net->sides[0]));
    assert_int_equal(w->net->sides[0].why, STREAM_TLS_FAILED);
    assert_int_equal(buf_len(&w->net->sides[0].got), 0);
    assert_true(read(fd, got, sizeof got) >= 0); /* an alert */
    close(fd);
}

static void a_peer_that_goes_in_the_handshake_is_an_eof_not_a_tls_failure(void **state)
{
    struct world *w = *state;
    int fd = net_raw(w->net);

    close(fd);
    net_run_ms(w->net, 20);
    assert_true(net_run(w->net, side_has_ended, &w->net->sides[0]));
    assert_int_equal(w->net->sides[0].why, STREAM_EOF);
}

/* A client that shakes hands, sends half a message, ends TLS and completes the message in clear. */
static void *half_a_message(void *arg)
{
    int fd = *(int *)arg;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    char got[256];

    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    SSL_write(ssl, "half\r\n", 6);
    SSL_shutdown(ssl);
    assert_int_equal(write(fd, ".\r\nMAIL FROM:<>\r\n", 17), 17);
    while (read(fd, got, sizeof got) > 0)
        continue;
    SSL_free(ssl);
    SSL_CTX_free(context);
    return NULL;
}

static bool first_has_ended(void *arg)
{
    struct net *n = arg;

    return n->side_count > 0 && n->sides[0].ended;
}

static void after_close_notify_no_clear_byte_is_read(void **state)
{
    struct world *w = *state;
    int fd = net_raw(w->net);
    pthread_t client;

    pthread_create(&client, NULL, half_a_message, &fd);
    assert_true(net_run(w->net, first_has_ended, w->net));
    net_run_ms(w->net, 50);
    pthread_join(client, NULL);
    close(fd);
    assert_int_equal(w->net->sides[0].why, STREAM_TLS_CLOSED);
    assert_int_equal(buf_len(&w->net->sides[0].got), 6);
}

static void close_sends_close_notify_after_the_last_bytes(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 };

    connect_tls(w, &c, &params);
    assert_true(net_run(w->net, side_is_shaken, &w->net->sides[0]));
    stream_write(w->net->sides[0].s, SLICE("221 bye\r\n"));
    stream_close(w->net->sides[0].s, 1000);
    assert_true(net_run(w->net, side_has_ended, &c));
    assert_int_equal(c.why, STREAM_TLS_CLOSED);
    assert_int_equal(buf_len(&c.got), 9);
    side_free(&c);
}

static void pause_then_count(struct side *side)
{
    stream_pause(side->s);
}

static void a_paused_stream_holds_what_is_decrypted(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 }, *server;
    size_t size = 300 << 10;
    char *big = calloc(1, size);

    connect_tls(w, &c, &params);
    server = &w->net->sides[0];
    net_run_ms(w->net, 20);
    server->on_read = pause_then_count;
    stream_write(c.s, slice_make(big, size));
    stream_flush(c.s);
    net_run_ms(w->net, 100);
    assert_int_equal(w->net->reads, 1);
    while (buf_len(&server->got) < size) {
        int64_t before = w->net->reads;

        stream_resume(server->s);
        net_run_ms(w->net, 10);
        assert_true(w->net->reads <= before + 1);
        assert_true(w->net->reads > 0);
    }
    end_side(&c);
    free(big);
}

static void start_tls_after_reply(struct side *side)
{
    stream_write(side->s, SLICE("220 ready\r\n"));
    stream_start_tls_server(side->s, the_server);
}

static void queued_output_goes_in_clear_before_the_handshake(void **state)
{
    struct world *w = *state;
    struct tls_client_params params = verify_params(w, "mx.test");
    struct side c = { 0 };

    w->net->on_accept = NULL;
    side_connect(w->net, &c);
    assert_true(net_run(w->net, side_is_connected, &c));
    net_run_ms(w->net, 20);
    w->net->sides[0].on_read = start_tls_after_reply;
    stream_write(c.s, SLICE("STARTTLS\r\n"));
    assert_true(net_run(w->net, has_bytes, &(struct wanted){ &c, 11 }));
    assert_memory_equal(buf_slice(&c.got).p, "220 ready\r\n", 11);
    w->net->sides[0].on_read = NULL;
    stream_start_tls_client(c.s, &params);
    stream_write(c.s, SLICE("EHLO a\r\n")); /* waits for the handshake */
    assert_true(net_run(w->net, side_is_shaken, &c));
    assert_true(c.verified);
    assert_true(net_run(w->net, has_bytes, &(struct wanted){ &w->net->sides[0], 18 }));
    end_side(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trusted_host_is_verified_and_bytes_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_name_fails_where_verification_is_a_must, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_name_is_recorded_where_it_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_must_stand_in_the_certificate_as_one, setup, teardown),
        cmocka_unit_test_setup_teardown(an_expired_certificate_is_not_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_trust_anchors_verify_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_version_is_refused_unless_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_is_resumed_for_the_same_host_source_and_policy_only, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_instead_of_a_handshake_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_goes_in_the_handshake_is_an_eof_not_a_tls_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(after_close_notify_no_clear_byte_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(close_sends_close_notify_after_the_last_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_stream_holds_what_is_decrypted, setup, teardown),
        cmocka_unit_test_setup_teardown(queued_output_goes_in_clear_before_the_handshake, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
