/* auth.h: is this log-in right? Secrets of the configuration (recoverable, crypt(3), SCRAM verifiers) and PAM against what a
 * SASL exchange brought. What takes long runs in the pool; verified log-ins are remembered for AUTH_REMEMBER_MS as an HMAC
 * under a key of the process, and forgotten at a reload. A wrong log-in costs the same whether the user exists or not.
 * Loop thread; daemon/session.c calls it. */
#ifndef FL_AUTH_H
#define FL_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"
#include "sasl.h"

struct auth;
struct auth_job;
struct crypto;

enum {
    AUTH_REMEMBER_MS = 10 * 60 * 1000,
    AUTH_REMEMBERED_MAX = 16384,      /* log-ins; the oldest goes */
};

/* PAM's door: whether the service "fairlead" lets this user in. Runs on a thread of its own. NULL-terminated texts. */
typedef bool auth_system(void *arg, const char *user, const char *password);

/* crypto and arg are borrowed. system: NULL: the real one, in this process (auth_pam.h). FL_ENOMEM; FL_EIO without random
 * bytes. */
int auth_new(struct crypto *crypto, auth_system *system, void *arg, struct auth **ret, struct fl_err *err);
void auth_free(struct auth *a); /* takes NULL; no job may be under way */
/* At a reload. */
void auth_forget_all(struct auth *a);

/* The salt that SCRAM tells this user: of its verifier, or one made from its name, for users that do not exist as well. */
void auth_scram_salt(const struct auth *a, const struct conf *conf, struct slice user, uint8_t ret_salt[SASL_SALT_MAX],
                     size_t *ret_n, int *ret_iterations);

enum auth_verdict { AUTH_RIGHT, AUTH_WRONG, AUTH_LATER /* too many are waiting, or no memory */ };
/* user: in the conf that was given, NULL unless right. signature: SCRAM's, when right. Borrowed inside the call. */
typedef void auth_done(void *arg, enum auth_verdict verdict, const struct conf_user *user, const uint8_t *signature);
/* Verifies r (not EXTERNAL, which the certificate answers). conf: a reference is held until done. What r points to is copied,
 * and overwritten afterwards. done runs once, before this returns or later on the loop; *ret_job is NULL when it ran already.
 */
void auth_verify(struct auth *a, struct conf *conf, const struct sasl_request *r, int64_t now_ms, auth_done *done, void *arg,
                 struct auth_job **ret_job);
/* done will not be called. */
void auth_cancel(struct auth_job *job);

#endif
