/* relay.h: one loop's worth of mail streams: everything in vmta/ put together. The daemon makes one, feeds it turns, and gives it one
 * hook; what happens comes up by that hook alone. Loop thread throughout. */
#ifndef FL_RELAY_H
#define FL_RELAY_H

#include "clock.h"
#include "conf.h"
#include "err.h"
#include "event.h"
#include "ingest.h"
#include "log.h"
#include "store.h"

struct relay;
struct streams;
struct timers;
struct resolver;
struct crypto;
struct in_hand;

struct relay_ports {
    struct streams *streams;
    struct timers *timers;
    struct resolver *resolver;
    struct crypto *crypto;
    struct store *store;          /* opened; what it recovered is taken by relay_new */
    struct body_budget *budget;
    const struct now *now;        /* kept up by the loop: read once per wake-up */
    const struct log *log;
    uint64_t seed;
    void *arg;
    void (*event)(void *arg, const struct event *e);
};

/* Takes what the store recovered, and a reference of conf. Queues of tenants or VMTAs that the configuration does not have are held
 * by `config`. Delivery begins with the first turn. */
int relay_new(const struct relay_ports *ports, struct conf *conf, struct relay **ret, struct fl_err *err);
void relay_free(struct relay *r);
/* Ends a turn of the loop: dispatches what the store answered, pumps the scheduler, flushes streams, hands operations to the store. */
void relay_turn(struct relay *r);
struct ingest *relay_ingest(struct relay *r);

/* A new configuration: a reference is taken. What is under way keeps its old one. */
void relay_set_conf(struct relay *r, struct conf *conf);
struct conf *relay_conf(struct relay *r); /* borrowed */
uint64_t relay_generation(const struct relay *r); /* from 1; rises with each relay_set_conf */

/* Puts these messages aside before anything is done with them; they are listed as held, and released like what was held one by one.
 * Before the first turn. */
void relay_quarantine(struct relay *r, const struct ulid *ids, int count);
/* The messages that were touched last; valid as long as the relay. */
const struct in_hand *relay_in_hand(const struct relay *r);

void relay_drain(struct relay *r, bool on);
bool relay_is_draining(const struct relay *r);
/* No new delivery; transactions past the final dot are awaited, the rest is ended. done() when all connections are gone and all
 * settles are committed. */
void relay_shutdown(struct relay *r, void (*done)(void *arg), void *arg);

#endif
