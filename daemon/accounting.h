/* accounting.h: what happened, one JSON line an event, into the files that the configuration names.
 * Loop thread; called from the relay's one hook, which runs after the COMMIT. Writing is the files' own business (off the
 * loop). */
#ifndef FL_ACCOUNTING_H
#define FL_ACCOUNTING_H

#include "conf.h"
#include "err.h"
#include "event.h"

struct accounting;

/* Where lines go: one open file a sink. */
struct accounting_files {
    void *arg;
    int (*open)(void *arg, const struct conf_accounting *sink, void **ret_file, struct fl_err *err);
    /* Adds a line with its LF; copied. Must not block. */
    void (*write)(void *file, struct slice line);
    void (*begin_anew)(void *file); /* a new file under the name; the old one is kept beside it */
    void (*close)(void *file); /* after what was written to it */
};

/* Opens the files of a configuration. files is copied. */
int accounting_new(const struct accounting_files *files, const struct conf *conf, struct accounting **ret, struct fl_err *err);
/* After a reload: a file that stays is kept open, with its new choice of events and fields; when one cannot be opened, all
 * stays as it was. */
int accounting_set_conf(struct accounting *a, const struct conf *conf, struct fl_err *err);
/* Writes the event into each file that wants it. */
void accounting_event(struct accounting *a, const struct event *e);
/* Each file begins anew (SIGHUP). */
void accounting_begin_anew(struct accounting *a);
/* Closes the files. Takes NULL. */
void accounting_free(struct accounting *a);

#endif
