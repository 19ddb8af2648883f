/* sink_uv.c: the test MX on libuv: sockets and time for sink_session. Main thread, one loop.
 * A client lives from accept until all its three handles are closed. */
#include "sink.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "clock.h"
#include "cmd.h"
#include "rand.h"
#include "sink_record.h"
#include "sink_session.h"

enum {
    READ_SIZE = 32 * 1024,
    BACKLOG = 4096,
    RATE_TICK_MS = 100, /* a slow connection is read this often */
    FAREWELL_MS = 2000, /* what is sent at the end may take so long */
    CLIENT_HANDLES = 3,
};

struct counts {
    uint64_t sessions, messages, recipients, bytes;
};

struct sink {
    uv_loop_t loop;
    const struct sink_options *options;
    struct sink_rules rules;
    struct sink_record record;
    struct rand dice;
    struct counts counts;
    struct client *clients; /* all that are open */
    uv_tcp_t *listeners;
    size_t listener_count; /* that were initialised */
    uv_signal_t on_term, on_int;
    uv_prepare_t before_poll;
    int status;
};

struct client {
    struct sink *sink;
    struct client *next, **prev;
    uv_tcp_t tcp;
    uv_timer_t pause; /* a delay of the script, or the farewell */
    uv_timer_t tick;  /* grants octets to a slow connection */
    struct sink_session *session;
    int open_handles;
    bool closing; /* nothing is read or handled any more */
    bool sending; /* a write is under way, and nothing is read */
    bool reading;
    int64_t bytes_per_s; /* 0: as fast as it goes */
    int64_t granted;     /* octets that a slow connection may still read in this tick */
    uv_write_t write;
    char *unsent;
    char ip[INET_TEXT];
};

static void client_pump(struct client *c);

/* ---------------------------------------------------------------- closing */
static void on_handle_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;

    if (--c->open_handles > 0)
        return;
    sink_session_free(c->session);
    free(c->unsent);
    free(c);
}

static void client_close(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    c->closing = true;
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->pause, on_handle_closed);
    uv_close((uv_handle_t *)&c->tick, on_handle_closed);
}

static void on_farewell_over(uv_timer_t *timer)
{
    client_close(timer->data);
}

/* Closes once what is under way is sent. */
static void client_farewell(struct client *c)
{
    c->closing = true;
    if (!c->sending)
        client_close(c);
    else
        uv_timer_start(&c->pause, on_farewell_over, FAREWELL_MS, 0);
}

/* ---------------------------------------------------------------- sending */
static void on_written(uv_write_t *write, int status)
{
    struct client *c = write->data;

    c->sending = false;
    free(c->unsent);
    c->unsent = NULL;
    if (status < 0 || c->closing)
        client_close(c);
    else
        client_pump(c);
}

/* Sends what the session has to say: at once, or, when the socket is full, as a copy while nothing more is read. */
static void client_send(struct client *c, struct slice out)
{
    uv_buf_t b = uv_buf_init((char *)out.p, (unsigned)out.n);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0) {
        client_close(c);
        return;
    }
    if ((size_t)n < out.n) {
        c->unsent = slice_dup(slice_skip(out, (size_t)n));
        b = uv_buf_init(c->unsent, (unsigned)(out.n - (size_t)n));
        c->write.data = c;
        if (!c->unsent || uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) < 0) {
            client_close(c);
            return;
        }
        c->sending = true;
    }
    sink_session_sent(c->session, out.n);
}

static void client_flush(struct client *c)
{
    struct slice out = sink_session_output(c->session);

    if (out.n && !c->sending && !uv_is_closing((uv_handle_t *)&c->tcp))
        client_send(c, out);
}

/* ---------------------------------------------------------------- reading */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct client *c = handle->data;
    size_t n = c->bytes_per_s && c->granted < READ_SIZE ? (size_t)c->granted : READ_SIZE;
    char *p = NULL;

    if (sink_session_room(c->session, n, &p) < 0)
        n = 0; /* libuv reports ENOBUFS */
    *ret = uv_buf_init(p, (unsigned)n);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;

    if (n < 0) {
        client_close(c);
        return;
    }
    sink_session_filled(c->session, (size_t)n);
    c->granted -= n;
    client_pump(c);
}

/* Reads, or stops reading, as session, writes and rate allow. */
static void client_set_reading(struct client *c)
{
    bool wants = !c->closing && !c->sending && sink_session_reads(c->session) && (!c->bytes_per_s || c->granted > 0);

    if (wants == c->reading)
        return;
    c->reading = wants;
    if (!wants)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) < 0)
        client_close(c);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct client *c = timer->data;

    sink_session_resume(c->session);
    client_pump(c);
}

static void on_tick(uv_timer_t *timer)
{
    struct client *c = timer->data;
    int64_t share = c->bytes_per_s * RATE_TICK_MS / SECOND_MS;

    c->granted = share > 0 ? share : 1;
    client_set_reading(c);
}

/* Fewer octets than one a tick: the ticks come less often. */
static void client_slow_down(struct client *c, int64_t bytes_per_s)
{
    uint64_t every = bytes_per_s * RATE_TICK_MS >= SECOND_MS ? RATE_TICK_MS : (uint64_t)(SECOND_MS / bytes_per_s);

    c->bytes_per_s = bytes_per_s;
    c->granted = 0;
    uv_timer_start(&c->tick, on_tick, every, every);
}

/* ---------------------------------------------------------------- what the session wants done */
static int64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

static void sink_end(struct sink *k, int status);

static void client_record(struct client *c, const struct sink_message *m)
{
    struct sink *k = c->sink;
    struct sink_peer peer = { .ip = c->ip };
    struct fl_err err;

    k->counts.messages++;
    k->counts.recipients += m->to_count;
    k->counts.bytes += m->size;
    if (sink_record_message(&k->record, wall_ms(), &peer, m, &err) < 0) {
        fprintf(stderr, "fairlead sink: %s\n", err.text);
        sink_end(k, CMD_WRONG);
    }
}

/* `--tls broken`: bytes that are no TLS record where the ServerHello belongs. */
static void client_break_tls(struct client *c)
{
    client_send(c, SLICE("this is no handshake\r\n"));
    client_farewell(c);
}

static void client_perform(struct client *c, const struct sink_action *a)
{
    switch (a->type) {
    case SINK_MESSAGE:
        client_record(c, &a->message);
        break;
    case SINK_PAUSE:
        uv_timer_start(&c->pause, on_pause_over, (uint64_t)a->ms, 0);
        break;
    case SINK_SLOW:
        client_slow_down(c, a->bytes_per_s);
        break;
    case SINK_START_TLS:
        client_flush(c);
        client_break_tls(c);
        break;
    case SINK_CLOSE:
        client_flush(c);
        client_farewell(c);
        break;
    case SINK_DROP:
        client_close(c);
        break;
    case SINK_WAIT:
        break;
    }
}

static void client_pump(struct client *c)
{
    struct sink_action a;

    while (!c->closing && sink_session_next(c->session, &a) != SINK_WAIT)
        client_perform(c, &a);
    if (c->closing)
        return;
    client_flush(c);
    if (!c->closing)
        client_set_reading(c);
}

/* ---------------------------------------------------------------- accepting */
static void on_connection(uv_stream_t *listener, int status)
{
    struct sink *k = listener->data;
    struct client *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    struct sockaddr_storage sa;
    int n = sizeof sa;
    struct inet_endpoint peer;

    if (!c)
        return;
    c->sink = k;
    c->tcp.data = c->pause.data = c->tick.data = c;
    c->next = k->clients;
    c->prev = &k->clients;
    if (c->next)
        c->next->prev = &c->next;
    k->clients = c;
    uv_tcp_init(&k->loop, &c->tcp);
    uv_timer_init(&k->loop, &c->pause);
    uv_timer_init(&k->loop, &c->tick);
    c->open_handles = CLIENT_HANDLES;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&sa, &n) < 0) {
        client_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    peer = inet_from_sockaddr((struct sockaddr *)&sa);
    inet_addr_text(&peer.addr, c->ip);
    c->session = sink_session_new(&k->rules, slice_of(c->ip));
    if (!c->session) {
        client_close(c);
        return;
    }
    k->counts.sessions++;
    client_pump(c);
}

static int listen_on(struct sink *k, const struct inet_endpoint *at)
{
    uv_tcp_t *tcp = &k->listeners[k->listener_count];
    struct sockaddr_storage sa;
    char text[INET_ENDPOINT_TEXT];
    int rc;

    inet_to_sockaddr(at, &sa);
    inet_endpoint_text(at, text);
    uv_tcp_init(&k->loop, tcp);
    k->listener_count++;
    tcp->data = k;
    rc = uv_tcp_bind(tcp, (struct sockaddr *)&sa, at->addr.family == 6 ? UV_TCP_IPV6ONLY : 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)tcp, BACKLOG, on_connection);
    if (rc < 0)
        fprintf(stderr, "fairlead sink: %s: %s\n", text, uv_strerror(rc));
    return rc;
}

/* ---------------------------------------------------------------- the whole */
static void sink_end(struct sink *k, int status)
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

static void say_counts(const struct sink *k)
{
    printf("{\"sessions\":%llu,\"messages\":%llu,\"recipients\":%llu,\"bytes\":%llu}\n", (unsigned long long)k->counts.sessions,
           (unsigned long long)k->counts.messages, (unsigned long long)k->counts.recipients, (unsigned long long)k->counts.bytes);
    fflush(stdout);
}

static void close_all(struct sink *k)
{
    while (k->clients)
        client_close(k->clients);
    for (size_t i = 0; i < k->listener_count; i++)
        uv_close((uv_handle_t *)&k->listeners[i], NULL);
    uv_close((uv_handle_t *)&k->on_term, NULL);
    uv_close((uv_handle_t *)&k->on_int, NULL);
    uv_close((uv_handle_t *)&k->before_poll, NULL);
    uv_run(&k->loop, UV_RUN_DEFAULT);
    uv_loop_close(&k->loop);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if not, fewer connections fit */
    }
}

static void sink_start(struct sink *k)
{
    uv_signal_init(&k->loop, &k->on_term);
    uv_signal_init(&k->loop, &k->on_int);
    uv_prepare_init(&k->loop, &k->before_poll);
    k->on_term.data = k->on_int.data = k->before_poll.data = k;
    uv_signal_start(&k->on_term, on_signal, SIGTERM);
    uv_signal_start(&k->on_int, on_signal, SIGINT);
    uv_prepare_start(&k->before_poll, before_poll);
    for (size_t i = 0; i < k->options->listeners; i++) {
        if (listen_on(k, &k->options->listen[i]) < 0) {
            k->status = CMD_WRONG;
            return;
        }
    }
    uv_run(&k->loop, UV_RUN_DEFAULT);
}

int sink_serve(const struct sink_options *options)
{
    struct sink k = { .options = options, .status = CMD_DONE };
    struct fl_err err;

    k.rules = (struct sink_rules){
        .script = &options->script,
        .hostname = "sink",
        .dice = &k.dice,
        .offer_starttls = options->tls != SINK_TLS_OFF,
        .keep_content = !options->quiet || options->mbox || options->eml || sink_script_has(&options->script, SINK_AT_DOT),
    };
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    rand_seed(&k.dice, (uint64_t)wall_ms() ^ (uint64_t)getpid() << 32);
    k.listeners = calloc(options->listeners, sizeof *k.listeners);
    if (!k.listeners || uv_loop_init(&k.loop) < 0) {
        fprintf(stderr, "fairlead sink: out of memory\n");
        free(k.listeners);
        return CMD_WRONG;
    }
    if (sink_record_open(&k.record, options, &err) == 0) {
        sink_start(&k);
        close_all(&k);
        sink_record_close(&k.record);
        if (options->quiet)
            say_counts(&k);
    } else {
        fprintf(stderr, "fairlead sink: %s\n", err.text);
        uv_loop_close(&k.loop);
        k.status = CMD_WRONG;
    }
    free(k.listeners);
    return k.status;
}
