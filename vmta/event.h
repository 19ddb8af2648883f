/* event.h: what happened to a message, handed up by the relay's one hook. Pure data; borrowed inside the hook. */
#ifndef FL_EVENT_H
#define FL_EVENT_H

#include "envelope.h"
#include "inet.h"
#include "slice.h"
#include "ulid.h"

enum event_kind {
    EVENT_ACCEPTED,      /* one a message, after COMMIT */
    EVENT_REJECTED,      /* a submission refused; one a recipient where one is known */
    EVENT_DELIVERED,     /* these: one a recipient, after the COMMIT of its settle */
    EVENT_DEFERRED,
    EVENT_BOUNCED,
    EVENT_EXPIRED,
    EVENT_DROPPED,
    EVENT_PATH_DEFERRED, /* one a queue and attempt that was set back as a whole: queue, recipients */
    EVENTS,
};
/* "accepted" …; NULL beyond. */
const char *event_name(enum event_kind kind);

/* Fields that do not apply are empty, NULL, 0 or -1 (numbers), and are left out of a line. */
struct event {
    enum event_kind kind;
    struct ulid id;              /* of the event */
    int64_t time_ms;             /* wall */
    const struct ulid *message;
    struct slice tenant, user, client_ip, job, from, to, vmta, pool;
    bool has_from;               /* from "" is the null reverse-path */
    struct slice source_ip, mx, mx_ip;
    struct slice tls_version, tls_cipher;
    bool tls_verified;
    struct slice stage, enhanced, text;
    int code;                    /* 0: none */
    int attempt;                 /* from 1; 0: none */
    int64_t queued_ms, delivery_ms, size; /* -1: none; queued: since acceptance; delivery: the transaction itself */
    struct slice queue;          /* path_deferred: "tenant/vmta/domain" */
    int64_t recipients;          /* path_deferred; accepted: how many; -1: none */
    const char *reason;          /* rejected: for the metric */
};

#endif
