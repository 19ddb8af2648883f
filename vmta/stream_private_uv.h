/* stream_private_uv.h: what a stream is inside; shared by stream_uv.c (life: connect, accept, end), stream_io_uv.c (bytes) and
 * stream_tls_uv.c (handshakes and records), and included by nobody else. Loop thread. */
#ifndef FL_STREAM_PRIVATE_UV_H
#define FL_STREAM_PRIVATE_UV_H

#include <sys/queue.h>
#include <uv.h>

#include "outq.h"
#include "stream.h"
#include "timer.h"
#include "tls.h"

enum {
    STREAM_READ_BYTES = 64 << 10,
    STREAM_TLS_RECORD = 16 << 10,      /* plain bytes that make one record (RFC 8446 5.1) */
    STREAM_TLS_AHEAD = 64 << 10,       /* encrypted before they are sent */
    STREAM_HANDSHAKE_MS = 30 * 1000,
    STREAM_HANDSHAKES_MAX = 1000,      /* under way at once */
    STREAM_HANDSHAKE_STEPS = 16,       /* in one turn: half a millisecond each, with RSA-2048 */
    STREAM_LINGER_MS = 2000,
    STREAM_LINGER_BYTES = 1 << 20,     /* read and dropped after our close, so that no RST overtakes the last reply */
    STREAM_LINGERING_MAX = 256,
    STREAM_PIECES = 128,               /* in one sendmsg */
};

/*  CONNECTING --> OPEN --> CLOSING --> ENDING --> LINGERING --> GONE
 *       |          |                     ^  |                    ^
 *       +----------+---- on_end is due --+  +--------------------+    abort: any --> GONE */
enum stream_state {
    ST_CONNECTING,
    ST_OPEN,
    ST_CLOSING,   /* stream_close: the queue goes out, nothing is read */
    ST_ENDING,    /* on_end comes with the next turn */
    ST_LINGERING, /* the owner has let go; what the peer still sends is dropped */
    ST_GONE,
    ST_STATES,
};

struct stream {
    uv_poll_t poll;
    struct streams *owner;
    const struct stream_events *events; /* NULL before stream_adopt */
    void *arg;
    TAILQ_ENTRY(stream) all, due;
    struct timer timer; /* connect, handshake, grace or lingering: one at a time */
    struct outq out;
    struct buf held;    /* from the socket, not yet taken: the stream was paused, or its owner gave it back */
    struct tls *tls;    /* NULL: in clear */
    char *why_text;     /* allocated, or NULL */
    int64_t lingered;   /* bytes dropped */
    int fd;
    int polled;         /* events that libuv watches */
    enum stream_state state;
    enum stream_end why;
    struct inet_endpoint peer;
    uint64_t due_turn;  /* of the turn in which it became due */
    bool is_due;
    bool shaking;       /* the handshake is under way */
    bool paused;
    bool deaf;          /* paused, and the poll was taken back since bytes came */
    bool held_due;      /* held bytes, or plain ones inside TLS, wait for the next turn */
    bool full;          /* the kernel took less than all: wait until it is writable */
    bool above_high, drain_due;
    bool lingers;       /* after on_end: wait for the peer's close */
};

TAILQ_HEAD(stream_list, stream);

struct streams {
    uv_loop_t *uv;
    struct timers *timers;
    struct tls_engine *tls;
    struct stream_list all, due;
    int64_t count;           /* handles that are not closed yet */
    int lingering, shaking, shaking_steps;
    uint64_t turn;
    bool freeing;
    char read[STREAM_READ_BYTES];  /* from the socket */
    char plain[STREAM_READ_BYTES]; /* out of TLS */
};

/* stream_uv.c */
void stream_move(struct stream *s, enum stream_state to); /* the only writer of ->state */
void stream_mark_due(struct stream *s);
/* The stream ends with the next turn; the first reason counts. text is copied, may be NULL. */
void stream_ending(struct stream *s, enum stream_end why, const char *text);
void stream_ending_errno(struct stream *s, int e);
/* Tells libuv what to watch, when that has changed. */
void stream_watch(struct stream *s);
void stream_set_timer(struct stream *s, int64_t ms);

/* stream_io_uv.c */
void stream_readable(struct stream *s);
/* The socket is broken: what came before the error is still read. */
void stream_broken(struct stream *s);
/* Takes bytes as if they had just been read. Runs callbacks. */
void stream_feed(struct stream *s, struct slice in);
/* Sends what is queued, as far as the kernel takes it. Runs no callback. */
void stream_send(struct stream *s);
/* The queue is empty and nothing waits inside TLS. */
bool stream_is_sent(const struct stream *s);

/* stream_tls_uv.c */
void stream_feed_tls(struct stream *s, struct slice in);
void stream_send_tls(struct stream *s);
void stream_stop_shaking(struct stream *s);
/* Hands n bytes to the kernel; returns how many it took, or -1 when the stream is full or ending (stream_io_uv.c). */
ssize_t stream_send_pieces(struct stream *s, const struct iovec *pieces, int count, size_t bytes);

#endif
