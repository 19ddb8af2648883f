/* client.h: the sub-commands' way to the running daemon: HTTP over its control socket, blocking, one connection a request.
 * Main thread. Whatever goes wrong is said on stderr here, and comes back as the exit status that fits. */
#ifndef FL_CLIENT_H
#define FL_CLIENT_H

#include <jansson.h>
#include <stdio.h>

#include "buf.h"
#include "cmd.h"

enum {
    CLIENT_PATH_MAX = 108,                /* of the socket: what the system allows */
    CLIENT_PATIENCE_S = 120,              /* without a byte from the daemon */
    CLIENT_ANSWER_MAX = 64 * 1024 * 1024, /* of one JSON answer */
};

struct client {
    const struct cmd *cmd; /* who asks, for messages */
    char path[CLIENT_PATH_MAX];
};

/* Finds the socket: option (may be NULL), FAIRLEAD_SOCKET, admin.socket of the configuration, /run/fairlead/control.sock. */
int client_find(const struct cmd_globals *globals, const struct cmd *cmd, const char *option, struct client *ret);
/* Whether somebody listens there; says nothing. */
bool client_is_answered(const struct client *c);

/* CMD_DONE and *ret (a new reference) for an answer of 2xx; otherwise the exit status, its reason said. body may be NULL;
 * taken. */
int client_ask(const struct client *c, const char *method, const char *target, json_t *body, json_t **ret);
static inline int client_get(const struct client *c, const char *target, json_t **ret)
{
    return client_ask(c, "GET", target, NULL, ret);
}
/* GET, and the content as it comes to out. */
int client_copy(const struct client *c, const char *target, FILE *out);

/* Adds a text percent-encoded, to stand in a path or a query. Errors of buf. */
int client_escape(const char *text, struct buf *out);

#endif
