/* relay_view.h: what operators see of a relay and what they may do: the rows of the admin interface as plain data, and actions.
 * Loop thread. daemon/admin_api.c turns rows into JSON; nothing here knows JSON. Slices and texts of a row are borrowed inside the
 * visit only. */
#ifndef FL_RELAY_VIEW_H
#define FL_RELAY_VIEW_H

#include "action.h"
#include "envelope.h"
#include "relay.h"

const char *view_state_name(enum view_state s);

/* ---------------------------------------------------------------- queues */
struct view_queue {
    struct slice name;       /* tenant/vmta/domain */
    struct slice tenant, vmta, domain;
    enum view_state state;
    int64_t messages, recipients, bytes;
    int64_t oldest_ms;       /* wall; 0: none */
    int64_t next_attempt_ms; /* wall; 0: none (null) */
    int64_t connections, in_flight;
    int64_t delivered_per_min;
    struct slice why;        /* one sentence */
    struct last_reply last_reply; /* time_ms 0: null */
};

struct view_limit {          /* of `queue show` */
    const char *name;        /* "connections of the path" … */
    struct slice used, limit;/* "3", "20"; rates as text */
    struct conf_place at;
    bool binds;              /* it is what holds the queue back now */
};

struct view_filter {
    struct slice tenant, vmta, domain; /* empty: any; domain may be a wildcard pattern */
    enum view_state state;             /* VIEW_ANY: any */
};

/* Queues in the order of their names, behind `after` (empty: from the beginning), at most limit; those that are empty only where a
 * hold names them. visit returns false to stop. Returns whether there are more behind the last one visited. */
bool relay_view_queues(struct relay *r, const struct view_filter *f, struct slice after, int limit,
                       bool (*visit)(void *arg, const struct view_queue *q), void *arg);
struct view_without_tls {    /* a host that is spoken to in clear since its handshake failed (`tls: opportunistic`) */
    struct inet_addr mx_ip;
    int64_t until_ms;        /* wall */
};

enum { VIEW_WITHOUT_TLS_MAX = 16 };

struct view_details {        /* of `queue show` */
    const struct view_limit *limits;
    int limit_count;
    struct view_without_tls without_tls[VIEW_WITHOUT_TLS_MAX];
    int without_tls_count;
    struct slice protocol;   /* lines of the last failed session */
};

/* One queue by its name. false: there is none. Details are borrowed inside visit. */
bool relay_view_queue(struct relay *r, struct slice name,
                      void (*visit)(void *arg, const struct view_queue *q, const struct view_details *d), void *arg);

/* ---------------------------------------------------------------- messages */
struct view_message { /* one recipient */
    const struct envelope *env;
    const struct envelope_rcpt *rcpt;
    enum view_state state;
    int64_t next_attempt_ms; /* 0: null */
    int attempts;
    struct last_reply last_reply;
};

/* All recipients of a queue, those in memory first; in chunks: visit as often as there are rows, then done. after/next: an opaque
 * key (as text, at most 64 bytes; empty: from the beginning / no more). FL_ENOENT: no such queue. FL_EINVAL: no key of ours. */
int relay_view_messages(struct relay *r, struct slice queue, struct slice after, int limit,
                        void (*visit)(void *arg, const struct view_message *m),
                        void (*done)(void *arg, struct slice next), void *arg);
/* One message: visit once for each recipient that is left, then done(found). */
void relay_view_message(struct relay *r, const struct ulid *id, void (*visit)(void *arg, const struct view_message *m),
                        void (*done)(void *arg, bool found), void *arg);
/* Its content, unstuffed, in pieces; done(rc). at most one piece of 256 KiB in memory. FL_ENOENT by done. */
void relay_view_content(struct relay *r, const struct ulid *id, bool (*piece)(void *arg, struct slice bytes),
                        void (*done)(void *arg, int rc), void *arg);

/* ---------------------------------------------------------------- jobs, tenants, vmtas, totals */
struct view_job {
    struct slice tenant, job;
    int64_t ready, waiting, held, delivered, bounced, expired, dropped, bytes;
    int64_t first_accepted_ms, delivered_per_min;
    int64_t eta_ms; /* wall; 0: null */
};
/* In the order of "tenant/job", behind after. */
bool relay_view_jobs(struct relay *r, struct slice tenant, struct slice after, int limit,
                     bool (*visit)(void *arg, const struct view_job *j), void *arg);
bool relay_view_job(struct relay *r, struct slice tenant, struct slice job,
                    void (*visit)(void *arg, const struct view_job *j), void *arg);

struct view_stream { /* of a tenant or of a VMTA; the counters are those of Prometheus, since start */
    struct slice name;
    bool held;
    int64_t messages, recipients, bytes, oldest_ms, connections;
    int64_t delivered_per_min, deferred_per_min, bounced_per_min, accepted_per_min, rejected_per_min;
    struct last_reply last_reply;
    const struct conf_vmta *vmta;     /* of a VMTA row */
    const struct conf_tenant *tenant; /* of a tenant row */
};
bool relay_view_vmtas(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s), void *arg);
bool relay_view_tenants(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s), void *arg);

/* Counters by (tenant, vmta): for fairlead_deliveries_total, fairlead_queue_messages, fairlead_queue_oldest_seconds. */
struct view_counter {
    struct slice tenant, vmta;
    uint64_t results[EVENTS]; /* by event kind; EVENT_ACCEPTED counts messages */
    int64_t messages, oldest_ms;
};
void relay_view_counters(struct relay *r, void (*visit)(void *arg, const struct view_counter *c), void *arg);

enum { VIEW_BUCKETS = 20 };
struct view_totals {
    int64_t messages, recipients, bytes;
    int64_t connections; /* out */
    int64_t in_memory_recipients, in_memory_bytes;
    uint64_t accept_us_bucket[VIEW_BUCKETS], accept_us_sum, accept_count;       /* final dot → 250; bucket i: < 2^(i+7) µs, the last: more */
    uint64_t delivery_ms_bucket[VIEW_BUCKETS], delivery_ms_sum, delivery_count; /* 250 → delivered; bucket i: < 2^(i+1) ms */
};
void relay_view_totals(struct relay *r, struct view_totals *ret);

/* ---------------------------------------------------------------- actions */
/* Begins it as a background task (small ones are done within the turn). 0; FL_EINVAL (nothing selected, impossible together: text
 * says what), FL_ENOENT (unknown tenant, VMTA, job or message), FL_EDENIED (move without a grant). done runs once, now or later, with
 * the number that matched. */
void relay_act(struct relay *r, const struct action *a,
               void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text), void *arg);

bool relay_view_task(struct relay *r, const struct ulid *id, struct view_task *ret);

struct view_hold {
    struct ulid id;
    struct slice tenant, vmta, domain, job, who;
    int64_t since_ms;
    bool refuse;
};
void relay_view_holds(struct relay *r, void (*visit)(void *arg, const struct view_hold *h), void *arg);

#endif
