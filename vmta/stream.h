/* stream.h: port: a connected byte stream, in clear or under TLS, in either direction. Loop thread only.
 * Implemented by stream_uv.c (sockets, with tls.c on memory BIOs) and by the simulator (tests/sim/stream_sim.c).
 *
 * Reading: on_read gives plain bytes as they come; nothing is buffered but an unfinished TLS record. Its owner may overwrite them
 * (passwords).
 * Writing: stream_write and stream_write_body queue; stream_flush sends all that is queued in one system call where it can (the
 * driver calls it once per input that it handled; relay_turn flushes the rest).
 * Ending: exactly one on_end for each stream that the owner did not abort; after it, and after stream_abort, the handle is gone.
 * No callback runs inside a call of the owner. */
#ifndef FL_STREAM_H
#define FL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "body.h"
#include "inet.h"
#include "slice.h"

struct stream;
struct streams; /* one per loop: what makes streams (stream_uv.h, stream_sim.h) */

enum stream_end {
    STREAM_CLOSED_BY_US,     /* stream_close: all that was queued went out, or the grace was over */
    STREAM_EOF,              /* the peer closed in an orderly way (TLS: the connection, close_notify or not) */
    STREAM_TLS_CLOSED,       /* close_notify or a bad record: nothing more is read, whatever follows in clear */
    STREAM_REFUSED,          /* ECONNREFUSED */
    STREAM_UNREACHABLE,      /* no route, no such source address, … */
    STREAM_TIMEOUT,          /* connect took too long */
    STREAM_RESET,            /* reset, or another error of the socket */
    STREAM_TLS_FAILED,       /* the handshake failed by an alert or protocol error: text says why */
    STREAM_NO_RESOURCES,     /* out of file descriptors or memory here: says nothing of the peer */
};

/* What a finished handshake says; texts borrowed inside the callback. */
struct stream_tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    bool resumed;
    bool verified;       /* chain and name were right (client side: kept up in every mode, judged by the policy) */
    const char *verify_error; /* when not */
    bool has_peer_certificate;
    uint8_t peer_sha256[32];
    const char *const *peer_dns; /* subject alternative names of type dNSName, canonical; at most 16 */
    int peer_dns_count;
    bool peer_trusted;   /* server side: the client's certificate chains to tls.client_ca */
};

struct stream_events {
    void (*on_connect)(void *arg);  /* outgoing only */
    void (*on_read)(void *arg, struct slice in);
    void (*on_tls)(void *arg, const struct stream_tls_info *info); /* handshake done */
    void (*on_drain)(void *arg);    /* what is queued sank below STREAM_LOW_WATER after it was above STREAM_HIGH_WATER */
    void (*on_end)(void *arg, enum stream_end why, const char *text);
};

enum { STREAM_LOW_WATER = 64 << 10, STREAM_HIGH_WATER = 256 << 10 };

struct tls_server; /* certificates and settings of the inbound side (daemon/tls_context.h) */

/* What a client handshake must use. Sessions are cached by host, source and policy. */
struct tls_client_params {
    const char *host;       /* SNI (unless an address) and the name to verify; canonical, or the text of an address */
    bool host_is_address;
    int min_version;        /* enum tls_version */
    const char *ca_file;    /* NULL: the system's */
    bool must_verify;       /* a failed verification ends the handshake with STREAM_TLS_FAILED */
    struct slice cache_key; /* source address and policy; copied */
};

/* Begins to connect from source (family 0: any) to dest. 0 and *ret, or FL_ENOMEM / FL_ELIMIT when none could be begun; failure to
 * connect is an on_end. events is borrowed for the life of the stream (static const). */
int stream_connect(struct streams *ss, const struct inet_addr *source, const struct inet_endpoint *dest, int64_t timeout_ms,
                   const struct stream_events *events, void *arg, struct stream **ret);
/* Whose stream an accepted one is; called once by who takes it over from the listener. */
void stream_adopt(struct stream *s, const struct stream_events *events, void *arg);

/* Handshakes. From here on bytes in clear are never read as content: what was received and not yet taken by on_read's owner is the
 * owner's to drop; what is still in the socket belongs to the handshake. Queued output goes out first. A handshake has a bounded
 * time (30 s), and the number under way is bounded per loop. */
void stream_start_tls_server(struct stream *s, struct tls_server *tls);
void stream_start_tls_client(struct stream *s, const struct tls_client_params *params);
bool stream_is_tls(const struct stream *s);

void stream_write(struct stream *s, struct slice bytes); /* copied */
/* Queues n bytes of what body has in memory from offset on, without copying in clear; holds a reference until they are sent. */
void stream_write_body(struct stream *s, struct body *body, uint64_t offset, uint64_t n);
void stream_flush(struct stream *s);
int64_t stream_queued(const struct stream *s); /* bytes not yet given to the kernel */

/* Ends a turn of the loop: flushes what is queued, and runs the callbacks that are due (on_drain, on_end, input that was held while
 * a stream was paused). */
void streams_turn(struct streams *ss);

/* Reading stops at once, for the kernel's buffers to fill: back-pressure. on_end for EOF may come late then. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Sends what is queued (at most grace_ms), close_notify under TLS, then ends with STREAM_CLOSED_BY_US. Nothing is read any more. */
void stream_close(struct stream *s, int64_t grace_ms);
/* Ends now, without any further callback. */
void stream_abort(struct stream *s);

struct inet_endpoint stream_peer(const struct stream *s);
struct inet_endpoint stream_local(const struct stream *s);
/* After a PROXY header: what the peer shall count as from now on. */
void stream_set_peer(struct stream *s, const struct inet_endpoint *peer);

#endif
