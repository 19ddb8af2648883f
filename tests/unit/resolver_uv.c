/* Tests of vmta/resolver_uv.c: libunbound against a small name server on loopback, played by a thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net_world.h"
#include "resolver_uv.h"

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5, WAIT_MS = 15000 };

/* ---------------------------------------------------------------- the name server */
struct record {
    const char *name;
    int type;
    const char *data; /* rdata, names without compression */
    int n;
};

#define RECORD(name, type, literal) { name, type, literal, sizeof(literal) - 1 }

static const struct record zone[] = {
    RECORD("one.test", TYPE_MX, "\0\12\2mx\3ONE\4test"),   /* literals end with the NUL that is the root */
    RECORD("one.test", TYPE_MX, "\0\24\3mx2\3one\4test"),
    RECORD("null.test", TYPE_MX, "\0\0"),
    RECORD("odd.test", TYPE_MX, "\0\12\4a_b*\4test"),
    RECORD("mx.one.test", TYPE_A, "\177\0\0\13"),
    RECORD("mx.one.test", TYPE_A, "\177\0\0\14"),
    RECORD("mx.one.test", TYPE_AAAA, "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"),
    RECORD("four.test", TYPE_A, "\177\0\0\15"),
    RECORD("half.test", TYPE_A, "\177\0\0\16"), /* its AAAA: SERVFAIL */
};

struct name_server {
    int fd;
    uint16_t port;
    pthread_t thread;
};

/* The question's name as text; returns where its type stands. */
static int question(const unsigned char *q, int n, char *name)
{
    int at = 12, out = 0;

    while (at < n && q[at]) {
        if (out)
            name[out++] = '.';
        for (int i = 1; i <= q[at] && at + i < n; i++)
            name[out++] = ascii_lower((char)q[at + i]);
        at += q[at] + 1;
    }
    name[out] = 0;
    return at + 1;
}

static int rcode_of(const char *name, int type)
{
    if (strcmp(name, "broken.test") == 0 || (strcmp(name, "half.test") == 0 && type == TYPE_AAAA))
        return RCODE_SERVFAIL;
    if (strcmp(name, "refused.test") == 0)
        return RCODE_REFUSED;
    return strcmp(name, "gone.test") == 0 ? RCODE_NXDOMAIN : 0;
}

/* An RR whose owner is the question's name (a pointer to it); its data gets the root that the literal's NUL stands for. */
static int put_record(unsigned char *to, const struct record *r)
{
    int n = r->n + (r->type == TYPE_MX);
    const unsigned char head[] = { 0xc0, 12, 0, (unsigned char)r->type, 0, 1, 0, 0, 0, 60, 0, (unsigned char)n };

    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, r->data, (size_t)n);
    return (int)sizeof head + n;
}

static int answer(const unsigned char *q, int n, unsigned char *a)
{
    char name[256];
    int at = question(q, n, name), type = q[at] << 8 | q[at + 1], end = at + 4, count = 0;

    memcpy(a, q, (size_t)end);
    a[2] = 0x84 | (q[2] & 1);
    a[3] = (unsigned char)(0x80 | rcode_of(name, type));
    memset(a + 6, 0, 6);
    for (size_t i = 0; i < sizeof zone / sizeof zone[0] && !rcode_of(name, type); i++) {
        if (strcmp(zone[i].name, name) != 0 || zone[i].type != type)
            continue;
        end += put_record(a + end, &zone[i]);
        count++;
    }
    a[7] = (unsigned char)count;
    return end;
}

static void *serve(void *arg)
{
    struct name_server *s = arg;
    unsigned char q[2048], a[4096];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(s->fd, q, sizeof q, 0, (struct sockaddr *)&from, &size);
        char name[256];

        if (n < 12)
            return NULL; /* a short datagram ends it */
        question(q, (int)n, name);
        if (strcmp(name, "silent.test") != 0)
            sendto(s->fd, a, (size_t)answer(q, (int)n, a), 0, (struct sockaddr *)&from, size);
    }
}

static void server_start(struct name_server *s)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof sa;

    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    getsockname(s->fd, (struct sockaddr *)&sa, &size);
    s->port = ntohs(sa.sin_port);
    pthread_create(&s->thread, NULL, serve, s);
}

static void server_stop(struct name_server *s)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->port) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof sa);
    close(fd);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* ---------------------------------------------------------------- doubles of conf.c */
struct conf *conf_ref(struct conf *c) { return c; }
void conf_unref(struct conf *c) { }

const struct conf_host *conf_host(const struct conf *c, struct slice name)
{
    for (int i = 0; i < c->dns.host_count; i++)
        if (slice_eq(slice_of(c->dns.hosts[i].name), name))
            return &c->dns.hosts[i];
    return NULL;
}

/* ---------------------------------------------------------------- the world */
struct world {
    struct net *net;
    struct name_server server;
    struct inet_endpoint servers[1];
    struct conf conf;
    struct resolver *resolver;
};

struct seen {
    int count;
    enum dns_result result;
    struct dns_mx mx[DNS_MX_MAX];
    struct inet_addr addrs[DNS_ADDR_MAX];
    int n;
    int64_t ttl_ms;
    char text[200];
};

static const struct inet_addr local_addr = { .family = 4, .b = { 127, 0, 0, 99 } };
static const struct conf_host hosts[] = { { "pinned.test", &local_addr, 1 } };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err;

    w->net = net_new();
    server_start(&w->server);
    w->servers[0] = (struct inet_endpoint){ .addr = { .family = 4, .b = { 127, 0, 0, 1 } }, .port = w->server.port };
    w->conf.dns.servers = w->servers;
    w->conf.dns.server_count = 1;
    w->conf.dns.timeout_ms = 4000;
    w->conf.dns.hosts = hosts;
    w->conf.dns.host_count = 1;
    assert_int_equal(resolver_new(&w->net->uv, &w->net->timers, &w->conf, &w->resolver, &err), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    resolver_free(w->resolver);
    net_free(w->net);
    server_stop(&w->server);
    free(w);
    return 0;
}

static void on_mx(void *arg, const struct dns_mx_answer *a)
{
    struct seen *s = arg;

    s->count++;
    s->result = a->result;
    s->n = a->count;
    s->ttl_ms = a->ttl_ms;
    snprintf(s->text, sizeof s->text, "%s", a->text ? a->text : "");
    if (a->count)
        memcpy(s->mx, a->mx, (size_t)a->count * sizeof a->mx[0]);
}

static void on_addr(void *arg, const struct dns_addr_answer *a)
{
    struct seen *s = arg;

    s->count++;
    s->result = a->result;
    s->n = a->count;
    s->ttl_ms = a->ttl_ms;
    snprintf(s->text, sizeof s->text, "%s", a->text ? a->text : "");
    if (a->count)
        memcpy(s->addrs, a->addrs, (size_t)a->count * sizeof a->addrs[0]);
}

static bool is_answered(void *arg)
{
    return ((struct seen *)arg)->count > 0;
}

static struct seen ask_mx(struct world *w, const char *name)
{
    struct seen s = { 0 };

    assert_non_null(resolver_mx(w->resolver, slice_of(name), on_mx, &s));
    assert_int_equal(s.count, 0); /* never inside the call */
    assert_true(net_run(w->net, is_answered, &s));
    assert_int_equal(s.count, 1);
    return s;
}

static struct seen ask_addr(struct world *w, const char *name, uint8_t first, uint8_t second)
{
    const uint8_t families[2] = { first, second };
    struct seen s = { 0 };

    assert_non_null(resolver_addr(w->resolver, slice_of(name), families, on_addr, &s));
    assert_int_equal(s.count, 0);
    assert_true(net_run(w->net, is_answered, &s));
    return s;
}

static int by_preference(const void *a, const void *b)
{
    return ((const struct dns_mx *)a)->preference - ((const struct dns_mx *)b)->preference;
}

static void mail_exchangers_are_found_with_their_ttl(void **state)
{
    struct seen s = ask_mx(*state, "one.test");

    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 2);
    qsort(s.mx, 2, sizeof s.mx[0], by_preference);
    assert_int_equal(s.mx[0].preference, 10);
    assert_string_equal(s.mx[0].host, "mx.one.test");
    assert_string_equal(s.mx[1].host, "mx2.one.test");
    assert_true(s.ttl_ms > 50000 && s.ttl_ms <= 60000);
}

static void a_null_mx_is_told(void **state)
{
    struct seen s = ask_mx(*state, "null.test");

    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.mx[0].host, "");
}

static void failures_are_told_apart(void **state)
{
    assert_int_equal(ask_mx(*state, "gone.test").result, DNS_NXDOMAIN);
    assert_int_equal(ask_mx(*state, "four.test").result, DNS_NODATA);
    assert_int_equal(ask_mx(*state, "broken.test").result, DNS_FAILED);
    assert_int_equal(ask_mx(*state, "refused.test").result, DNS_FAILED);
    assert_int_equal(ask_mx(*state, "odd.test").result, DNS_FAILED);
    assert_int_equal(ask_mx(*state, "no domain").result, DNS_FAILED);
    assert_true(ask_mx(*state, "gone.test").ttl_ms > 0);
}

static void a_silent_server_times_out(void **state)
{
    struct world *w = *state;
    struct seen s;

    w->conf.dns.timeout_ms = 300;
    s = ask_mx(w, "silent.test");
    assert_int_equal(s.result, DNS_TIMEOUT);
    w->conf.dns.timeout_ms = 4000;
    assert_int_equal(ask_mx(w, "one.test").result, DNS_OK);
}

static void addresses_come_in_the_order_of_the_families(void **state)
{
    struct seen s = ask_addr(*state, "mx.one.test", 6, 4);

    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.addrs[0].family, 6);
    assert_int_equal(s.addrs[1].family, 4);
    s = ask_addr(*state, "mx.one.test", 4, 0);
    assert_int_equal(s.n, 2);
    s = ask_addr(*state, "four.test", 6, 4);
    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 1);
}

static void one_family_that_fails_does_not_hide_the_other(void **state)
{
    struct seen s = ask_addr(*state, "half.test", 6, 4);

    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(ask_addr(*state, "half.test", 6, 0).result, DNS_FAILED);
    assert_int_equal(ask_addr(*state, "gone.test", 6, 4).result, DNS_NXDOMAIN);
}

static void dns_hosts_come_first(void **state)
{
    struct seen s = ask_addr(*state, "Pinned.test", 6, 4);

    assert_int_equal(s.result, DNS_OK);
    assert_int_equal(s.n, 1);
    assert_true(inet_addr_eq(&s.addrs[0], &local_addr));
    assert_int_equal(ask_addr(*state, "pinned.test", 6, 0).result, DNS_NODATA);
}

struct crowd {
    struct seen seen[300];
};

static bool all_answered(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < 300; i++)
        if (i % 7 != 0 && !c->seen[i].count)
            return false;
    return true;
}

static void three_hundred_look_ups_wait_in_order_and_some_are_cancelled(void **state)
{
    struct world *w = *state;
    struct crowd *c = calloc(1, sizeof *c);
    struct resolver_query *q[300];

    for (int i = 0; i < 300; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%d.test", i);
        q[i] = resolver_mx(w->resolver, slice_of(name), on_mx, &c->seen[i]);
    }
    for (int i = 0; i < 300; i += 7)
        resolver_cancel(q[i]);
    assert_true(net_run(w->net, all_answered, c));
    for (int i = 0; i < 300; i++)
        assert_int_equal(c->seen[i].count, i % 7 != 0);
    free(c);
}

static void what_is_under_way_at_the_end_is_dropped(void **state)
{
    struct world *w = *state;
    struct seen s = { 0 };

    resolver_mx(w->resolver, SLICE("silent.test"), on_mx, &s);
    net_run_ms(w->net, 50);
    assert_int_equal(s.count, 0);
}

static void other_servers_are_asked_after_a_reload(void **state)
{
    struct world *w = *state;
    struct inet_endpoint nobody = w->servers[0];
    struct conf other = w->conf;
    struct fl_err err;

    nobody.port = 1;
    other.dns.servers = &nobody;
    other.dns.timeout_ms = 2000;
    assert_int_equal(ask_mx(w, "one.test").result, DNS_OK);
    assert_int_equal(resolver_set_conf(w->resolver, &other, &err), 0);
    assert_int_not_equal(ask_mx(w, "one.test").result, DNS_OK);
    assert_int_equal(resolver_set_conf(w->resolver, &w->conf, &err), 0);
    assert_int_equal(ask_mx(w, "one.test").result, DNS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mail_exchangers_are_found_with_their_ttl, setup, teardown),
        cmocka_unit_test_setup_teardown(a_null_mx_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_server_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_come_in_the_order_of_the_families, setup, teardown),
        cmocka_unit_test_setup_teardown(one_family_that_fails_does_not_hide_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(dns_hosts_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(three_hundred_look_ups_wait_in_order_and_some_are_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_under_way_at_the_end_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(other_servers_are_asked_after_a_reload, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
