/* why.h: why a queue waits, in one sentence for people. Pure; loop thread. */
#ifndef FL_WHY_H
#define FL_WHY_H

#include "buf.h"
#include "mta.h"

/* Never empty: what keeps the queue's mail from going now, or that nothing does. Errors of buf. */
int why_text(const struct mta *m, const struct queue *q, struct buf *out);
/* When something of it may go again (wall); 0: not known or now. */
int64_t why_next_attempt(const struct mta *m, const struct queue *q);

#endif
