/* daemon.h: the daemon: everything made in order, run, and taken down in order. Main thread, which is the loop's; cmd/run.c
 * calls it. */
#ifndef FL_DAEMON_H
#define FL_DAEMON_H

#include "conf.h"

/* Runs until SIGTERM or SIGINT. conf is the loaded configuration (a reference is taken), file where it came from, for reloads.
 * 0, or an error that was logged: it could not start. */
int daemon_main(struct conf *conf, const char *file);

#endif
