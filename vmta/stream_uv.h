/* stream_uv.h: streams over sockets: how a loop makes them, beside what stream.h says of one. Loop thread.
 * The sockets are read and written here, below uv_poll: one read a wake-up into a buffer that all streams of the loop share,
 * and one sendmsg for all that is queued, bodies included. An idle stream holds no buffer. */
#ifndef FL_STREAM_UV_H
#define FL_STREAM_UV_H

#include <uv.h>

#include "err.h"
#include "stream.h"
#include "timer.h"

/* uv and timers are borrowed for its life; timers_run is called with uv_now(). FL_ENOMEM. */
int streams_new(uv_loop_t *uv, struct timers *timers, struct streams **ret, struct fl_err *err);
/* Aborts what is left. Its memory goes once the loop has run the last uv_close callback. Takes NULL. */
void streams_free(struct streams *ss);

/* Takes an accepted socket (non-blocking, TCP_NODELAY set or inherited), whatever the result. Nothing is read before
 * stream_adopt. FL_ENOMEM, FL_EIO. */
int streams_accept(struct streams *ss, int fd, const struct inet_endpoint *peer, struct stream **ret);
/* Gives bytes that on_read got back to the stream: whoever adopts it next reads them first, or its TLS handshake does. Inside
 * or after on_read. FL_ENOMEM. */
int stream_unread(struct stream *s, struct slice bytes);

/* Whether streams_turn has more to do at once: callbacks of the last turn have queued or ended something. */
bool streams_busy(const struct streams *ss);
/* After a reload: trust anchors of outgoing TLS are read anew, sessions forgotten. */
void streams_forget_tls(struct streams *ss);
int64_t streams_count(const struct streams *ss);

#endif
