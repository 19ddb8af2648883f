/* proxy_protocol.h: the header that a load balancer puts before a connection, to say who the client is: HAProxy's PROXY
 * protocol, versions 1 (text) and 2 (binary), as its specification of 2020 has them.
 * Pure; fed with bytes as they come, wherever they are cut. Only peers that the configuration names are read this way, and
 * they must send it; whatever is wrong with it closes the connection. */
#ifndef FL_PROXY_PROTOCOL_H
#define FL_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "inet.h"
#include "slice.h"

enum {
    PROXY_V1_MAX = 107,       /* CRLF included */
    PROXY_V2_HEADER = 16,
    PROXY_V2_BODY_MAX = 4096, /* addresses and TLVs; TLVs are passed over */
};

enum proxy_result {
    PROXY_MORE,    /* not all of it is here */
    PROXY_CLIENT,  /* peer says who the client is */
    PROXY_LOCAL,   /* the balancer speaks for itself (v2 LOCAL, v1 UNKNOWN): the peer is what the socket says */
    PROXY_BROKEN,  /* not a PROXY header */
};

struct proxy_parser {
    uint8_t head[PROXY_V1_MAX]; /* what came: the v1 line, or v2 up to its addresses */
    unsigned n;                 /* bytes in head */
    unsigned skip;              /* v2: bytes behind head that are passed over */
    enum proxy_result result;
    struct inet_endpoint peer;  /* of PROXY_CLIENT */
};

void proxy_parser_init(struct proxy_parser *p);
/* Takes bytes from the front of *in, none behind the header's end. After another result than PROXY_MORE nothing is taken. */
enum proxy_result proxy_parse(struct proxy_parser *p, struct slice *in);

#endif
