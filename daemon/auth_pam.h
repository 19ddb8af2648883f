/* auth_pam.h: users of method `system`: the PAM service "fairlead".
 * Any thread (daemon/auth.c runs it on one of its own: modules may take seconds). */
#ifndef FL_AUTH_PAM_H
#define FL_AUTH_PAM_H

#include <stdbool.h>

/* Whether PAM lets this user in, account checks included. */
bool auth_pam(const char *user, const char *password);

#endif
