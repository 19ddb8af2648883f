/* stream_desk.h: what the tests of queues, scheduler and setbacks share: the pure parts above a configuration in text, fed by hand, with
 * a clock that moves only when told. Paths are made to sites by name, without a look-up. One thread. */
#ifndef FL_STREAM_DESK_H
#define FL_STREAM_DESK_H

#include "conf_desk.h"
#include "mta.h"

enum { DESK_CONNECTIONS = 256 };

struct desk_connection {
    struct conn conn;           /* first */
    bool used;
    struct queue_entry *entry;  /* what it sends; NULL: nothing */
    int64_t ends_ms;            /* mono: of what it does */
};

struct stream_desk {
    struct conf_desk conf;
    struct now now;
    struct timers timers;
    struct mta mta;             /* tenancy, queues, sites, scheduler, random numbers */
    uint64_t messages;          /* made so far: their ids */
    struct desk_connection connection[DESK_CONNECTIONS];
};

/* text: domains, vmtas, pools, tenants; the rest is filled in. */
void stream_desk_open(struct stream_desk *d, const char *text);
/* The same objects with another configuration in force. */
void stream_desk_reload(struct stream_desk *d, const char *text);
void stream_desk_close(struct stream_desk *d);

/* "tenant/vmta/domain", with a turn on each path to the site (a host name with one address, 127.1.0.n, for each letter of it). */
struct queue *stream_desk_queue(struct stream_desk *d, const char *tenant, const char *vmta, const char *domain, const char *site);
/* A message of so many recipients in it, in memory, durable. */
struct queue_entry *stream_desk_message(struct stream_desk *d, struct queue *q, int rcpts, const char *reverse_path);
/* So many messages of one recipient. */
void stream_desk_messages(struct stream_desk *d, struct queue *q, int count);
/* What it sends is done: out of memory and of the counts. */
void stream_desk_done(struct stream_desk *d, struct queue_entry *e);
/* Takes the queue off its paths and out of the table with all that is in it. */
void stream_desk_remove(struct stream_desk *d, struct queue *q);
/* Moves both clocks, and fires timers one by one. */
void stream_desk_pass(struct stream_desk *d, int64_t ms);

#endif
