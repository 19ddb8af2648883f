/* queue.h: the customer's view: one (tenant, VMTA, domain), where mail waits, and the recipients of it that are in memory.
 * Pure (no I/O, no clock); loop thread. `struct queues` holds them all; scheduler, loader, delivery and views work on them.
 *
 *   parked (database) --load--> READY --send--> SENDING --result--> SETTLING --commit--> gone, or parked again
 *                                ^                 | not judged (421, lost)
 *                                +-----------------+
 * Counts of a queue speak of what is durable: in memory or parked. */
#ifndef FL_QUEUE_H
#define FL_QUEUE_H

#include <sys/queue.h>
#include <uthash.h>

#include "clock.h"
#include "conf.h"
#include "envelope.h"
#include "heap.h"
#include "meter.h"
#include "note.h"
#include "policy.h"
#include "profile.h"
#include "store.h"
#include "tenancy.h"

struct site;
struct turn;
struct hold;
struct job;
struct resolution;

/* The due time of a recipient whose job is held: never, until the rule goes. */
#define HELD_DUE_MS (INT64_MAX / 4)

enum entry_state { ENTRY_READY, ENTRY_SENDING, ENTRY_SETTLING, ENTRY_STATES };

/* The recipients of one message in one queue that are in memory, and go (or wait) together. */
struct queue_entry {
    TAILQ_ENTRY(queue_entry) link;      /* queue->ready or queue->busy */
    struct queue_entry *next_of_message;/* the same message's other entries */
    struct queue *queue;
    struct message_entries *message;
    struct envelope *env;               /* a reference */
    struct job *job;                    /* or NULL */
    enum entry_state state;
    bool again;                         /* made ready at once after 421 or loss: not a second time */
    bool drop, drop_dsn;                /* dropped by command while it was being sent: what is not delivered goes */
    bool hold;                          /* held by message, age or state while it was being sent: the same */
    int rcpt_count;
    int rcpt[];                         /* indices into env->rcpts */
};

/* All entries of one message that are in memory, by its id. */
struct message_entries {
    struct ulid id;
    struct queue_entry *first;
    UT_hash_handle hh;
};

/* A recipient that is parked, not in memory, and has a settle under way: nobody else acts on it meanwhile. */
struct settling_rcpt {
    struct ulid message;
    uint32_t number;
    UT_hash_handle hh;                  /* by the two above */
};

TAILQ_HEAD(queue_entries, queue_entry);

enum resolve_state { RESOLVE_NEEDED, RESOLVE_ASKING, RESOLVE_DONE, RESOLVE_BOUNCE };

struct queue {
    struct queue_key key;               /* slices into name */
    char *name;                         /* "tenant/vmta/domain" */
    UT_hash_handle hh_name, hh_id;
    struct tenant_state *tenant_state;
    struct vmta_state *vmta_state;
    struct stream_counters *counters;

    /* of the configuration that was in force when it was last used */
    struct conf *conf;                  /* a reference */
    const struct conf_tenant *tenant;   /* NULL: vanished */
    const struct conf_vmta *vmta;       /* NULL: vanished, or no longer granted */
    struct conf *policy_conf;           /* a reference: policy and profile point into it */
    struct policy policy;               /* the last that both were there for */
    struct profile profile;
    bool place_is_old;                  /* all this changed: site, turns and hold are to be found anew (attend.c) */

    /* what is durable */
    int64_t messages, recipients, bytes;
    int64_t pending;                    /* recipients of messages whose COMMIT is awaited: the queue stays */

    /* in memory */
    struct queue_entries ready, busy;   /* busy: SENDING and SETTLING */
    int64_t ready_rcpts, busy_rcpts;
    int ready_entries;
    int sending;                        /* entries on a connection */

    /* parked: recipients - ready_rcpts - busy_rcpts */
    int64_t next_due_ms;                /* wall; NEVER_MS: none */
    struct load_key after;
    int64_t noted_due_ms;               /* wall: the earliest that was parked while a load was under way; NEVER_MS: none */
    bool loading, rewind;               /* rewind: something was parked before `after`: load from the beginning */
    int64_t next_expiry_ms;             /* wall; no recipient expires before; NEVER_MS: none known */
    int64_t oldest_parked_ms;           /* wall: received, of the oldest parked; 0: none known; looked up anew now and then */
    int64_t looked_up_ms;               /* mono: when oldest_parked_ms and next_expiry_ms were looked up last */
    int64_t released_ms;                /* wall: a hold ended; what is too old is tried once more before it expires; 0: never */

    /* its own clock */
    int attempts;
    int64_t next_attempt_ms;            /* wall; 0: ready */
    bool probing;                       /* one at a time until something succeeds */
    int64_t first_nxdomain_ms;          /* wall; 0: none in a row */
    struct note last;
    struct note protocol;               /* reply.text: lines of the last failed session */

    const struct hold *hold;            /* the first rule that matches; NULL: none */
    bool held_by_conf;                  /* tenant or VMTA vanished */

    /* where to */
    enum resolve_state resolve;
    struct resolution *resolution;      /* while asking */
    struct site *site;                  /* a reference, when done */
    struct note verdict;                /* RESOLVE_BOUNCE: what every recipient is told */
    int64_t verdict_until_ms;           /* mono: asked again then */
    struct turn *turns;                 /* one for each source address of a family that the site has */
    int turn_count;

    struct heap_node wake;              /* in queues->wake, by wall time */
    TAILQ_ENTRY(queue) idle_link;       /* queues->idle: empty, since idle_ms */
    int64_t idle_ms;                    /* mono; 0: not in the list */
    TAILQ_ENTRY(queue) shed_link;       /* queues->shed: set back, its memory to be given up */
    bool shedding;
    struct meter delivered;
};

TAILQ_HEAD(queue_list, queue);

struct queues {
    struct queue *by_name, *by_id;
    struct message_entries *messages;   /* in memory, by id */
    struct settling_rcpt *settling;
    struct heap wake;
    struct queue_list idle, shed;
    struct tenancy *tenancy;            /* borrowed */
    struct conf *conf;                  /* in force: a reference */
    uint64_t next_id;
    int64_t memory_rcpts;               /* in memory, over all queues, and reserved */
    int64_t memory_limit;
    struct {
        int64_t messages, recipients, bytes;
    } total;                            /* durable, in all queues */
};

void queues_init(struct queues *qs, struct tenancy *tenancy, uint64_t next_id);
void queues_free(struct queues *qs);
void queues_set_conf(struct queues *qs, struct conf *conf);

struct queue *queues_find(const struct queues *qs, struct slice name);
struct queue *queues_by_id(const struct queues *qs, uint64_t id);
/* Found or made. id 0: a new one is given. NULL without memory. */
struct queue *queues_get(struct queues *qs, struct slice tenant, struct slice vmta, struct slice domain, uint64_t id);
/* Only when it is empty, has nothing pending, and nobody holds on to it (site, turns and resolution given up already). */
void queues_remove(struct queues *qs, struct queue *q);
struct queue *queues_next(const struct queue *q); /* in no order that means anything; for whole walks */

/* Brings tenant, VMTA, policy and profile up to the configuration in force; place_is_old when they changed. Of a queue that vanished
 * from it the old policy is kept, for what is being sent. */
void queue_sync(struct queues *qs, struct queue *q);

static inline int64_t queue_in_memory(const struct queue *q) { return q->ready_rcpts + q->busy_rcpts; }
static inline int64_t queue_parked(const struct queue *q) { return q->recipients - queue_in_memory(q); }
static inline bool queue_is_held(const struct queue *q) { return q->hold || q->held_by_conf; }
/* All that is in it is held one by one, or by the rule of a job. */
static inline bool queue_is_put_aside(const struct queue *q)
{
    return q->recipients > 0 && queue_in_memory(q) == 0 && q->next_due_ms == HELD_DUE_MS;
}
/* Its own clock lets it go. */
static inline bool queue_is_due(const struct queue *q, int64_t wall_ms) { return q->next_attempt_ms <= wall_ms; }
static inline bool queue_is_empty(const struct queue *q) { return q->recipients == 0 && q->pending == 0; }

/* Counts of what is durable. n messages, recipients and bytes, added or (negative) taken; in all books. */
void queue_count(struct queues *qs, struct queue *q, int64_t messages, int64_t recipients, int64_t bytes);

/* An entry of those recipients; READY, at the end (or front) of the line. Takes no reference of env: makes its own. NULL without
 * memory. */
struct queue_entry *queue_entry_new(struct queues *qs, struct queue *q, struct envelope *env, const int *rcpt, int count,
                                    bool at_front);
/* Whose campaign it is: counted there as in memory until the entry is freed. NULL: none. */
void queue_entry_set_job(struct queue_entry *e, struct job *job);
/* Cuts an entry after its first n recipients; the rest is a new READY entry at the front. False without memory: it stays whole. */
bool queue_entry_split(struct queues *qs, struct queue_entry *e, int n);
/* Takes some recipients out of an entry (which: their indices into e->rcpt, rising, not all of them) into a new READY one at the
 * front. NULL without memory: nothing changed. */
struct queue_entry *queue_entry_take_out(struct queues *qs, struct queue_entry *e, const int *which, int count);
/* The only function that writes ->state. */
void queue_entry_move(struct queue_entry *e, enum entry_state to);
/* Out of memory: unlinked and freed. What it says of the queue's durable counts is the caller's. */
void queue_entry_free(struct queues *qs, struct queue_entry *e);
/* Whether recipient number n of this message is in memory, in any queue, or is being settled where it is parked. */
bool queues_has_rcpt(const struct queues *qs, const struct ulid *message, uint32_t number);
/* A settle of a parked recipient begins (FL_ENOMEM), or ended. */
int queues_begin_settling(struct queues *qs, const struct ulid *message, uint32_t number);
void queues_end_settling(struct queues *qs, const struct ulid *message, uint32_t number);
struct message_entries *queues_message(const struct queues *qs, const struct ulid *message);

/* A recipient of env is parked in the database from now on, due then. Keeps what is known of the parked right. */
void queue_note_parked(struct queue *q, int64_t due_ms, const struct envelope *env);
/* When its oldest mail was received (wall); 0: it is empty, or nothing is known. */
int64_t queue_oldest_ms(const struct queue *q);
/* Sets when the loop has to look at it again: its clock, what is due next, what expires. */
void queue_set_wake(struct queues *qs, struct queue *q, int64_t wall_ms);
/* The queue whose time has come, taken out of the heap; NULL: none. */
struct queue *queues_woken(struct queues *qs, int64_t wall_ms);

#endif
