/* activation.h: ports that systemd bound for us (socket activation, sd_listen_fds(3)): taken by the listeners whose
 * addresses are the same. They stay open for as long as we run, so that a listener that a reload took away may come
 * back. Main thread at the start, then loop thread; daemon.c makes one. */
#ifndef FL_ACTIVATION_H
#define FL_ACTIVATION_H

#include <stdbool.h>

#include "inet.h"
#include "log.h"

struct activation;

/* Takes what LISTEN_FDS passes to this process, and the variables out of the environment. Never NULL but without memory; what is
 * no TCP socket is closed, and the log says so. */
struct activation *activation_take(const struct log *log);
void activation_free(struct activation *a); /* takes NULL */
/* A descriptor of its own (non-blocking, close-on-exec) for the passed socket of this address, given; -1: none was passed. NULL a:
 * none. */
int activation_socket(struct activation *a, const struct inet_endpoint *endpoint);
/* Says in the log which of them nobody has asked for. */
void activation_warn_unused(const struct activation *a, const struct log *log);

#endif
