/* source_session.c: one SMTP client of the load generator: connects, logs in, sends messages until there are no more. */
#include "source.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 16 * 1024, EXPECTED_MAX = 2 * SOURCE_RECIPIENTS_MAX };

/* What the next reply answers. */
enum expected { BANNER, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, DOT, QUIT };

struct source_session {
    struct source *source;
    int fd;
    SSL *ssl; /* NULL: in clear */
    bool connecting, shaking, secure, ended;
    bool idle; /* logged in, and between two messages */
    char in[IN_SIZE];
    size_t in_end;
    char *out;
    size_t out_at, out_end, out_room;
    enum expected expected[EXPECTED_MAX]; /* a ring: the replies that are outstanding */
    unsigned expected_at, expected_count;
    uint64_t user;      /* with --users: which */
    uint64_t sent_here; /* messages begun on this connection */
    uint64_t number;    /* of the message under way */
    int rcpts_sent;
    bool next_is_begun; /* pipelining: MAIL, RCPT, DATA of the next message are sent */
    int64_t late_us;    /* of the message under way: behind its moment */
    int64_t dot_us;     /* when the final dot was written, less what the message was late */
    uint64_t dot_number; /* of the message whose final dot waits for its reply */
};

struct source_session *source_session_new(struct source *s)
{
    struct source_session *x = calloc(1, sizeof *x);
    int one = 1;

    if (!x)
        return NULL;
    x->source = s;
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        goto fail;
    setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(x->fd, (const struct sockaddr *)&s->options->to, sizeof s->options->to) < 0 && errno != EINPROGRESS)
        goto fail;
    x->connecting = true;
    x->expected[0] = BANNER;
    x->expected_count = 1;
    x->user = s->options->users ? s->connections % s->options->users : 0;
    s->connections++;
    return x;
fail:
    source_session_free(x);
    return NULL;
}

void source_session_free(struct source_session *x)
{
    int saved = errno;

    if (!x)
        return;
    SSL_free(x->ssl);
    if (x->fd >= 0)
        close(x->fd);
    free(x->out);
    free(x);
    errno = saved;
}

int source_session_fd(const struct source_session *x)
{
    return x->fd;
}

uint32_t source_session_events(const struct source_session *x)
{
    bool writes = x->connecting || x->out_at < x->out_end || (x->shaking && SSL_want_write(x->ssl));

    return EPOLLIN | (writes ? EPOLLOUT : 0);
}

bool source_session_is_idle(const struct source_session *x)
{
    return x->idle;
}

/* ---------------------------------------------------------------- bytes */
static void fail(struct source_session *x)
{
    x->ended = true;
    x->source->failed_connections++;
}

static bool would_block(struct source_session *x, int n)
{
    int e;

    if (!x->ssl)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    e = SSL_get_error(x->ssl, n);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static char *out_room(struct source_session *x, size_t n)
{
    if (x->out_at == x->out_end)
        x->out_at = x->out_end = 0;
    if (x->out_end + n > x->out_room) {
        size_t room = 2 * (x->out_end + n);
        char *grown = realloc(x->out, room);

        if (!grown) {
            fail(x);
            return NULL;
        }
        x->out = grown;
        x->out_room = room;
    }
    return x->out + x->out_end;
}

static void put(struct source_session *x, const char *bytes, size_t n)
{
    char *p = out_room(x, n);

    if (p) {
        memcpy(p, bytes, n);
        x->out_end += n;
    }
}

static void put_line(struct source_session *x, enum expected e, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A command, whose reply is then awaited. */
static void put_line(struct source_session *x, enum expected e, const char *format, ...)
{
    va_list ap;
    char *p = out_room(x, SOURCE_LINE_MAX);

    if (!p)
        return;
    va_start(ap, format);
    x->out_end += (size_t)vsnprintf(p, SOURCE_LINE_MAX, format, ap);
    va_end(ap);
    x->expected[(x->expected_at + x->expected_count++) % EXPECTED_MAX] = e;
}

static void flush(struct source_session *x)
{
    while (!x->ended && x->out_at < x->out_end) {
        size_t left = x->out_end - x->out_at;
        ssize_t n = x->ssl ? SSL_write(x->ssl, x->out + x->out_at, (int)left) : send(x->fd, x->out + x->out_at, left, MSG_NOSIGNAL);

        if (n > 0)
            x->out_at += (size_t)n;
        else if (would_block(x, (int)n))
            return;
        else
            fail(x);
    }
}

/* ---------------------------------------------------------------- what is said */
static void put_envelope(struct source_session *x)
{
    const struct source_options *o = x->source->options;

    if (o->verp)
        put_line(x, MAIL, "MAIL FROM:<bounce-%llu@%s>\r\n", (unsigned long long)x->number, o->from_domain);
    else
        put_line(x, MAIL, "MAIL FROM:<source@%s>\r\n", o->from_domain);
}

static void put_recipient(struct source_session *x)
{
    uint64_t n = x->number * (uint64_t)x->source->options->recipients + (uint64_t)x->rcpts_sent++;

    put_line(x, RCPT, "RCPT TO:<u%llu@d%llu.test>\r\n", (unsigned long long)n, (unsigned long long)(n % x->source->options->domains));
}

static void put_data(struct source_session *x)
{
    put_line(x, DATA, "DATA\r\n");
}

/* The whole envelope and DATA, as one group (RFC 2920 3.1). */
static void put_group(struct source_session *x)
{
    put_envelope(x);
    while (x->rcpts_sent < x->source->options->recipients)
        put_recipient(x);
    put_data(x);
}

static bool take_number(struct source_session *x)
{
    const struct source_options *o = x->source->options;

    if (o->per_connection && x->sent_here >= o->per_connection)
        return false;
    if (!source_may_begin(x->source, &x->number, &x->late_us))
        return false;
    x->sent_here++;
    x->rcpts_sent = 0;
    return true;
}

static bool no_more_here(const struct source_session *x)
{
    const struct source_options *o = x->source->options;

    return x->source->begun >= o->messages || (o->per_connection && x->sent_here >= o->per_connection);
}

/* Between two messages: begins the next, says QUIT, or waits for the rate. */
static void begin_message(struct source_session *x)
{
    x->idle = false;
    if (take_number(x)) {
        if (x->source->options->pipelining)
            put_group(x);
        else
            put_envelope(x);
    } else if (no_more_here(x)) {
        put_line(x, QUIT, "QUIT\r\n");
    } else {
        x->idle = true;
    }
}

/* The headers that name a VMTA and a job. */
static int put_steering(const struct source_session *x, char *to, size_t room)
{
    const struct source_options *o = x->source->options;
    unsigned long long vmta = o->vmtas > 0 ? x->number % (uint64_t)o->vmtas : 0;
    int n = 0;

    if (o->vmtas > 0 && o->users > 0)
        n = snprintf(to, room, "X-Fairlead-VMTA: %s%llu-%llu\r\n", o->vmta_prefix, (unsigned long long)x->user, vmta);
    else if (o->vmtas > 0)
        n = snprintf(to, room, "X-Fairlead-VMTA: %s%llu\r\n", o->vmta_prefix, vmta);
    if (o->job)
        n += snprintf(to + n, room - (size_t)n, "X-Fairlead-Job: %.128s\r\n", o->job);
    return n;
}

static void put_content(struct source_session *x)
{
    const struct source_options *o = x->source->options;
    char header[SOURCE_LINE_MAX];
    int n = put_steering(x, header, sizeof header);

    n += snprintf(header + n, sizeof header - (size_t)n, "Message-ID: <%llu@%s>\r\n", (unsigned long long)x->number, o->from_domain);
    put(x, header, (size_t)n);
    put(x, x->source->content, x->source->content_size);
    x->expected[(x->expected_at + x->expected_count++) % EXPECTED_MAX] = DOT;
    x->dot_number = x->number;
    x->dot_us = source_now_us() - x->late_us;
    x->next_is_begun = o->pipelining && take_number(x);
    if (x->next_is_begun)
        put_group(x);
}

static void start_tls(struct source_session *x)
{
    x->ssl = SSL_new(x->source->tls);
    if (!x->ssl) {
        fail(x);
        return;
    }
    SSL_set_fd(x->ssl, x->fd);
    SSL_set_connect_state(x->ssl);
    x->shaking = true;
}

static void put_auth(struct source_session *x)
{
    const struct source_options *o = x->source->options;
    unsigned char plain[256], text[SOURCE_LINE_MAX / 2];
    char number[24] = "";
    int n;

    if (o->users > 0)
        snprintf(number, sizeof number, "%llu", (unsigned long long)x->user);
    n = snprintf((char *)plain, sizeof plain, "%c%s%s%c%s", 0, o->user, number, 0, o->password);
    EVP_EncodeBlock(text, plain, n);
    put_line(x, AUTH, "AUTH PLAIN %s\r\n", text);
}

static void logged_in(struct source_session *x)
{
    struct source *s = x->source;

    if (s->options->waits && ++s->ready == (uint64_t)s->options->sessions)
        fprintf(stderr, "ready\n");
    begin_message(x);
}

static void after_ehlo(struct source_session *x)
{
    const struct source_options *o = x->source->options;

    if (o->tls == SOURCE_STARTTLS && !x->secure)
        put_line(x, STARTTLS, "STARTTLS\r\n");
    else if (o->user)
        put_auth(x);
    else
        logged_in(x);
}

/* ---------------------------------------------------------------- what is heard */
static void count_accepted(struct source_session *x)
{
    struct source *s = x->source;

    s->success_us = source_now_us();
    s->latency_us[s->accepted++] = (uint32_t)(s->success_us - x->dot_us);
    if (s->ledger)
        fprintf(s->ledger, "%llu\n", (unsigned long long)x->dot_number);
}

/* A refusal ends the connection: what was pipelined behind it is void, and the next one starts afresh. */
static void refused(struct source_session *x, const char *line)
{
    struct source *s = x->source;

    if (s->refused++ < 3)
        fprintf(stderr, "source: refused: %.200s\n", line);
    x->ended = true;
}

static void handle_reply(struct source_session *x, const char *line)
{
    static const char good[] = { [BANNER] = '2', [EHLO] = '2', [STARTTLS] = '2', [AUTH] = '2', [MAIL] = '2',
                                 [RCPT] = '2',   [DATA] = '3', [DOT] = '2',      [QUIT] = '2' };
    const struct source_options *o = x->source->options;
    enum expected e = x->expected[x->expected_at];

    if (!x->expected_count || line[0] != good[e]) {
        refused(x, line);
        return;
    }
    x->expected_at = (x->expected_at + 1) % EXPECTED_MAX;
    x->expected_count--;
    switch (e) {
    case BANNER:
        put_line(x, EHLO, "EHLO source.test\r\n");
        break;
    case EHLO:
        after_ehlo(x);
        break;
    case STARTTLS:
        x->in_end = 0; /* what came in clear behind the 220 is not ours (RFC 3207 6) */
        start_tls(x);
        break;
    case AUTH:
        logged_in(x);
        break;
    case MAIL:
        if (!o->pipelining)
            put_recipient(x);
        break;
    case RCPT:
        if (!o->pipelining && x->rcpts_sent < o->recipients)
            put_recipient(x);
        else if (!o->pipelining)
            put_data(x);
        break;
    case DATA:
        put_content(x);
        break;
    case DOT:
        count_accepted(x);
        if (!x->next_is_begun)
            begin_message(x);
        break;
    case QUIT:
        x->ended = true;
        break;
    }
}

static void handle_lines(struct source_session *x)
{
    char *at = x->in, *end;

    while (!x->ended && !x->shaking && (end = memchr(at, '\n', x->in_end - (size_t)(at - x->in)))) {
        *end = '\0';
        if (end - at >= 4 && at[3] != '-')
            handle_reply(x, at);
        at = end + 1;
    }
    if (x->shaking || at > x->in + x->in_end)
        return;
    x->in_end -= (size_t)(at - x->in);
    memmove(x->in, at, x->in_end);
    if (x->in_end == sizeof x->in)
        fail(x);
}

static void receive(struct source_session *x)
{
    while (!x->ended && !x->shaking) {
        size_t room = sizeof x->in - x->in_end;
        ssize_t n = x->ssl ? SSL_read(x->ssl, x->in + x->in_end, (int)room) : recv(x->fd, x->in + x->in_end, room, 0);

        if (n <= 0) {
            if (!would_block(x, (int)n))
                fail(x);
            return;
        }
        x->in_end += (size_t)n;
        handle_lines(x);
        flush(x);
        if (!x->ssl && (size_t)n < room)
            return; /* the socket is empty: no need to ask again */
    }
}

static bool shake_hands(struct source_session *x)
{
    int n = SSL_do_handshake(x->ssl);

    if (n != 1) {
        if (!would_block(x, n))
            fail(x);
        return false;
    }
    x->shaking = false;
    x->secure = true;
    if (x->source->options->tls == SOURCE_STARTTLS)
        put_line(x, EHLO, "EHLO source.test\r\n");
    return true;
}

static void finish_connect(struct source_session *x)
{
    int e = 0;
    socklen_t n = sizeof e;

    getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &e, &n);
    x->connecting = false;
    if (e)
        fail(x);
    else if (x->source->options->tls == SOURCE_IMPLICIT)
        start_tls(x);
}

bool source_session_go(struct source_session *x)
{
    if (x->connecting)
        finish_connect(x);
    if (x->shaking && !x->ended && !shake_hands(x))
        return !x->ended;
    if (x->idle)
        begin_message(x);
    flush(x);
    receive(x);
    if (x->shaking && !x->ended && shake_hands(x))
        flush(x);
    return !x->ended;
}
