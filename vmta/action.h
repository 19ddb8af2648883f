/* action.h: what an operator asks of much mail at once, and how far it has come: plain data, shared by the views (relay_view.h) and
 * those who carry it out (task.h). Loop thread. */
#ifndef FL_ACTION_H
#define FL_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"
#include "ulid.h"

/* States as operators see them: of queues, and of recipients. */
enum view_state { VIEW_READY, VIEW_WAITING, VIEW_HELD, VIEW_SUSPENDED, VIEW_SENDING, VIEW_ANY };

enum action_kind { ACTION_HOLD, ACTION_RELEASE, ACTION_RETRY, ACTION_MOVE, ACTION_DROP };

/* "hold" …, as operators type it; NULL behind the last. */
static inline const char *action_name(enum action_kind kind)
{
    static const char *const names[] = { "hold", "release", "retry", "move", "drop" };

    return kind <= ACTION_DROP ? names[kind] : NULL;
}

struct action {
    enum action_kind kind;
    /* the selection: all that are said must match */
    bool all;
    struct slice tenant, vmta, domain, job; /* domain: exact or wildcard; job needs tenant */
    const struct ulid *message;
    enum view_state state;       /* VIEW_ANY: any */
    int64_t older_ms;            /* 0: any age */
    struct slice to;             /* move: a VMTA or pool */
    bool dsn, refuse, dry_run;
    struct slice who;            /* the token's name, or the system user at the socket */
};

struct action_answer {
    struct ulid task;
    int64_t matched;             /* recipients */
};

struct view_task {
    struct ulid id;
    enum action_kind kind;
    bool running;
    int64_t matched, done, started_ms, ended_ms; /* wall; ended 0: not yet */
};

#endif
