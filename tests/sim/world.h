/* world.h: a whole relay above its ports, in virtual time: names, connections, disk and clocks are played, and everything
 * follows from one seed. The store runs without threads (store_parts.h): its steps are taken some virtual milliseconds after
 * something was posted.
 *
 * A test makes a world, gives it names and hosts (resolver_sim.h, remote.h), opens it with a configuration, submits mail and
 * lets time pass. What happens is told line by line (world_tell); the oracle (oracle.h) hears of it and keeps the books. */
#ifndef FL_WORLD_H
#define FL_WORLD_H

#include "arena.h"
#include "body.h"
#include "buf.h"
#include "clock.h"
#include "conf.h"
#include "log.h"
#include "rand.h"
#include "relay.h"
#include "sqlite_vfs_sim.h"
#include "store_parts.h"
#include "timer.h"

struct oracle;
struct remote;
struct resolver;
struct shares;
struct streams;
struct traffic;

struct world {
    uint64_t seed;
    struct rand rand;            /* of the world; the relay has its own, seeded from this one */
    bool traced;                 /* tells on standard output as it goes */
    bool plain;                  /* names, pieces of packets and ends of connections are not left to chance */
    struct now now;
    int64_t began_ms;            /* mono */
    struct timers events;        /* of the world: packets, answers, moods */
    struct buf timeline;
    struct arena *kept;          /* memory that ends with the world */

    struct sim_disk *disk;
    struct sim_vfs *vfs;
    struct log log;
    struct body_budget budget;
    struct streams *streams;
    struct resolver *resolver;
    struct remote *remotes;      /* a list */
    struct oracle *oracle;
    struct traffic *traffic;
    struct shares *shares;       /* NULL: nobody looks */
    uint64_t connections;        /* that hosts took so far */

    struct conf *conf;           /* in force: a reference */
    struct timers timers;        /* of the relay */
    struct store *store;         /* NULL: down */
    struct relay *relay;
    struct timer disk_turn;      /* when the store works next */
    int64_t disk_slowest_ms;     /* how long it takes at most until it does */
    int lives, turns;
    int64_t watched_ms;          /* since when turns are counted, and how many there were then: nothing polls */
    int watched_turns;
};

enum { WORLD_DISK_BYTES = 1 << 30 };

struct world *world_new(uint64_t seed, bool traced);
void world_free(struct world *w);

/* Loads a configuration from text, through the real loader. Ends the program where it is wrong. One reference, given. */
struct conf *world_conf(const char *yaml);

/* Starts the relay on what the disk has. False when the power went meanwhile (world_power_off is to be called). */
bool world_start(struct world *w, struct conf *conf);
/* The power goes: the relay is gone, the disk forgets (and fails no more). Its connections are reset. */
void world_power_off(struct world *w);
/* Power off, and on again as often as it takes to start. */
void world_restart(struct world *w);
void world_reload(struct world *w, struct conf *conf);
/* The wall clock steps; the monotonic one does not. */
void world_step_clock(struct world *w, int64_t by_ms);

/* Lets time pass. A relay whose disk loses its power on the way is started anew. */
void world_run(struct world *w, int64_t ms);
/* One moment: everything that is due now, and then on to the next. At most until_ms (mono). */
void world_turn(struct world *w, int64_t until_ms);

uint64_t world_below(struct world *w, uint64_t n);
/* True so often of a thousand. */
bool world_dice(struct world *w, int permille);

/* Memory that lives as long as the world, zeroed. */
void *world_keep(struct world *w, size_t n);

/* A line of the timeline: "[  0.030] …". */
void world_tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The timeline since the last call is exactly this; the test fails otherwise and shows both. */
void world_expect(struct world *w, const char *lines);
/* A promise is broken: says the seed and what led there, and fails the test. */
void world_broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* One hour of virtual time and so on, in the clock's own units, since the world began. */
static inline int64_t world_ms(const struct world *w) { return w->now.mono_ms - w->began_ms; }

#endif
