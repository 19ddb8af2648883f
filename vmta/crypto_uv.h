/* crypto_uv.h: slow sums on libuv's pool, and PAM on a thread of its own: how a loop makes them. Loop thread. */
#ifndef FL_CRYPTO_UV_H
#define FL_CRYPTO_UV_H

#include <uv.h>

#include "crypto.h"
#include "err.h"

/* uv is borrowed for its life. FL_ENOMEM, FL_EIO. */
int crypto_new(uv_loop_t *uv, struct crypto **ret, struct fl_err *err);
/* Nothing new is taken; what runs is awaited by running the loop, and its done() is still called. Its memory goes with the
 * last of them. Takes NULL. */
void crypto_free(struct crypto *c);

#endif
