/* signals_uv.c: see signals_uv.h. */
#include "signals_uv.h"

#include <signal.h>
#include <stdlib.h>

#include "now_uv.h"

enum { SIGNALS = 3 };

struct signals {
    uv_signal_t handles[SIGNALS];
    int open;
    void (*stop)(void *arg);
    void (*hangup)(void *arg);
    void *arg;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *s = handle->data;

    now_refresh(handle->loop);
    if (number == SIGHUP)
        s->hangup(s->arg);
    else
        s->stop(s->arg);
}

struct signals *signals_new(uv_loop_t *uv, void (*stop)(void *arg), void (*hangup)(void *arg), void *arg)
{
    static const int numbers[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
    struct signals *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->stop = stop;
    s->hangup = hangup;
    s->arg = arg;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* under a limit on the size of files a write fails (EFBIG), as on a disk that fails */
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(uv, &s->handles[i]);
        s->handles[i].data = s;
        uv_signal_start(&s->handles[i], on_signal, numbers[i]);
        s->open++;
    }
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    struct signals *s = handle->data;

    if (--s->open == 0)
        free(s);
}

void signals_free(struct signals *s)
{
    for (int i = 0; s && i < SIGNALS; i++)
        uv_close((uv_handle_t *)&s->handles[i], on_closed);
}
