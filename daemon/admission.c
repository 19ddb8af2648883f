/* admission.c: see admission.h. */
#include "admission.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "proxy_protocol.h"

/* A connection from its acceptance to its end: first it may wait for a header, then it is the session's token. */
struct guest {
    struct admission *admission;
    struct conf *conf;
    const struct conf_listener *listener; /* in conf */
    LIST_ENTRY(guest) link;               /* while it waits */
    struct stream *stream;                /* while it waits */
    struct timer timer;
    struct proxy_parser proxy;
    bool counts;
    struct access_ticket ticket;
};

struct admission {
    struct admission_options o;
    struct access *access;
    LIST_HEAD(, guest) waiting;
    int64_t waiting_count;
};

struct admission *admission_new(const struct admission_options *options)
{
    struct admission *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->o = *options;
    LIST_INIT(&a->waiting);
    a->access = access_new();
    if (!a->access) {
        free(a);
        return NULL;
    }
    return a;
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    admission_shutdown(a);
    access_free(a->access);
    free(a);
}

static void guest_free(struct guest *g)
{
    conf_unref(g->conf);
    free(g);
}

void admission_closed(void *admission, void *token)
{
    struct admission *a = admission;
    struct guest *g = token;

    if (g->counts)
        access_leave(a->access, &g->ticket);
    guest_free(g);
}

/* ---------------------------------------------------------------- the hand-over */
static void log_refusal(struct admission *a, const struct inet_endpoint *peer, enum access_verdict v)
{
    char client[INET_ENDPOINT_TEXT];
    struct log_line l;

    inet_endpoint_text(peer, client);
    log_begin(&l, a->o.log, LOG_LEVEL_WARNING, "connection_refused");
    log_text(&l, "client", client);
    log_text(&l, "why", access_verdict_text(v));
    log_end(&l);
}

/* From here on the session owns the stream, and gives the guest back by admission_closed. */
static void hand_over(struct guest *g, struct stream *stream)
{
    struct admission *a = g->admission;
    struct inet_endpoint peer = stream_peer(stream);
    enum access_verdict v = access_enter(a->access, g->conf, &peer.addr, &g->ticket);

    g->counts = v == ACCESS_YES;
    if (!g->counts)
        log_refusal(a, &peer, v);
    session_start(a->o.sessions, stream, g->listener, g->counts ? SAYS : SAY_TOO_MANY_CONNECTIONS, g);
}

/* ---------------------------------------------------------------- waiting for a PROXY header */
static void stop_waiting(struct guest *g)
{
    LIST_REMOVE(g, link);
    g->admission->waiting_count--;
    timer_stop(g->admission->o.timers, &g->timer);
    g->stream = NULL;
}

/* What is not a header is closed without a word: nobody is known to be there. */
static void reject(struct guest *g, const char *why)
{
    struct inet_endpoint peer = stream_peer(g->stream);
    char text[INET_ENDPOINT_TEXT];
    struct log_line l;

    inet_endpoint_text(&peer, text);
    log_begin(&l, g->admission->o.log, LOG_LEVEL_WARNING, "proxy_refused");
    log_text(&l, "peer", text);
    log_text(&l, "why", why);
    log_end(&l);
    stream_abort(g->stream);
    stop_waiting(g);
    guest_free(g);
}

static void on_proxy_read(void *arg, struct slice in)
{
    struct guest *g = arg;
    struct stream *stream = g->stream;
    enum proxy_result r = proxy_parse(&g->proxy, &in);

    if (r == PROXY_MORE)
        return;
    if (r == PROXY_BROKEN || stream_unread(stream, in) < 0) {
        reject(g, r == PROXY_BROKEN ? "not a PROXY header" : "out of memory");
        return;
    }
    if (r == PROXY_CLIENT)
        stream_set_peer(stream, &g->proxy.peer);
    stop_waiting(g);
    hand_over(g, stream);
}

static void on_proxy_end(void *arg, enum stream_end why, const char *text)
{
    struct guest *g = arg;

    stop_waiting(g);
    guest_free(g);
}

static void on_proxy_late(void *arg)
{
    reject(arg, "no PROXY header in time");
}

static const struct stream_events proxy_events = { .on_read = on_proxy_read, .on_end = on_proxy_end };

static void wait_for_header(struct guest *g, struct stream *stream)
{
    struct admission *a = g->admission;

    g->stream = stream;
    proxy_parser_init(&g->proxy);
    timer_init(&g->timer, on_proxy_late, g);
    LIST_INSERT_HEAD(&a->waiting, g, link);
    a->waiting_count++;
    stream_adopt(stream, &proxy_events, g);
    if (timer_set(a->o.timers, &g->timer, a->o.now->mono_ms + ADMISSION_PROXY_MS) < 0)
        reject(g, "out of memory");
}

static bool must_send_header(const struct conf_listener *l, const struct inet_addr *peer)
{
    for (int i = 0; l->proxy_required && i < l->proxy_from_count; i++)
        if (inet_net_has(&l->proxy_from[i], peer))
            return true;
    return false;
}

void admission_take(struct admission *a, struct conf *conf, int fd, const struct inet_endpoint *peer,
                    const struct conf_listener *l)
{
    struct guest *g = calloc(1, sizeof *g);
    struct stream *stream;

    if (!g) {
        close(fd);
        return;
    }
    g->admission = a;
    g->listener = l;
    g->conf = conf_ref(conf);
    if (streams_accept(a->o.streams, fd, peer, &stream) < 0) {
        guest_free(g);
        return;
    }
    if (must_send_header(l, &peer->addr))
        wait_for_header(g, stream);
    else
        hand_over(g, stream);
}

void admission_shutdown(struct admission *a)
{
    struct guest *g;

    while ((g = LIST_FIRST(&a->waiting)))
        reject(g, "shutting down");
}

int64_t admission_count(const struct admission *a)
{
    return access_count(a->access) + a->waiting_count;
}
