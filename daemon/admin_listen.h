/* admin_listen.h: the sockets on which operators are heard. Before the loop runs, or at a reload; blocks for no longer than the
 * file system does. */
#ifndef FL_ADMIN_LISTEN_H
#define FL_ADMIN_LISTEN_H

#include <sys/types.h>

#include "err.h"
#include "inet.h"

/* A listening Unix socket with mode 0660, owned by uid and gid (-1: who we are). Its folder is made with mode 0750 when it is
 * missing. A socket that nobody answers on is replaced; FL_EBUSY when somebody does; FL_EEXIST when the path is something else.
 */
int admin_listen_local(const char *path, uid_t uid, gid_t gid, int *ret_fd, struct fl_err *err);
/* A listening TCP socket; IPv6 ones hear IPv6 only. */
int admin_listen_tcp(const struct inet_endpoint *endpoint, int *ret_fd, struct fl_err *err);

#endif
