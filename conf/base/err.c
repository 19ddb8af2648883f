/* err.c: see err.h. */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int fl_failv(struct fl_err *err, int code, const char *format, va_list ap)
{
    if (err) {
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, ap);
    }
    return code;
}

int fl_fail(struct fl_err *err, int code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fl_failv(err, code, format, ap);
    va_end(ap);
    return code;
}

int fl_at(struct fl_err *err, const char *format, ...)
{
    char old[FL_ERR_TEXT];
    va_list ap;
    size_t n;

    if (!err)
        return FL_EINVAL;
    memcpy(old, err->text, sizeof old);
    va_start(ap, format);
    vsnprintf(err->text, sizeof err->text, format, ap);
    va_end(ap);
    n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, ": %s", old);
    return err->code;
}

int fl_code_of_errno(int e)
{
    switch (e) {
    case ENOMEM: return FL_ENOMEM;
    case ENOSPC:
    case EDQUOT: return FL_EFULL;
    case ENOENT: return FL_ENOENT;
    case EEXIST: return FL_EEXIST;
    case EACCES:
    case EPERM: return FL_EDENIED;
    case ETIMEDOUT: return FL_ETIMEOUT;
    case EINVAL: return FL_EINVAL;
    case EBUSY:
    case EADDRINUSE: return FL_EBUSY;
    case EMFILE:
    case ENFILE: return FL_ELIMIT;
    case ECANCELED: return FL_ECANCELED;
    default: return FL_EIO;
    }
}
