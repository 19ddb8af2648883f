/* Tests of daemon/proxy_protocol.c: each header whole, and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy_protocol.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_TCP4 V2 "\x21\x11\0\x0c" "\xc0\0\2\1" "\x7f\0\0\1" "\x9c\x40" "\0\x19"

struct sample {
    const char *bytes;
    size_t n;
    enum proxy_result result;
    const char *peer; /* of PROXY_CLIENT */
};

#define SAMPLE(literal, ...) { literal, sizeof(literal) - 1, __VA_ARGS__ }

static const struct sample samples[] = {
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 40000 25\r\n", PROXY_CLIENT, "192.0.2.1:40000"),
    SAMPLE("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", PROXY_CLIENT, "[2001:db8::1]:1"),
    SAMPLE("PROXY TCP6 ::ffff:192.0.2.1 ::1 7 25\r\n", PROXY_CLIENT, "192.0.2.1:7"),
    SAMPLE("PROXY UNKNOWN\r\n", PROXY_LOCAL, NULL),
    SAMPLE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", PROXY_LOCAL, NULL),
    SAMPLE(V2_TCP4, PROXY_CLIENT, "192.0.2.1:40000"),
    SAMPLE(V2 "\x21\x21\0\x24" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" "\0\1" "\0\x19",
           PROXY_CLIENT, "[2001:db8::1]:1"),
    SAMPLE(V2 "\x21\x21\0\x24" "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" "\0\1" "\0\x19",
           PROXY_CLIENT, "192.0.2.1:1"),
    SAMPLE(V2 "\x21\x11\0\x10" "\xc0\0\2\1" "\x7f\0\0\1" "\x9c\x40" "\0\x19" "\3\0\1x", /* with a TLV */
           PROXY_CLIENT, "192.0.2.1:40000"),
    SAMPLE(V2 "\x20\0\0\0", PROXY_LOCAL, NULL),
    SAMPLE(V2 "\x20\x11\0\4abcd", PROXY_LOCAL, NULL), /* LOCAL: whatever follows is passed over */
};

static const struct sample broken[] = {
    SAMPLE("EHLO client.test\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY  TCP4 192.0.2.1 127.0.0.1 1 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 1 25\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 2001:db8::1 127.0.0.1 1 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP6 192.0.2.1 127.0.0.1 1 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 65536 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 01 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 1 25 \r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.1 127.0.0.1 1\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY TCP4 192.0.2.256 127.0.0.1 1 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY UDP4 192.0.2.1 127.0.0.1 1 25\r\n", PROXY_BROKEN, NULL),
    SAMPLE("PROXY \r\n", PROXY_BROKEN, NULL),
    SAMPLE(V2 "\x31\x11\0\x0c", PROXY_BROKEN, NULL),     /* version 3 */
    SAMPLE(V2 "\x22\x11\0\x0c", PROXY_BROKEN, NULL),     /* no such command */
    SAMPLE(V2 "\x21\x11\0\x0b", PROXY_BROKEN, NULL),     /* too short for its family */
    SAMPLE(V2 "\x21\x11\xff\xff", PROXY_BROKEN, NULL),   /* longer than we take */
    SAMPLE(V2 "\x21\x12\0\0", PROXY_BROKEN, NULL),       /* UDP */
    SAMPLE(V2 "\x21\x31\0\0", PROXY_BROKEN, NULL),       /* a Unix socket */
    SAMPLE("\r\n\r\n\0\r\nQUIX", PROXY_BROKEN, NULL),
};

enum { SAMPLES = sizeof samples / sizeof samples[0], BROKEN = sizeof broken / sizeof broken[0] };

static void check_peer(const struct proxy_parser *p, const struct sample *s)
{
    char text[INET_ENDPOINT_TEXT];

    if (!s->peer)
        return;
    inet_endpoint_text(&p->peer, text);
    assert_string_equal(text, s->peer);
}

/* Feeds a copy of exactly n bytes, so that a read past their end is found; returns how many were taken. */
static size_t feed(struct proxy_parser *p, const char *bytes, size_t n)
{
    char *exact = calloc(1, n ? n : 1);
    struct slice in = slice_make(exact, n);
    size_t taken;

    memcpy(exact, bytes, n);
    proxy_parse(p, &in);
    taken = n - in.n;
    free(exact);
    return taken;
}

static void a_header_is_read_and_nothing_behind_it_is_taken(void **state)
{
    for (int i = 0; i < SAMPLES; i++) {
        struct proxy_parser p;
        char with_more[512];

        memcpy(with_more, samples[i].bytes, samples[i].n);
        memcpy(with_more + samples[i].n, "EHLO a\r\n", 8);
        proxy_parser_init(&p);
        assert_int_equal(feed(&p, with_more, samples[i].n + 8), samples[i].n);
        assert_int_equal(p.result, samples[i].result);
        check_peer(&p, &samples[i]);
    }
}

static void a_header_cut_at_every_byte_is_the_same(void **state)
{
    for (int i = 0; i < SAMPLES; i++) {
        for (size_t cut = 0; cut < samples[i].n; cut++) {
            struct proxy_parser p;

            proxy_parser_init(&p);
            assert_int_equal(feed(&p, samples[i].bytes, cut), cut);
            assert_int_equal(p.result, PROXY_MORE);
            feed(&p, samples[i].bytes + cut, samples[i].n - cut);
            assert_int_equal(p.result, samples[i].result);
            check_peer(&p, &samples[i]);
        }
    }
}

static void what_is_no_header_is_told(void **state)
{
    for (int i = 0; i < BROKEN; i++) {
        struct proxy_parser p;

        proxy_parser_init(&p);
        for (size_t k = 0; k < broken[i].n; k++)
            feed(&p, broken[i].bytes + k, 1);
        assert_int_equal(p.result, PROXY_BROKEN);
    }
}

static void a_line_of_107_octets_is_the_longest(void **state)
{
    char line[PROXY_V1_MAX + 1];
    struct proxy_parser p;

    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
    proxy_parser_init(&p);
    feed(&p, line, PROXY_V1_MAX);
    assert_int_equal(p.result, PROXY_LOCAL);
    memcpy(line + PROXY_V1_MAX - 2, "x\r\n", 3);
    proxy_parser_init(&p);
    feed(&p, line, PROXY_V1_MAX + 1);
    assert_int_equal(p.result, PROXY_BROKEN);
}

static void a_second_header_is_left_to_who_reads_next(void **state)
{
    struct proxy_parser p;
    const size_t n = sizeof V2_TCP4 - 1;
    char twice[2 * (sizeof V2_TCP4 - 1)];

    memcpy(twice, V2_TCP4, n);
    memcpy(twice + n, V2_TCP4, n);
    proxy_parser_init(&p);
    assert_int_equal(feed(&p, twice, 2 * n), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_and_nothing_behind_it_is_taken),
        cmocka_unit_test(a_header_cut_at_every_byte_is_the_same),
        cmocka_unit_test(what_is_no_header_is_told),
        cmocka_unit_test(a_line_of_107_octets_is_the_longest),
        cmocka_unit_test(a_second_header_is_left_to_who_reads_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
