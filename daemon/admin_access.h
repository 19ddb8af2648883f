/* admin_access.h: who may ask over TCP: bearer tokens (RFC 6750), and the paths that are open. Pure; any thread. */
#ifndef FL_ADMIN_ACCESS_H
#define FL_ADMIN_ACCESS_H

#include "conf.h"

/* The token that this value of Authorization: has, or NULL. Its time does not tell how much of a token was right. */
const struct conf_token *admin_access_token(const struct conf *conf, struct slice authorization);
/* Whether the path (as sent) needs no token. */
bool admin_access_is_open(const struct conf *conf, struct slice path);

#endif
