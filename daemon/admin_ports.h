/* admin_ports.h: what the operators' API needs of the daemon around it. Loop thread. The daemon fills it in for admin_api_new.
 */
#ifndef FL_ADMIN_PORTS_H
#define FL_ADMIN_PORTS_H

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "relay.h"

/* rc 0: the new configuration is in force. FL_EINVAL: it is bad; findings has "FILE:LINE:COLUMN: error: …\n" lines. */
typedef void admin_reloaded(void *done_arg, int rc, struct slice findings);

struct admin_ports {
    struct relay *relay;
    struct store *store;
    struct metrics *metrics;
    const struct now *now;
    const struct log *log;
    const char *openssl;         /* its version, for fairlead_build_info */
    int64_t started_ms;          /* wall */
    void *arg;                   /* of the functions below; all of them must be there */
    bool (*is_ready)(void *arg); /* every port listens and recovery is done */
    int64_t (*sessions_in)(void *arg);
    int64_t (*conf_loaded_ms)(void *arg);                            /* wall: when the present configuration was taken */
    void (*reload)(void *arg, admin_reloaded *done, void *done_arg); /* done runs once, now or later */
    /* What an operator should know: one sentence each. Configuration warnings are added by the API itself. */
    void (*warnings)(void *arg, void (*visit)(void *visit_arg, const char *text), void *visit_arg);
};

#endif
