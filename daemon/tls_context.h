/* tls_context.h: TLS of the inbound side: certificates by SNI, versions, ciphers, certificates of clients; read anew when
 * files change. Loop thread (reading a few small files, at start, at a reload, and when one of them has changed). */
#ifndef FL_TLS_CONTEXT_H
#define FL_TLS_CONTEXT_H

#include <stdbool.h>

#include "conf.h"
#include "err.h"

struct tls_context;
struct tls_server;

enum { TLS_CONTEXT_LOOK_MS = 60 * 1000 }; /* how often tls_context_refresh is worth calling */

/* Reads all files of conf (a reference is taken). An error names the file and its place in the configuration. */
int tls_context_new(struct conf *conf, struct tls_context **ret, struct fl_err *err);
void tls_context_free(struct tls_context *c); /* takes NULL; handshakes under way keep what they need */
/* After a reload; on an error all stays as it was. */
int tls_context_set_conf(struct tls_context *c, struct conf *conf, struct fl_err *err);
/* Looks whether a file has changed, and reads all anew then: *ret_changed. On an error the old ones stay, and are tried again
 * when they change once more. */
int tls_context_refresh(struct tls_context *c, bool *ret_changed, struct fl_err *err);

/* What handshakes use: the same pointer for life, whatever is reloaded. NULL while no certificate is configured. */
struct tls_server *tls_context_server(struct tls_context *c);
/* Each certificate, by its file, and when it ends (wall clock). */
void tls_context_visit(const struct tls_context *c, void (*visit)(void *arg, const char *file, int64_t not_after_ms),
                       void *arg);
/* The version of OpenSSL, for people. */
const char *tls_context_openssl(void);

#endif
