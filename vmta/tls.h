/* tls.h: TLS of one connection, without its socket: records in, records out, on OpenSSL.
 * Loop thread. stream_uv.c drives it: tls_input -> tls_handshake or tls_read -> send what tls_output holds.
 * OpenSSL keeps an unfinished record itself, so nothing is buffered here between two calls but records that wait to be sent. */
#ifndef FL_TLS_H
#define FL_TLS_H

#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "slice.h"
#include "stream.h"

struct tls;        /* one connection */
struct tls_engine; /* one per loop: what connections share (trust anchors and sessions of the client side) */
struct ssl_ctx_st;

/* The inbound side's settings as a handshake needs them: made and replaced by daemon/tls_context.c. A handshake that has begun
 * keeps the context that it began with. */
struct tls_server {
    struct ssl_ctx_st *context; /* NULL: no certificate is configured, every handshake fails */
    bool knows_clients;         /* tls.client_ca is set: certificates of clients are judged by it */
};

/* NULL without memory. */
struct tls_engine *tls_engine_new(void);
void tls_engine_free(struct tls_engine *e);
/* After a reload: trust anchors are read anew and sessions forgotten. Connections keep what they have. */
void tls_engine_forget(struct tls_engine *e);

/* A connection before its handshake. engine is borrowed for its life. FL_ENOMEM, or FL_EINVAL with a text. */
int tls_new_server(struct tls_engine *e, const struct tls_server *server, struct tls **ret, struct fl_err *err);
int tls_new_client(struct tls_engine *e, const struct tls_client_params *params, struct tls **ret, struct fl_err *err);
void tls_free(struct tls *t);

/* Bytes from the socket, borrowed until taken by the calls below; tls_input_left is what they have not taken. */
void tls_input(struct tls *t, struct slice in);
struct slice tls_input_left(const struct tls *t);
/* Bytes for the socket: sent and consumed by the caller. Whoever calls first may put bytes in clear before the handshake's. */
struct buf *tls_output(struct tls *t);

enum tls_step { TLS_STEP_MORE, TLS_STEP_DONE, TLS_STEP_FAILED };
/* Goes on with the handshake. FAILED: an alert may stand in the output, and tls_error says why. */
enum tls_step tls_handshake(struct tls *t);
/* What the finished handshake says. Borrowed for the life of t. */
const struct stream_tls_info *tls_info(struct tls *t);

/* Plain bytes, 0 when more input is needed, FL_ECLOSED after close_notify, FL_EIO after a bad record (see tls_error). */
ssize_t tls_read(struct tls *t, char *to, size_t n);
/* Encrypts all of it into the output. FL_ENOMEM, FL_EIO. */
int tls_write(struct tls *t, struct slice plain);
/* Puts close_notify into the output. */
void tls_shutdown(struct tls *t);
/* Why the handshake or a read failed. Borrowed until the next call. */
const char *tls_error(const struct tls *t);

#endif
