/* session_peer.h: who a client is and what holds for it: its address and where it came in, the `sources` rule, the user that it
 * logged in as, the tenant that it sends for. What the configuration says of it is taken anew after a reload.
 * Loop thread; daemon/session.c. */
#ifndef FL_SESSION_PEER_H
#define FL_SESSION_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "ingest.h"
#include "smtp_server.h"
#include "stream.h"

enum { SESSION_TLS_TEXT = 64 }; /* OpenSSL's names of versions and ciphers are shorter */

struct session_peer {
    struct inet_addr client;
    enum listener_role role;
    enum listener_tls tls;
    bool has_certificate;           /* we have one to show: STARTTLS is possible */

    struct conf *conf;              /* one reference; NULL before the first session_peer_take_conf */
    const struct conf_source *source;
    const struct conf_user *user;   /* logged in as, or NULL */
    bool by_certificate;            /* … since the handshake */

    bool has_tls;
    char tls_version[SESSION_TLS_TEXT], tls_cipher[SESSION_TLS_TEXT];
};

/* Takes this configuration, with a reference. False: the user is not in it any more, and the old one stays. */
bool session_peer_take_conf(struct session_peer *p, struct conf *conf);
/* After a handshake: what it said, and the user that the client's certificate names. */
void session_peer_take_tls(struct session_peer *p, const struct stream_tls_info *info);
struct smtp_server_options session_peer_options(const struct session_peer *p);
/* Whether it may send as things are now; a reload can change that between a command and its check. */
bool session_peer_may_send(const struct session_peer *p);
/* Who sends, as ingest wants it. Borrows from p and s. */
struct ingest_origin session_peer_origin(const struct session_peer *p, const struct smtp_server *s);
void session_peer_release(struct session_peer *p);

#endif
