/* store_world.h: the world of store_sim: a store on a played disk, and the books of what it was given and what it promised. store_sim.c
 * lives in it, store_look.c holds what is there against the books. */
#ifndef FL_STORE_WORLD_H
#define FL_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "planted.h"
#include "sqlite_vfs_sim.h"
#include "store_parts.h"

enum {
    SEEDS = 400, LIVES = 4, ACTIONS = 60, MESSAGES = 400, RCPTS = 3, QUEUES = 3, CALLS = 2000, TEXT_MAX = 6000,
    SEGMENT_SIM = 32 << 10, RESERVE_SIM = 64 << 10, FAULT_ROUNDS = 4, LOAD_MOST = 20, LAST_OPERATIONS = 30, PATIENCE = 400,
};

enum fate { LIVE, SETTLING, GONE };

struct rcpt {
    enum fate fate;
    enum settle_kind kind;  /* while it is being settled */
    int call;               /* by which call */
    uint64_t queue;
    struct envelope *env;   /* one that has it; a reference */
    bool found;             /* by the last look */
};

struct message {
    enum { POSTED, STORED, REFUSED, LOST } state; /* LOST: its answer never came, and it is not there */
    bool job, large;
    int call; /* of the settle that it is the DSN of; -1: it is none */
    int count;
    uint64_t seed, length;
    struct rcpt rcpts[RCPTS];
};

struct world;

/* One operation under way. */
struct call {
    struct world *world;
    int message, dsn; /* -1: none */
    bool open;
};

struct world {
    uint64_t seed;
    bool traced;    /* one seed alone: it tells what happens */
    struct rand rand;
    struct sim_disk *disk;
    struct sim_vfs *vfs;
    struct store *store;
    struct store_options options;
    struct log log;
    struct body_budget budget;
    int64_t wall_ms, mono_us;
    struct message messages[MESSAGES];
    int message_count;
    struct call calls[CALLS];
    int call_count, open_calls;
    /* the last look */
    struct { int64_t messages, recipients, bytes; } queues[QUEUES + 1];
    struct load_key after;          /* of a load, which comes in pieces */
    bool more;
    const struct message *reading;
    bool read_done;
    bool calm;      /* nothing has failed in this life */
};

/* Where it does not hold: says which seed it was, and what is wrong, and the test fails. */
#define promise(w, holds, wrong) \
    do { \
        if (!(holds)) { \
            print_error("seed %llu: broken: %s (%s)\n", (unsigned long long)(w)->seed, wrong, #holds); \
            fail(); \
        } \
    } while (0)

/* ---------------------------------------------------------------- store_sim.c */
void trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t below(struct world *w, uint64_t n);
/* The content of a message: m->length bytes. */
void make_text(const struct message *m, char *ret);
struct message *message_of(struct world *w, const struct envelope *e);
/* For answers that nobody waits for. */
void ignore(void *arg, int rc);
/* Takes all steps of the threads until nothing is left to do. */
void pump(struct world *w);

/* ---------------------------------------------------------------- store_look.c */
/* Looks at all that the store has after it was opened, and breaks the test where that is not what it promised. */
void look(struct world *w);
void count_files(struct world *w, int ret[2]);
void damage_a_body(struct world *w);

#endif
