/* log_sink.c: see log_sink.h. */
#include "log_sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum { LOG_GATHERED = 64 << 10 };

struct log_sink {
    struct log log;
    enum log_target to;
    pthread_t owner;
    pthread_mutex_t lock; /* of what follows */
    size_t n;
    char gathered[LOG_GATHERED];
};

static int64_t wall_ms(void *arg)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

/* A stderr that is gone takes nothing: there is nowhere left to say so. */
static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static void flush_locked(struct log_sink *s)
{
    write_all(s->gathered, s->n);
    s->n = 0;
}

static void gather(struct log_sink *s, enum log_level level, struct slice line)
{
    pthread_mutex_lock(&s->lock);
    if (s->n + line.n + 1 > LOG_GATHERED)
        flush_locked(s);
    memcpy(s->gathered + s->n, line.p, line.n);
    s->gathered[s->n + line.n] = '\n';
    s->n += line.n + 1;
    if (level <= LOG_LEVEL_WARNING || !pthread_equal(pthread_self(), s->owner))
        flush_locked(s);
    pthread_mutex_unlock(&s->lock);
}

static void sink(void *arg, enum log_level level, struct slice line)
{
    static const int priorities[] = {
        [LOG_LEVEL_ERROR] = LOG_ERR, [LOG_LEVEL_WARNING] = LOG_WARNING,
        [LOG_LEVEL_INFO] = LOG_INFO, [LOG_LEVEL_DEBUG] = LOG_DEBUG,
    };
    struct log_sink *s = arg;

    switch (s->to) {
    case LOG_TO_SYSLOG:
        syslog(priorities[level], "%.*s", SLICE_ARG(line));
        break;
    case LOG_TO_JOURNAL:
        sd_journal_print(priorities[level], "%.*s", SLICE_ARG(line));
        break;
    default:
        gather(s, level, line);
        break;
    }
}

struct log_sink *log_sink_new(enum log_target to, enum log_level level)
{
    struct log_sink *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->owner = pthread_self();
    pthread_mutex_init(&s->lock, NULL);
    s->log = (struct log){ .sink = sink, .wall_ms = wall_ms, .arg = s };
    log_sink_set(s, to, level);
    return s;
}

void log_sink_set(struct log_sink *s, enum log_target to, enum log_level level)
{
    log_sink_flush(s);
    if (to == LOG_TO_SYSLOG && s->to != LOG_TO_SYSLOG)
        openlog("fairlead", LOG_PID | LOG_NDELAY, LOG_MAIL);
    s->to = to;
    s->log.level = level;
}

void log_sink_flush(struct log_sink *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->n > 0)
        flush_locked(s);
    pthread_mutex_unlock(&s->lock);
}

void log_sink_free(struct log_sink *s)
{
    if (!s)
        return;
    log_sink_flush(s);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const struct log *log_sink_log(const struct log_sink *s)
{
    return &s->log;
}
