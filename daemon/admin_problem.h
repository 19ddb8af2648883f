/* admin_problem.h: what goes wrong over HTTP, as a problem document (RFC 9457). Pure; any thread. */
#ifndef FL_ADMIN_PROBLEM_H
#define FL_ADMIN_PROBLEM_H

#include "buf.h"

#define ADMIN_PROBLEM_TYPE "application/problem+json"

/* "Not Found" …: the title of a status. */
const char *admin_problem_title(int status);
/* Adds {"type":"about:blank","title":…,"status":…,"detail":…} with an LF. detail may come from outside, and may have several
 * lines. Errors of buf. */
int admin_problem_write(int status, struct slice detail, struct buf *out);

#endif
