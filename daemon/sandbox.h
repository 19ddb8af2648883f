/* sandbox.h: what the process may do once its ports are bound: another user, no new privileges; and how many files it may open.
 * Main thread, before others begin. */
#ifndef FL_SANDBOX_H
#define FL_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Raises RLIMIT_NOFILE to want, or as far as allowed; returns what it is then. */
int64_t sandbox_raise_files(int64_t want);

/* Makes a folder (0700) for the user that we shall be, or checks that it is one. uid -1: nobody else's. */
int sandbox_make_folder(const char *path, uid_t uid, gid_t gid, struct fl_err *err);
/* The user's ids. FL_ENOENT: there is none of that name. */
int sandbox_find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct fl_err *err);
/* Becomes that user, for good; only the right to bind low ports is kept, for a reload that opens one. Nothing when it is us
 * already. */
int sandbox_become(const char *user, uid_t uid, gid_t gid, struct fl_err *err);
/* No set-uid program started by us gains anything, for good; what Landlock and seccomp ask for. */
void sandbox_no_new_privileges(void);
/* Whether a crash may leave a core file and other processes of our user may look into our memory. After sandbox_become, which
 * takes it away. */
void sandbox_core_dumps(bool allowed);

#endif
