/* reload.h: reading the configuration again while all goes on: loaded on the pool, put in force on the loop, one at a time.
 * Loop thread; daemon.c makes one. Who asks while a load is under way gets the result of another one that begins after it, so
 * that what he changed is surely seen. */
#ifndef FL_RELOAD_H
#define FL_RELOAD_H

#include "admin_ports.h"
#include "conf.h"
#include "err.h"
#include "log.h"

struct reload;
struct crypto;

enum { RELOAD_WAITERS_MAX = 64 }; /* more are answered as busy */

struct reload_options {
    const char *file;       /* borrowed, as crypto and log are */
    struct crypto *crypto;
    const struct log *log;
    /* Puts conf in force (references are taken as needed), or says why not: then all is as it was. */
    int (*apply)(void *arg, struct conf *conf, struct fl_err *err);
    void *arg;
    /* Added to the findings of a load to which the system said "permission denied"; NULL: nothing. */
    const char *denied_note;
};

struct reload *reload_new(const struct reload_options *options); /* NULL without memory */
/* What is under way is not put in force any more, and none begins. Takes NULL. */
void reload_stop(struct reload *r);
/* Nothing may be under way. Takes NULL. */
void reload_free(struct reload *r);
/* done: may be NULL. It runs once, never inside this call unless there are too many waiters or nothing can be begun. */
void reload_request(struct reload *r, admin_reloaded *done, void *done_arg);

#endif
