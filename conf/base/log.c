/* log.c: see log.h. */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "clock.h"

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const char cut_mark[] = "\xe2\x80\xa6"; /* … */

/* Kept free at the end of a line: the mark of a cut, a closing quote. */
enum { LOG_TAIL = sizeof cut_mark + 1 };

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

static bool raw(struct log_line *l, struct slice s)
{
    if (l->n + s.n > LOG_LINE - LOG_TAIL)
        return false;
    memcpy(l->text + l->n, s.p, s.n);
    l->n += s.n;
    return true;
}

void log_begin(struct log_line *l, const struct log *log, enum log_level level, const char *event)
{
    char time[CLOCK_RFC3339];

    l->log = log && level <= log->level ? log : NULL;
    if (!l->log)
        return;
    l->level = level;
    l->n = 0;
    clock_rfc3339(log->wall_ms(log->arg), time);
    raw(l, slice_of(time));
    raw(l, SLICE(" "));
    raw(l, slice_of(level_names[level]));
    raw(l, SLICE(" "));
    raw(l, slice_of(event));
}

static bool key_raw(struct log_line *l, const char *key)
{
    if (l->n + strlen(key) + 2 > LOG_LINE - LOG_TAIL)
        return false;
    return raw(l, SLICE(" ")) && raw(l, slice_of(key)) && raw(l, SLICE("="));
}

static bool is_plain(struct slice s)
{
    if (s.n == 0 || !slice_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        /* C1 controls (U+0080 … U+009F) are 0xc2 0x80 … 0xc2 0x9f */
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f ||
            (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0))
            return false;
    }
    return true;
}

/* One byte in its quoted form. Bytes above ASCII are escaped one by one: quoted values are the hostile ones. */
static struct slice quoted(unsigned char c, char store[5])
{
    if (c == '"' || c == '\\')
        return slice_make(store, (size_t)snprintf(store, 5, "\\%c", c));
    if (c < ' ' || c >= 0x7f)
        return slice_make(store, (size_t)snprintf(store, 5, "\\x%02x", c));
    store[0] = (char)c;
    return slice_make(store, 1);
}

static void cut(struct log_line *l)
{
    memcpy(l->text + l->n, cut_mark, sizeof cut_mark - 1);
    l->n += sizeof cut_mark - 1;
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
    char store[5];

    if (!l->log || !key_raw(l, key))
        return;
    if (is_plain(value)) {
        size_t room = LOG_LINE - LOG_TAIL - l->n;

        if (value.n <= room) {
            raw(l, value);
            return;
        }
    }
    raw(l, SLICE("\""));
    for (size_t i = 0; i < value.n; i++) {
        if (!raw(l, quoted((unsigned char)value.p[i], store))) {
            cut(l);
            break;
        }
    }
    l->text[l->n++] = '"'; /* LOG_TAIL keeps its place */
}

void log_text(struct log_line *l, const char *key, const char *value)
{
    log_slice(l, key, slice_of(value ? value : ""));
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
    char text[24];

    if (!l->log || !key_raw(l, key))
        return;
    snprintf(text, sizeof text, "%" PRId64, value);
    raw(l, slice_of(text));
}

void log_span(struct log_line *l, const char *key, int64_t ms)
{
    char text[CLOCK_SPAN];

    clock_span(ms, text);
    log_text(l, key, text);
}

void log_end(struct log_line *l)
{
    if (l->log)
        l->log->sink(l->log->arg, l->level, slice_make(l->text, l->n));
    l->log = NULL;
}

void log_message(const struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    struct log_line l;
    char text[LOG_LINE / 2];
    va_list ap;

    log_begin(&l, log, level, event);
    if (!l.log)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    log_text(&l, "text", text);
    log_end(&l);
}
