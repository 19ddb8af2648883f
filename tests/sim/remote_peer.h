/* remote_peer.h: one connection as a played host holds it, for remote.c, which speaks on it, and remote_notes.c, which writes down
 * what was decided on it and whether the relay heard of that. */
#ifndef FL_REMOTE_PEER_H
#define FL_REMOTE_PEER_H

#include "oracle.h"
#include "remote.h"
#include "stream_sim.h"
#include "traffic.h"

enum { PEER_TEXT = 256, RCPTS_MAX = 100 };

enum peer_state { PEER_BANNER, PEER_COMMAND, PEER_DATA, PEER_CHUNK, PEER_ENDED };
enum after { GO_ON, CLOSE, DROP };

/* What was decided about a recipient; and the relay has heard it once it has read so many bytes. */
struct verdict {
    char rcpt[PEER_TEXT];
    bool yes;
    uint64_t offset; /* UINT64_MAX: not said yet */
    bool heard;
};

struct peer {
    LIST_ENTRY(peer) link;         /* remote->peers */
    struct remote *remote;
    struct wire *wire;
    struct inet_addr source;
    enum peer_state state;
    struct buf in, held, content;
    enum after after;              /* of the held reply */
    struct timer timer;
    bool waits;                    /* a reply is held back */
    bool secure, lied, one_too_many;
    uint64_t chunk;
    bool last_chunk;
    uint64_t taken, number;        /* bytes of what arrived; of the connection, in its world */
    int sent;                      /* its last transaction in the list of traffic, or -1 */
    bool in_transaction;
    int64_t command_ms, before_ms; /* when the command in hand left the relay, and the one before it (mono) */
    int64_t mail_ms, early_ms;     /* the same of MAIL */
    char ehlo[PEER_TEXT], from[PEER_TEXT], login[PEER_TEXT];
    bool has_from;
    char (*rcpts)[PEER_TEXT];           /* RCPTS_MAX */
    int rcpt_count;
    struct verdict *verdicts;
    int verdict_count, verdict_room;
    int life;                      /* of the world, in which it began */
};

/* ---------------------------------------------------------------- remote_notes.c */
/* RCPT came, in the transaction that p->from began. */
void peer_note_rcpt(struct peer *p, const char *rcpt);
/* That recipient was not refused. */
void peer_note_taken(struct peer *p);
/* Whatever is said next is the last word about it. */
void peer_end_transaction(struct peer *p);
/* Something was decided about a recipient. */
void peer_note_verdict(struct peer *p, const char *rcpt, bool yes);
/* All that was decided before is in what was said up to now. */
void peer_note_said(struct peer *p);
/* The relay has read so many bytes of it. */
void peer_note_heard(struct peer *p, uint64_t bytes);
/* It hears no more. */
void peer_note_gone(struct peer *p);

#endif
