/* stream_sim.h: connections to played hosts: the port vmta/stream.h, outgoing only. Bytes take their time, arrive in pieces,
 * and may be cut off at any byte. The far end is a `struct wire_end`, which remote.c implements. */
#ifndef FL_STREAM_SIM_H
#define FL_STREAM_SIM_H

#include "stream.h"
#include "world.h"

struct wire; /* one connection as the far end holds it: valid until on_gone */

/* What the far end does. All run from the world's events, never inside a call of the relay. */
struct wire_end {
    void (*on_bytes)(void *arg, struct slice in);
    /* The client wants a handshake; answer by wire_shake. */
    void (*on_tls)(void *arg, const char *host);
    /* What was said up to this many bytes has been read by the relay. */
    void (*on_heard)(void *arg, uint64_t bytes);
    /* Closed by the relay, or cut. Last call. */
    void (*on_gone)(void *arg);
};

enum wire_fate { WIRE_OPEN, WIRE_REFUSED, WIRE_SILENT };

struct streams *streams_sim_new(struct world *w);
void streams_sim_free(struct streams *ss);
/* The relay is about to be dropped: connections that it has closed already end now; the others end with it. */
void streams_sim_crash(struct streams *ss);
/* Connections that the relay has not closed, from this source to this address (family 0: any). */
int streams_sim_count(const struct streams *ss, const struct inet_addr *source, const struct inet_addr *dest);

/* For the far end. */
void wire_say(struct wire *w, struct slice bytes);
uint64_t wire_said(const struct wire *w);     /* bytes so far */
void wire_close(struct wire *w);              /* after what was said */
void wire_reset(struct wire *w);
void wire_shake(struct wire *w, bool ok, bool verified);
/* Cut when so many bytes more went in that direction; with silence the rest of that direction is lost instead. */
void wire_cut_after(struct wire *w, bool to_remote, uint64_t bytes, bool silence);
struct inet_addr wire_source(const struct wire *w);
/* When the relay sent the byte before this offset of what the far end has got; ask with rising offsets only (mono). */
int64_t wire_sent_ms(struct wire *w, uint64_t offset);
/* The relay has not ended it. */
bool wire_is_held(const struct wire *w);
/* When the relay gave the connection up; 0: it has not (mono). */
int64_t wire_left_ms(const struct wire *w);

/* remote.c: who is there: NULL end with WIRE_REFUSED or WIRE_SILENT. Called when the connection request arrives. */
enum wire_fate remote_connected(struct world *world, struct wire *w, const struct inet_endpoint *dest,
                                const struct wire_end **ret_end, void **ret_arg, int64_t *ret_latency_ms);
/* The name under which the timeline shows an address. */
const char *remote_name(const struct world *world, const struct inet_addr *addr);

#endif
