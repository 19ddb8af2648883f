/* log_sink.h: where log lines go: stderr, syslog or the journal. Lines of the loop gather until its turn ends (one write for
 * all); those of other threads, and what is a warning or worse, go at once. Any thread, but for what is said below. */
#ifndef FL_LOG_SINK_H
#define FL_LOG_SINK_H

#include "conf.h"
#include "log.h"

struct log_sink;

/* Main thread, before any other: the thread that calls this is the one that flushes. NULL without memory. */
struct log_sink *log_sink_new(enum log_target to, enum log_level level);
/* Flushes and frees. Takes NULL. */
void log_sink_free(struct log_sink *s);
/* After a reload. The loop's thread. */
void log_sink_set(struct log_sink *s, enum log_target to, enum log_level level);
/* The end of a turn. The loop's thread. */
void log_sink_flush(struct log_sink *s);
/* What everybody logs to; borrowed for the sink's life. */
const struct log *log_sink_log(const struct log_sink *s);

#endif
