/* net_world.h: a loop with streams over loopback, for the tests of what stands on sockets: a listener that accepts into
 * streams, sides that note what happens to them, and a run that ends when a condition holds or time is up. */
#ifndef FL_TEST_NET_WORLD_H
#define FL_TEST_NET_WORLD_H

#include <stdbool.h>
#include <uv.h>

#include "buf.h"
#include "stream_uv.h"

enum { NET_WAIT_MS = 20000 };

/* One end of a connection, and what its callbacks saw. */
struct side {
    struct net *net;
    struct stream *s; /* NULL once ended */
    struct buf got;
    bool connected, shaken, ended;
    int drained;
    enum stream_end why;
    char text[256];
    bool verified, resumed, trusted, has_certificate;
    char version[16];
    /* what it does by itself */
    bool echo;                      /* what it reads it writes back */
    bool pause_on_read;
    void (*on_read)(struct side *side);
    void (*on_tls)(struct side *side);
};

enum { NET_SIDES = 1100 };

struct net {
    uv_loop_t uv;
    struct timers timers;
    uv_prepare_t prepare;
    uv_timer_t wake;
    uv_poll_t accepts;
    struct streams *streams;
    int fd;
    struct inet_endpoint at; /* the listener */
    struct side sides[NET_SIDES]; /* accepted ones, in order */
    int side_count;
    void (*on_accept)(struct side *side);
    bool echo;
    int64_t reads; /* callbacks */
};

extern const struct stream_events side_events;

struct net *net_new(void);
void net_free(struct net *n);
/* Runs the loop until done(arg), at most NET_WAIT_MS; says whether it held. */
bool net_run(struct net *n, bool (*done)(void *arg), void *arg);
void net_run_ms(struct net *n, int ms);
/* Connects a side to the listener. */
void side_connect(struct net *n, struct side *side);
bool side_has_ended(void *side);
bool side_is_connected(void *side);
bool side_is_shaken(void *side);
void side_free(struct side *side);
/* A blocking socket to the listener. */
int net_raw(struct net *n);

#endif
