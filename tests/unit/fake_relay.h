/* fake_relay.h: a double of relay.h, relay_view.h and the figures of store.h with a few rows, for tests of what operators
 * touch. One queue that waits, one that is held, a job, a message with a hostile header; answers come at once or, while `slow`,
 * when fake_relay_turn() is called. */
#ifndef FL_FAKE_RELAY_H
#define FL_FAKE_RELAY_H

#include "relay_view.h"

#define FAKE_MESSAGE "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define FAKE_TASK "01BX5ZZKBKACTAV9WEVGEMMVRZ"

enum { FAKE_QUEUES = 5 };

struct relay {
    struct conf conf;
    bool draining, slow;
    enum action_kind last_kind;
    char last_who[64], last_tenant[64], last_job[64], last_domain[64], last_to[64];
    bool last_all, last_dry_run, last_dsn, last_refuse;
    int acts;
    void (*pending)(void *arg); /* an answer that waits for fake_relay_turn */
    void *pending_arg;
};

void fake_relay_init(struct relay *r);
/* Gives the answer that waits, if any. */
void fake_relay_turn(struct relay *r);

#endif
