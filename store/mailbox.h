/* mailbox.h: a queue of operations from many threads to one. Order is kept.
 * Any thread posts; one thread takes. */
#ifndef FL_MAILBOX_H
#define FL_MAILBOX_H

#include <pthread.h>

#include "op.h"

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct op_list ops;
    bool eager;  /* something waits that should not wait */
    bool closed;
};

int mailbox_init(struct mailbox *m);
void mailbox_free(struct mailbox *m); /* the operations in it too */
/* Moves a whole list to its end. eager: wakes the taker at once; otherwise it may linger (mailbox_wait). Says whether it was
 * empty. */
bool mailbox_post(struct mailbox *m, struct op_list *ops, bool eager);
/* Takes all there is, without waiting: adds it to the end of `to`. */
void mailbox_take(struct mailbox *m, struct op_list *to);
/* Waits until something is there: at most timeout_ms (negative: for ever) for the first, and then, if nothing eager is among
 * it, linger_ms more for something to ride along with. False once it is closed and empty. */
bool mailbox_wait(struct mailbox *m, int timeout_ms, int linger_ms);
/* Wakes the taker for the last time; what is in it is still taken. */
void mailbox_close(struct mailbox *m);

#endif
