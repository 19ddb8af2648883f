/* err.h: how a function says what went wrong: a negative number for the program, a text for the person.
 * Pure; any thread. The text is written once, where the cause is known, and logged once, by whoever handles it. */
#ifndef FL_ERR_H
#define FL_ERR_H

#include <stdarg.h>

enum fl_code {
    FL_OK = 0,
    FL_ENOMEM = -1,    /* out of memory */
    FL_ELIMIT = -2,    /* a named limit was reached */
    FL_EINVAL = -3,    /* what was given is malformed */
    FL_ENOENT = -4,    /* there is no such thing */
    FL_EEXIST = -5,    /* it is there already */
    FL_EIO = -6,       /* disk or network */
    FL_EFULL = -7,     /* no space left on the disk */
    FL_EDENIED = -8,   /* not permitted */
    FL_ETIMEOUT = -9,  /* took too long */
    FL_ECLOSED = -10,  /* the other side closed */
    FL_ECANCELED = -11,
    FL_EUNKNOWN = -12, /* a COMMIT whose outcome is not known: look by id */
    FL_ECORRUPT = -13, /* damaged data */
    FL_EBUSY = -14,    /* held by somebody else */
};

enum { FL_ERR_TEXT = 512 };

struct fl_err {
    int code; /* enum fl_code */
    char text[FL_ERR_TEXT];
};

/* Writes the text into err (which may be NULL) and returns code, so that `return fl_fail(…)` reads as one step. */
int fl_fail(struct fl_err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fl_failv(struct fl_err *err, int code, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));
/* Puts a place before the text that is there already: "PLACE: text". Returns err->code. */
int fl_at(struct fl_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The code for an errno value (ENOSPC and EDQUOT: FL_EFULL, …; FL_EIO for what is not listed). */
int fl_code_of_errno(int e);

#endif
