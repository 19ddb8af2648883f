/* sandbox_calls.h: which system calls the process may still make (seccomp). Three answers: what a relay with its libraries
 * needs is allowed; what none of them ever makes and an intruder wants (to start or trace a program, to mount, to load a kernel
 * module) ends the process; and all else is answered ENOSYS, which libraries take for an older kernel and have another way for.
 * Main thread, before others begin. */
#ifndef FL_SANDBOX_CALLS_H
#define FL_SANDBOX_CALLS_H

#include "err.h"

/* In force from here on, for good, and inherited by threads that begin later. Needs sandbox_no_new_privileges before.
 * FL_EDENIED: this kernel has no seccomp filters; nothing changed then. */
int sandbox_calls_enforce(struct fl_err *err);

#endif
