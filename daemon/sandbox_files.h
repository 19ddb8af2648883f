/* sandbox_files.h: which parts of the file system the process may still touch (Landlock).
 * Folders are named first, then it is put in force, for this thread and those that begin later; afterwards it answers whether a
 * file of a new configuration lies within. Main thread, before others begin; sandbox_files_covers: loop thread. */
#ifndef FL_SANDBOX_FILES_H
#define FL_SANDBOX_FILES_H

#include <stdbool.h>

#include "err.h"

struct sandbox_files;

enum sandbox_use {
    SANDBOX_READ,  /* files and folders below */
    SANDBOX_WRITE, /* made, read, written, renamed and removed below; nothing there can be run */
};

enum { SANDBOX_FOLDERS_MAX = 4096 };

struct sandbox_files *sandbox_files_new(void); /* NULL without memory */
void sandbox_files_free(struct sandbox_files *s); /* takes NULL; what is in force stays */
/* A folder with all that lies below it, or one file. What does not exist is left out. FL_ENOMEM; FL_ELIMIT. */
int sandbox_files_allow(struct sandbox_files *s, enum sandbox_use use, const char *path);
/* The folder that this file lies in, and the one that it leads to if it is a symbolic link: a file that is replaced by another
 * one is covered too. */
int sandbox_files_allow_around(struct sandbox_files *s, enum sandbox_use use, const char *file);
/* In force from here on. *ret_version: of the kernel's Landlock; 0: it has none (or none is on), and nothing changed. Needs
 * sandbox_no_new_privileges before. */
int sandbox_files_enforce(struct sandbox_files *s, int *ret_version, struct fl_err *err);
/* What sandbox_files_enforce said; 0 also for NULL. */
int sandbox_files_version(const struct sandbox_files *s);
/* Whether this file, which need not exist, lies where it may be used so. Always true where nothing is in force. */
bool sandbox_files_covers(const struct sandbox_files *s, enum sandbox_use use, const char *file);

#endif
