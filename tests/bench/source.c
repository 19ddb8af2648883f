/* source.c: a load generator for benchmarks: `source --help`. Prints one JSON object: messages a second, and how long the 250 to the
 * final dot took. SIGTERM ends it early. */
#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, FAILURES_MAX = 1000, TICK_US = 1000, WAIT_US = 10000000, PAUSE_US = 50000, STDIN_EVENT = UINT32_MAX };

static const char usage[] =
    "usage: source --to A:P [OPTION]...\n\n"
    "  --sessions N         at once (50)\n"
    "  --messages N         in all (10000)\n"
    "  --per-connection N   messages, then a new connection (all on one)\n"
    "  --size N             octets of content (4096)\n"
    "  --recipients N       a message (1)\n"
    "  --domains N          recipient domains d0.test, d1.test … in turn (1)\n"
    "  --vmtas N            names a VMTA v0, v1 … in turn in X-Fairlead-VMTA\n"
    "  --vmta-prefix P      instead of v\n"
    "  --ledger FILE        the numbers of the messages that were accepted, one a line\n"
    "  --patience S         makes failed connections again, as long as something was accepted in the last S seconds\n"
    "  --from-domain D      of the reverse-path (source.test)\n"
    "  --verp               a reverse-path of its own for each message\n"
    "  --pipelining         envelope and DATA in one write, behind the final dot of the message before\n"
    "  --rate N             messages a second over all sessions (as fast as it goes); a message that cannot begin in time, since all\n"
    "                       sessions are busy, counts its delay as latency\n"
    "  --wait               logs in with all sessions, says so on stderr, and sends once stdin ends\n"
    "  --job J              X-Fairlead-Job\n"
    "  --tls none|starttls|implicit\n"
    "  --auth USER:PASSWORD AUTH PLAIN\n"
    "  --users N            logs in as USER0, USER1 … in turn, a connection each; a VMTA's name is then PREFIX<user>-<number>\n\n"
    "Example:\n"
    "  source --to 127.0.0.1:2587 --tls starttls --auth foo:barbaz --from-domain acme.example --messages 1000\n";

int64_t source_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* When the next message is to begin. */
static int64_t due_us(const struct source *s)
{
    return s->began_us + (int64_t)((double)s->begun * 1e6 / s->options->rate);
}

bool source_may_begin(struct source *s, uint64_t *ret_number, int64_t *ret_late_us)
{
    const struct source_options *o = s->options;
    int64_t now = source_now_us();

    if (s->begun >= o->messages || !s->released)
        return false;
    if (!s->began_us)
        s->began_us = now;
    if (o->rate > 0 && now < due_us(s))
        return false;
    *ret_late_us = o->rate > 0 ? now - due_us(s) : 0;
    *ret_number = s->begun++;
    return true;
}

/* ---------------------------------------------------------------- options */
static bool parse_endpoint(const char *text, struct sockaddr_in *ret)
{
    char host[64];
    int port;

    *ret = (struct sockaddr_in){ .sin_family = AF_INET };
    if (sscanf(text, "%63[0-9.]:%d", host, &port) != 2 || port < 1 || port > 65535)
        return false;
    ret->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &ret->sin_addr) == 1;
}

static bool parse_tls(const char *text, enum source_tls *ret)
{
    static const char *const names[] = { [SOURCE_PLAIN] = "none", [SOURCE_STARTTLS] = "starttls", [SOURCE_IMPLICIT] = "implicit" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum source_tls)i;
            return true;
        }
    }
    return false;
}

static bool parse_auth(char *text, struct source_options *o)
{
    char *colon = strchr(text, ':');

    if (!colon || strlen(text) > 200)
        return false;
    *colon = '\0';
    o->user = text;
    o->password = colon + 1;
    return true;
}

static bool parse_options(int argc, char **argv, struct source_options *o)
{
    static const struct option options[] = {
        { "to", 1, NULL, 't' },      { "sessions", 1, NULL, 's' }, { "messages", 1, NULL, 'm' }, { "per-connection", 1, NULL, 'c' },
        { "size", 1, NULL, 'l' },    { "recipients", 1, NULL, 'r' }, { "domains", 1, NULL, 'd' }, { "vmtas", 1, NULL, 'V' },
        { "from-domain", 1, NULL, 'f' }, { "verp", 0, NULL, 'v' }, { "pipelining", 0, NULL, 'p' }, { "rate", 1, NULL, 'R' },
        { "tls", 1, NULL, 'T' },     { "auth", 1, NULL, 'a' },     { "vmta-prefix", 1, NULL, 'P' }, { "ledger", 1, NULL, 'L' },
        { "patience", 1, NULL, 'w' }, { "users", 1, NULL, 'u' },     { "job", 1, NULL, 'j' },        { "wait", 0, NULL, 'W' },
        { 0 },
    };
    bool good = true;
    int c;

    while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 't': good = parse_endpoint(optarg, &o->to); break;
        case 's': o->sessions = atoi(optarg); break;
        case 'm': o->messages = strtoull(optarg, NULL, 10); break;
        case 'c': o->per_connection = strtoull(optarg, NULL, 10); break;
        case 'l': o->size = strtoull(optarg, NULL, 10); break;
        case 'r': o->recipients = atoi(optarg); break;
        case 'd': o->domains = strtoull(optarg, NULL, 10); break;
        case 'V': o->vmtas = atoi(optarg); break;
        case 'f': o->from_domain = optarg; break;
        case 'v': o->verp = true; break;
        case 'p': o->pipelining = true; break;
        case 'R': o->rate = atof(optarg); break;
        case 'T': good = parse_tls(optarg, &o->tls); break;
        case 'P': o->vmta_prefix = optarg; break;
        case 'L': o->ledger = optarg; break;
        case 'w': o->patience_us = (int64_t)(atof(optarg) * 1e6); break;
        case 'a': good = parse_auth(optarg, o); break;
        case 'u': o->users = strtoull(optarg, NULL, 10); break;
        case 'j': o->job = optarg; break;
        case 'W': o->waits = true; break;
        default: good = false;
        }
    }
    return good && optind == argc && o->to.sin_port && o->sessions > 0 && o->messages > 0 && o->domains > 0 && o->recipients > 0
           && o->recipients <= SOURCE_RECIPIENTS_MAX;
}

/* Header and lines of 78 octets up to the size, then the final dot. */
static bool make_content(struct source *s)
{
    static const char header[] = "Date: Tue, 24 Nov 2026 22:37:27 +0000\r\nSubject: load\r\n";
    char from[256];
    int n = snprintf(from, sizeof from, "From: <source@%s>\r\n\r\n", s->options->from_domain);
    size_t size = s->options->size, at;

    s->content = malloc(size + sizeof header + sizeof from + 128);
    if (!s->content)
        return false;
    memcpy(s->content, header, sizeof header - 1);
    memcpy(s->content + sizeof header - 1, from, (size_t)n);
    at = sizeof header - 1 + (size_t)n;
    while (at + 2 < size) {
        size_t line = size - at - 2 < 76 ? size - at - 2 : 76;

        memset(s->content + at, 'x', line);
        memcpy(s->content + at + line, "\r\n", 2);
        at += line + 2;
    }
    memcpy(s->content + at, ".\r\n", 3);
    s->content_size = at + 3;
    return true;
}

/* ---------------------------------------------------------------- the loop */
struct loop {
    struct source *source;
    struct source_session **sessions;
    uint32_t *watched; /* the events that epoll knows of each */
    int64_t *again_us; /* when a failed one is made again; 0: it is not */
    int epoll;
};

static void watch(struct loop *l, int i, int op)
{
    struct epoll_event e = { .events = source_session_events(l->sessions[i]), .data.u32 = (uint32_t)i };

    if (op == EPOLL_CTL_MOD && l->watched[i] == e.events)
        return;
    l->watched[i] = e.events;
    epoll_ctl(l->epoll, op, source_session_fd(l->sessions[i]), &e);
}

static bool wants_another(const struct source *s)
{
    const struct source_options *o = s->options;

    if (s->begun >= o->messages)
        return false;
    if (o->patience_us)
        return source_now_us() - s->success_us < o->patience_us;
    return s->failed_connections + s->refused < FAILURES_MAX;
}

static void open_session(struct loop *l, int i)
{
    l->again_us[i] = 0;
    l->sessions[i] = source_session_new(l->source);
    if (l->sessions[i])
        watch(l, i, EPOLL_CTL_ADD);
    else
        l->source->failed_connections++;
}

/* After an end: at once, or, with patience, after a pause. */
static void open_again(struct loop *l, int i)
{
    if (!wants_another(l->source))
        return;
    if (l->source->options->patience_us)
        l->again_us[i] = source_now_us() + PAUSE_US;
    else
        open_session(l, i);
}

static void go(struct loop *l, int i)
{
    if (source_session_go(l->sessions[i])) {
        watch(l, i, EPOLL_CTL_MOD);
        return;
    }
    source_session_free(l->sessions[i]);
    l->sessions[i] = NULL;
    open_again(l, i);
}

static volatile sig_atomic_t stopped; /* SIGTERM: what was measured so far is the result */

static void on_term(int signal)
{
    stopped = 1;
}

static bool any_left(const struct loop *l)
{
    if (stopped)
        return false;
    for (int i = 0; i < l->source->options->sessions; i++)
        if (l->sessions[i] || l->again_us[i])
            return true;
    return false;
}

/* What no event of a socket brings on: the rate lets a message go, a pause is over. */
static void tick(struct loop *l)
{
    const struct source *s = l->source;
    int64_t now = source_now_us();

    for (int i = 0; i < s->options->sessions; i++) {
        bool goes = s->begun >= s->options->messages || s->options->rate <= 0 || source_now_us() >= due_us(s);

        if (l->sessions[i] && source_session_is_idle(l->sessions[i]) && s->released && goes)
            go(l, i);
        if (l->again_us[i] && now >= l->again_us[i])
            open_session(l, i);
        if (!l->sessions[i] && !l->again_us[i])
            open_again(l, i);
    }
}

/* How long epoll may sleep: to the moment of the next message, where somebody is free to send it. */
static int64_t wait_us(const struct loop *l)
{
    const struct source *s = l->source;
    int64_t left = WAIT_US;

    if (s->options->patience_us)
        left = TICK_US;
    if (s->options->rate > 0 && s->began_us && s->begun < s->options->messages) {
        int64_t due = due_us(s) - source_now_us();

        left = due > 0 && due < left ? due : TICK_US; /* overdue: all are busy, and the one that ends takes it */
    }
    return left;
}

/* Waits for the end of stdin like for any other socket; all that comes before is dropped. */
static void watch_stdin(struct loop *l)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u32 = STDIN_EVENT };

    l->source->released = !l->source->options->waits || epoll_ctl(l->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e) < 0;
}

static void read_stdin(struct loop *l)
{
    char dropped[256];

    if (read(STDIN_FILENO, dropped, sizeof dropped) > 0)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    l->source->released = true;
}

static void run(struct loop *l)
{
    const struct source_options *o = l->source->options;
    bool ticks = o->rate > 0 || o->patience_us || o->waits;
    struct epoll_event events[EVENTS];

    watch_stdin(l);
    l->source->success_us = source_now_us();
    for (int i = 0; i < o->sessions; i++)
        open_session(l, i);
    while (any_left(l)) {
        int64_t us = wait_us(l);
        struct timespec left = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        int n = epoll_pwait2(l->epoll, events, EVENTS, &left, NULL);

        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == STDIN_EVENT)
                read_stdin(l);
            else
                go(l, (int)events[i].data.u32);
        }
        if (ticks)
            tick(l);
    }
}

/* ---------------------------------------------------------------- the result */
static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_ms(const struct source *s, double p)
{
    uint64_t i = (uint64_t)((double)s->accepted * p);

    if (!s->accepted)
        return 0;
    return s->latency_us[i < s->accepted ? i : s->accepted - 1] / 1000.0;
}

static void print_result(struct source *s, double seconds)
{
    qsort(s->latency_us, s->accepted, sizeof *s->latency_us, compare);
    printf("{\"messages\":%llu,\"refused\":%llu,\"failed_connections\":%llu,\"connections\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,"
           "\"latency_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}}\n",
           (unsigned long long)s->accepted, (unsigned long long)s->refused, (unsigned long long)s->failed_connections,
           (unsigned long long)s->connections, seconds, seconds > 0 ? (double)s->accepted / seconds : 0, percentile_ms(s, 0.5),
           percentile_ms(s, 0.9), percentile_ms(s, 0.99), percentile_ms(s, 0.999), percentile_ms(s, 1));
}

int main(int argc, char **argv)
{
    struct source_options o = { .sessions = 50, .messages = 10000, .size = 4096, .recipients = 1, .domains = 1,
                                .from_domain = "source.test", .vmta_prefix = "v" };
    struct source s = { .options = &o };
    struct loop l = { .source = &s };
    int64_t end;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (!parse_options(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    s.tls = SSL_CTX_new(TLS_client_method());
    s.latency_us = calloc(o.messages, sizeof *s.latency_us);
    l.sessions = calloc((size_t)o.sessions, sizeof *l.sessions);
    l.watched = calloc((size_t)o.sessions, sizeof *l.watched);
    l.again_us = calloc((size_t)o.sessions, sizeof *l.again_us);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.ledger = o.ledger ? fopen(o.ledger, "we") : NULL;
    if (!s.tls || !s.latency_us || !l.sessions || !l.watched || !l.again_us || l.epoll < 0 || (o.ledger && !s.ledger)
        || !make_content(&s)) {
        fprintf(stderr, "source: %s\n", strerror(errno));
        return 1;
    }
    SSL_CTX_set_mode(s.tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    run(&l);
    end = source_now_us();
    print_result(&s, s.began_us ? (double)(end - s.began_us) / 1e6 : 0);
    for (int i = 0; i < o.sessions; i++)
        source_session_free(l.sessions[i]);
    free(s.latency_us);
    free(s.content);
    free(l.sessions);
    free(l.watched);
    free(l.again_us);
    if (s.ledger)
        fclose(s.ledger);
    SSL_CTX_free(s.tls);
    return s.accepted == o.messages ? 0 : 1;
}
