/* remote.h: a played host that takes mail, with its moods. See stream_sim.h for how it is reached. */
#ifndef FL_REMOTE_H
#define FL_REMOTE_H

#include <sys/queue.h>

#include "world.h"

enum remote_stage { AT_BANNER, AT_EHLO, AT_STARTTLS, AT_MAIL, AT_RCPT, AT_DATA, AT_DOT, REMOTE_STAGES };

/* How often of a thousand, at each stage, something else than yes is said. All zero: a host that takes everything. */
struct mood {
    int refuses, silent;           /* connections */
    int no4[REMOTE_STAGES], no5[REMOTE_STAGES], closes[REMOTE_STAGES] /* 421 */, drops[REMOTE_STAGES];
    int nonsense;                  /* of replies: something that is no reply */
    int unasked;                   /* of replies: one more than was asked for */
    int floods;                    /* of replies: megabytes, or a line without an end */
    int cuts, cuts_silently;       /* of connections: at any byte */
    int tls_fails;                 /* of handshakes */
    bool tls, unverified, only_helo, no_pipelining, no_chunking;
    bool false_chunking;           /* says CHUNKING, and refuses BDAT */
    bool eager;                    /* says 354 though no recipient was accepted */
    int64_t greylist_ms;           /* a recipient is refused for so long after its first try */
    int64_t reply_ms, dot_ms;      /* each reply takes so long, the one to the dot so much more */
    const char *refused_sender;    /* domain whose MAIL is answered 451 */
    const char *refused_rcpts_of;  /* domain whose senders' RCPT is answered 451 */
    bool auth;                     /* asks for a login, by AUTH PLAIN */
    const char *refused_login;     /* user whose AUTH is answered 535 */
    int most_connections;          /* further ones get 421; 0: no such bound */
};

struct remote {
    struct remote *next;
    struct world *world;
    const char *name;              /* of the host */
    struct inet_addr addr;
    int site;                      /* hosts of one site have the same */
    int64_t latency_ms;
    struct mood mood;
    LIST_HEAD(, peer) peers;       /* connections that it holds */
    int64_t delivered;             /* recipients that it said yes to */
};

/* A host; the resolver knows its address from now on. Texts are borrowed for the life of the world. */
struct remote *remote_add(struct world *w, const char *name, const char *address, int site);
struct remote *remote_of_site(const struct world *w, int site);
const struct remote *remote_at(const struct world *w, const struct inet_addr *addr);
void remotes_free(struct world *w);

#endif
