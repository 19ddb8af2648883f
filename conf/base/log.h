/* log.h: one line an event: TIME LEVEL EVENT key=value… Nothing that comes from outside stands in it unescaped.
 * The struct is shared by all threads and immutable but for the level; a line is built on the caller's stack and handed to the
 * sink whole. Time is handed in by the sink's owner (`now_ms`), so that this file reads no clock. */
#ifndef FL_LOG_H
#define FL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    enum log_level level; /* what lies above it is not built at all */
    /* Writes one line, without its newline. Any thread; must not block for long. */
    void (*sink)(void *arg, enum log_level level, struct slice line);
    int64_t (*wall_ms)(void *arg);
    void *arg; /* borrowed for as long as the log lives */
};

enum { LOG_LINE = 2048 };

struct log_line {
    const struct log *log; /* NULL: this line is not wanted */
    enum log_level level;
    size_t n;
    char text[LOG_LINE];
};

/* Begins a line. event is a literal in lower case ("delivered", "config_refused"). log may be NULL: nothing is logged. */
void log_begin(struct log_line *l, const struct log *log, enum log_level level, const char *event);
/* Adds key=value. A value with a blank, a quote, '=', a control character or invalid UTF-8 is quoted, those escaped; one that
 * is too long for the line is cut and marked by "…". */
void log_slice(struct log_line *l, const char *key, struct slice value);
void log_text(struct log_line *l, const char *key, const char *value);
void log_int(struct log_line *l, const char *key, int64_t value);
/* A span in milliseconds, for people. */
void log_span(struct log_line *l, const char *key, int64_t ms);
/* Hands the line to the sink. */
void log_end(struct log_line *l);
/* An event whose only field is `text`. */
void log_message(const struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *log_level_name(enum log_level level);

#endif
