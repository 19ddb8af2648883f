/* auth_helper.h: PAM in a process of its own. Its modules run helpers (pam_unix: the set-uid unix_chkpwd), read /etc/shadow and
 * load what they like, none of which the sandbox grants; so users of method `system` are asked for from a child that was forked
 * before it, with the rights that the daemon was started with, and that does nothing else.
 * auth_helper_start: main thread, before others begin; auth_helper_ask: one thread at a time (crypto's PAM thread). */
#ifndef FL_AUTH_HELPER_H
#define FL_AUTH_HELPER_H

#include "auth.h"

struct auth_helper;

/* Begins the child; it ends with us. check: what it asks (NULL: PAM). FL_ENOMEM; FL_EIO. */
int auth_helper_start(bool (*check)(const char *user, const char *password), struct auth_helper **ret, struct fl_err *err);
/* An auth_system (auth.h). False also when the child is gone. */
bool auth_helper_ask(void *helper, const char *user, const char *password);
/* The child ends. Takes NULL. */
void auth_helper_stop(struct auth_helper *h);

#endif
