/* profile.h: what an outgoing connection must be like. Two queues may share a connection when their profiles are the same.
 * Plain data; pure. All pointers live as long as whoever uses it (the owner of a connection holds the conf). */
#ifndef FL_PROFILE_H
#define FL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

struct profile {
    enum tls_mode tls;
    enum tls_version tls_min_version;
    const char *tls_ca;        /* NULL: the system's */
    bool tls_fallback;         /* opportunistic only */
    bool implicit_tls;
    const char *ehlo;          /* our EHLO name */
    const char *user, *password; /* login, or NULL */
    bool allow_plaintext_login;
    int64_t connect_timeout_ms;
    int64_t reply_timeout_ms;  /* 0: those of RFC 5321 4.5.3.2 */
};

#endif
