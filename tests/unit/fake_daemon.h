/* fake_daemon.h: the operators' HTTP over a fake relay, in a thread of its own with a real libuv loop, a real control socket
 * and a real TCP port: what tests of HTTP and of the client commands talk to. */
#ifndef FL_FAKE_DAEMON_H
#define FL_FAKE_DAEMON_H

#include "fake_relay.h"

struct fake_daemon {
    struct relay relay;
    char folder[32], socket[64];
    uint16_t port;
    bool is_ready, reload_fails;
    struct fake_daemon_private *private;
};

/* Fails the test when it cannot start. */
void fake_daemon_start(struct fake_daemon *d);
/* Runs fake_relay_turn on the daemon's thread. */
void fake_daemon_turn(struct fake_daemon *d);
void fake_daemon_stop(struct fake_daemon *d);

#endif
