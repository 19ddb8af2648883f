/* crypto.h: port: slow sums (password hashes, signatures, loading a configuration) off the loop.
 * Implemented by crypto_uv.c (libuv's pool) and by the simulator (at once, in order). */
#ifndef FL_CRYPTO_H
#define FL_CRYPTO_H

struct crypto;

enum crypto_class {
    CRYPTO_WORK, /* our own work */
    CRYPTO_AUTH, /* log-ins: at most 2 at a time and 1,000 waiting, so that a flood cannot starve the rest */
    CRYPTO_PAM,  /* a thread of its own: a wrong password takes seconds there */
};

/* Runs work(arg) on another thread, then done(arg) on the loop. FL_ELIMIT when the class is full: neither is called. arg is
 * borrowed until done; work must not touch what the loop may change meanwhile. */
int crypto_run(struct crypto *c, enum crypto_class class, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
