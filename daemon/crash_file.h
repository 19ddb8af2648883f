/* crash_file.h: which messages were in hand when the process died of a fatal signal, and how often in a row. A handler writes them
 * into a file that is open already; the next start counts them, and names those that were there CRASHES_TO_BLAME times without an
 * orderly end between. (kill -9 and a power cut leave no trace: they say nothing of a message.) Main thread, before the loop runs. */
#ifndef FL_CRASH_FILE_H
#define FL_CRASH_FILE_H

#include "err.h"
#include "quarantine.h"

enum { CRASHES_TO_BLAME = 3 };

struct crash_file;

/* Reads what the last end left in data_dir, and counts it. Nothing is written before crash_file_watch: a start that fails leaves it
 * to the next. */
int crash_file_open(const char *data_dir, struct crash_file **ret, struct fl_err *err);
/* The messages to be put aside: at most QUARANTINE_MAX. Told once: their counts begin anew. */
int crash_file_blamed(struct crash_file *f, struct ulid ret[QUARANTINE_MAX]);
/* From now on a fatal signal writes what is in hand. in_hand is borrowed until crash_file_close. One at a time in a process. */
void crash_file_watch(struct crash_file *f, const struct in_hand *in_hand);
/* An orderly end: nothing is blamed any more, unless nothing was watched. Takes NULL. */
void crash_file_close(struct crash_file *f);

#endif
