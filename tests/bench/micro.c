/* micro.c: what the pure cores do in a second on one core: the SMTP server's parser, the reply parser, reading and rewriting a header,
 * our Received: field, and the scheduler with few queues and with many. `meson test --benchmark` and `./dev bench micro` run it.
 * One line a figure; the store's stand in store_bench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/stream_desk.h"
#include "header.h"
#include "received.h"
#include "reply.h"
#include "smtp_server.h"

enum { MESSAGE_OCTETS = 4096, CUT = 16 << 10, MESSAGES_A_CHUNK = 16, QUEUES_FEW = 100, QUEUES_MANY = 20000, DELIVERIES = 100000 };

static const double seconds_each = 1;

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "micro: %s failed\n", what);
        exit(1);
    }
}

/* Runs once(arg), which says how many octets it went through, again and again for a second of CPU. */
static void measure(const char *what, size_t (*once)(void *arg), void *arg)
{
    double began = now_s(), took;
    size_t octets = 0;
    long times = 0;

    do {
        octets += once(arg);
        times++;
    } while ((took = now_s() - began) < seconds_each);
    printf("%-58s %10.0f/s %10.1f MiB/s\n", what, (double)times / took, (double)octets / took / (1 << 20));
}

/* ---------------------------------------------------------------- the server's side */
struct conversation {
    struct smtp_server *server;
    struct buf in; /* so many messages of a client that pipelines */
    size_t cut;    /* octets in one input */
};

static void add_message(struct buf *b, size_t size)
{
    size_t at = buf_len(b);

    must(buf_add_text(b, "MAIL FROM:<bounce-1234567@news.acme.example> SIZE=4096 BODY=8BITMIME\r\n"
                         "RCPT TO:<somebody@recipient.example>\r\nDATA\r\n"
                         "Date: Tue, 24 Nov 2026 22:37:27 +0000\r\nFrom: <news@acme.example>\r\nSubject: news\r\n\r\n") == 0, "buf_add");
    while (buf_len(b) - at < size)
        must(buf_add_text(b, "The quick brown fox jumps over the lazy dog, and then does so again.\r\n") == 0, "buf_add");
    must(buf_add_text(b, ".\r\n") == 0, "buf_add");
}

static void answer_all(struct smtp_server *s)
{
    static const struct ingest_reply yes = { .code = 250, .enhanced = "2.0.0", .text = "Ok: queued as 01JD0000000000000000000000" };
    struct smtp_action a;

    do {
        while (smtp_server_next(s, &a) != SMTP_WAIT) {
            must(a.type != SMTP_CLOSE && a.type != SMTP_REFUSED, "the conversation");
            if (a.type == SMTP_ASK_MAIL || a.type == SMTP_ASK_RCPT || a.type == SMTP_ASK_COMMIT)
                smtp_server_answer(s, 0, &yes);
        }
        smtp_server_output(s);
    } while (smtp_server_has_more(s));
}

static size_t converse(void *arg)
{
    struct conversation *c = arg;
    struct slice left = buf_slice(&c->in);

    while (left.n > 0) {
        struct slice step = slice_head(left, c->cut < left.n ? c->cut : left.n);

        smtp_server_input(c->server, 0, step);
        answer_all(c->server);
        left = slice_skip(left, step.n);
    }
    return buf_len(&c->in);
}

static void bench_server(const char *what, size_t size, size_t cut)
{
    struct smtp_server_options o = { .hostname = SLICE("bench.test"), .access = SMTP_ACCESS_OPEN, .max_size = 1 << 20, .max_rcpts = 100,
                                     .max_errors = INT64_MAX, .command_timeout_ms = 1 << 30, .data_timeout_ms = 1 << 30 };
    struct conversation c = { .server = smtp_server_new(&o, SAYS, SMTP_CLEAR, 0), .cut = cut };

    must(c.server != NULL, "smtp_server_new");
    smtp_server_input(c.server, 0, SLICE("EHLO client.test\r\n"));
    answer_all(c.server);
    buf_init(&c.in, 0);
    for (int i = 0; i < MESSAGES_A_CHUNK; i++)
        add_message(&c.in, size);
    measure(what, converse, &c);
    buf_free(&c.in);
    smtp_server_free(c.server);
}

/* ---------------------------------------------------------------- a remote's replies */
static size_t read_replies(void *arg)
{
    static const char replies[] = "250-mx.recipient.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
                                  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok: queued as 4XyZ1234\r\n";
    struct slice in = SLICE(replies);
    enum reply_status status;

    while (in.n > 0) {
        status = reply_next(arg, &in);
        must(status == REPLY_LINE || status == REPLY_DONE, "reading a reply");
    }
    return sizeof replies - 1;
}

static void bench_replies(void)
{
    struct reply_parser p;

    reply_init(&p);
    measure("replies of a remote, nine lines", read_replies, &p);
}

/* ---------------------------------------------------------------- headers */
static const char header[] =
    "X-Fairlead-VMTA: v1\r\nX-Fairlead-Job: spring\r\nReceived: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTPS id 01JD;\r\n"
    "\tTue, 24 Nov 2026 22:37:27 +0000\r\nDate: Tue, 24 Nov 2026 22:37:27 +0000\r\nFrom: \"News, of Acme\" <news@acme.example>\r\n"
    "To: somebody@recipient.example\r\nSubject: =?utf-8?q?Spring?=\r\n is here\r\nMessage-ID: <1@acme.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/alternative;\r\n boundary=\"b\"\r\nList-Unsubscribe: <https://acme.example/u>\r\n\r\nbody\r\n";

static size_t scan(void *arg)
{
    struct header_scan s;

    must(header_scan(SLICE(header), true, &s) == HEADER_OK, "header_scan");
    return sizeof header - 1;
}

static size_t rewrite(void *arg)
{
    static const struct slice gone[] = { SLICE("X-Fairlead-VMTA"), SLICE("X-Fairlead-Job"), SLICE("X-Virtual-MTA"), SLICE("X-Job") };
    struct header_scan s;
    struct buf *out = arg;

    buf_clear(out);
    must(header_scan(SLICE(header), true, &s) == HEADER_OK, "header_scan");
    must(header_rewrite(&s, SLICE("Received: by bench.test\r\n"), gone, sizeof gone / sizeof *gone, out) == 0, "header_rewrite");
    return sizeof header - 1;
}

static size_t write_received(void *arg)
{
    struct buf *out = arg;
    struct received r = { .helo = SLICE("client.example"), .hostname = SLICE("bench.test"), .esmtp = true, .tls = true, .auth = true,
                          .tls_version = SLICE("TLSv1.3"), .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
                          .id = SLICE("01JD0000000000000000000000"), .recipient = SLICE("somebody@recipient.example"),
                          .wall_ms = 1700000000000 };

    buf_clear(out);
    must(inet_addr_parse(SLICE("192.0.2.1"), &r.client) && received_write(&r, out) == 0, "received_write");
    return buf_len(out);
}

static void bench_headers(void)
{
    struct buf out;

    buf_init(&out, 0);
    measure("a header of ten fields read", scan, NULL);
    measure("… read, two fields removed, one added", rewrite, &out);
    measure("a Received: field written", write_received, &out);
    buf_free(&out);
}

/* ---------------------------------------------------------------- the scheduler */
static const char streams[] = "defaults: {tls: none, max_connections: 20, ip_families: [ipv4]}\n"
                              "vmtas: {v: {source_addresses: [127.0.0.1], hostname: v.test}}\n"
                              "tenants:\n"
                              "  one: {vmtas: [v], route: v, sender_domains: ['*']}\n"
                              "  three: {vmtas: [v], route: v, sender_domains: ['*'], delivery_pool: {share: 3}}\n";

static struct desk_connection *free_connection(struct stream_desk *d)
{
    int i = 0;

    while (i < DESK_CONNECTIONS - 1 && d->connection[i].used)
        i++;
    return &d->connection[i];
}

/* Obeys every order at once: a connection is open as soon as it is wanted, and a message is delivered as soon as it is sent. */
static long deliver(struct stream_desk *d, long most)
{
    struct sched_order o;
    long n = 0;

    while (n < most && sched_next(&d->mta.sched, &o) != SCHED_NONE) {
        struct desk_connection *c = o.type == SCHED_CONNECT ? free_connection(d) : (struct desk_connection *)o.conn;

        if (o.type == SCHED_CONNECT) {
            *c = (struct desk_connection){ .used = true };
            sched_opened(&d->mta.sched, o.lane, &c->conn, &o);
            sched_idle(&d->mta.sched, &c->conn);
        } else if (o.type == SCHED_SEND) {
            stream_desk_done(d, o.entry);
            sched_succeeded(&d->mta.sched, c->conn.lane->path);
            sched_idle(&d->mta.sched, &c->conn);
            n++;
        } else {
            c->used = false;
            sched_closed(&d->mta.sched, &c->conn);
        }
    }
    return n;
}

/* Microseconds of CPU for one delivery's part of the scheduler, with so many queues of two tenants that all have mail. */
static double scheduler(int queues)
{
    struct stream_desk *d = calloc(1, sizeof *d);
    double began, took;
    long done = 0;

    must(d != NULL, "calloc");
    stream_desk_open(d, streams);
    for (int i = 0; i < queues; i++) {
        char domain[32];

        snprintf(domain, sizeof domain, "d%d.test", i);
        stream_desk_messages(d, stream_desk_queue(d, i % 2 ? "one" : "three", "v", domain, "x"), DELIVERIES / queues);
    }
    began = now_s();
    for (int idle = 0; done < DELIVERIES && idle < 1000; idle++) {
        long n = deliver(d, DELIVERIES - done);

        done += n;
        if (n > 0)
            idle = 0;
        stream_desk_pass(d, 1);
    }
    took = now_s() - began;
    must(done == DELIVERIES / queues * queues, "delivering all");
    stream_desk_close(d);
    free(d);
    return took / (double)done * 1e6;
}

static void bench_scheduler(void)
{
    double few = scheduler(QUEUES_FEW), many = scheduler(QUEUES_MANY);

    printf("%-58s %10.0f/s %10.2f us each\n", "turns dealt by the scheduler, 100 queues with mail", 1e6 / few, few);
    printf("%-58s %10.0f/s %10.2f us each, %.2f times as much\n", "turns dealt by the scheduler, 20,000 queues with mail", 1e6 / many, many, many / few);
}

int main(void)
{
    bench_server("SMTP server, messages of 4 KiB, 16 KiB at a time", MESSAGE_OCTETS, CUT);
    bench_server("SMTP server, messages of 4 KiB, an octet at a time", MESSAGE_OCTETS, 1);
    bench_server("SMTP server, messages without a body", 0, CUT);
    bench_replies();
    bench_headers();
    bench_scheduler();
    return 0;
}
