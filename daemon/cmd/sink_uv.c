/* sink_uv.c: the test MX on libuv: it listens, and it ends. Main thread, one loop. */
#include "sink.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "cmd.h"
#include "sink_client_uv.h"
#include "tls_test_certificate.h"

enum { BACKLOG = 4096 };

/* The handles beside the connections. */
struct doors {
    uv_tcp_t *listeners;
    size_t count; /* listeners that were initialised */
    uv_signal_t term, interrupt;
    uv_prepare_t before_poll;
};

void sink_end(struct sink *k, int status)
{
    k->status = status;
    uv_stop(&k->loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
    sink_end(signal->data, CMD_DONE);
}

static void before_poll(uv_prepare_t *prepare)
{
    struct sink *k = prepare->data;

    sink_record_flush(&k->record);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        sink_client_accept(listener->data, listener);
}

static int listen_on(struct sink *k, struct doors *d, const struct inet_endpoint *at)
{
    uv_tcp_t *tcp = &d->listeners[d->count++];
    struct sockaddr_storage sa;
    char text[INET_ENDPOINT_TEXT];
    int rc;

    inet_to_sockaddr(at, &sa);
    inet_endpoint_text(at, text);
    uv_tcp_init(&k->loop, tcp);
    tcp->data = k;
    rc = uv_tcp_bind(tcp, (struct sockaddr *)&sa, at->addr.family == 6 ? UV_TCP_IPV6ONLY : 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)tcp, BACKLOG, on_connection);
    fprintf(stderr, "fairlead sink: %s: %s\n", text, rc < 0 ? uv_strerror(rc) : "listening");
    return rc;
}

/* Opens all doors and stands in them until sink_end. */
static void stand(struct sink *k, struct doors *d)
{
    uv_signal_init(&k->loop, &d->term);
    uv_signal_init(&k->loop, &d->interrupt);
    uv_prepare_init(&k->loop, &d->before_poll);
    d->term.data = d->interrupt.data = d->before_poll.data = k;
    uv_signal_start(&d->term, on_signal, SIGTERM);
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    uv_prepare_start(&d->before_poll, before_poll);
    for (size_t i = 0; i < k->options->listeners && k->status == CMD_DONE; i++)
        if (listen_on(k, d, &k->options->listen[i]) < 0)
            k->status = CMD_WRONG;
    if (k->status == CMD_DONE)
        uv_run(&k->loop, UV_RUN_DEFAULT);
}

static void close_all(struct sink *k, struct doors *d)
{
    while (k->clients)
        sink_client_close(k->clients);
    for (size_t i = 0; i < d->count; i++)
        uv_close((uv_handle_t *)&d->listeners[i], NULL);
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->before_poll, NULL);
    uv_run(&k->loop, UV_RUN_DEFAULT);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if not, fewer connections fit */
    }
}

static int prepare_tls(struct sink *k, struct fl_err *err)
{
    if (k->options->tls != SINK_TLS_ON)
        return 0;
    k->tls = tls_engine_new();
    if (!k->tls)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    return tls_test_certificate(&k->server, err);
}

static void say_counts(const struct sink_counts *n)
{
    printf("{\"sessions\":%llu,\"messages\":%llu,\"recipients\":%llu,\"bytes\":%llu}\n", (unsigned long long)n->sessions,
           (unsigned long long)n->messages, (unsigned long long)n->recipients, (unsigned long long)n->bytes);
    fflush(stdout);
}

/* With its loop and its listeners' memory ready: all the rest. */
static int run(struct sink *k, struct doors *d)
{
    struct fl_err err;
    int rc = prepare_tls(k, &err);

    if (rc == 0)
        rc = sink_record_open(&k->record, k->options, &err);
    if (rc < 0) {
        fprintf(stderr, "fairlead sink: %s\n", err.text);
    } else {
        stand(k, d);
        close_all(k, d);
        sink_record_close(&k->record);
        if (k->options->quiet)
            say_counts(&k->counts);
    }
    tls_test_certificate_free(&k->server);
    tls_engine_free(k->tls);
    return rc < 0 ? CMD_WRONG : k->status;
}

int sink_serve(const struct sink_options *options)
{
    struct sink k = { .options = options, .status = CMD_DONE };
    struct doors d = { .listeners = calloc(options->listeners, sizeof *d.listeners) };
    int status = CMD_WRONG;

    k.rules = (struct sink_rules){
        .script = &options->script,
        .hostname = "sink",
        .dice = &k.dice,
        .offer_starttls = options->tls != SINK_TLS_OFF,
        .keep_content = !options->quiet || options->mbox || options->eml || sink_script_has(&options->script, SINK_AT_DOT),
    };
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    rand_seed(&k.dice, uv_hrtime() ^ (uint64_t)getpid() << 32);
    if (!d.listeners || uv_loop_init(&k.loop) < 0) {
        fprintf(stderr, "fairlead sink: out of memory\n");
    } else {
        status = run(&k, &d);
        uv_loop_close(&k.loop);
    }
    free(d.listeners);
    return status;
}
