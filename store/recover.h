/* recover.h: what a start does before anything else: removes what a power cut can have left beside the database, and reads what
 * the mail streams need to go on. Its cost goes with the number of queues, not of recipients. The thread that opens the
 * store. */
#ifndef FL_RECOVER_H
#define FL_RECOVER_H

#include "engine.h"
#include "segment.h"

/* Removes body files that no row speaks of (written, but their COMMIT never came; or their last message went, and then the
 * power). Logs segments that have rows but no file: their messages cannot be delivered. */
int recover_files(struct engine *e, struct disk *disk, struct segments *segments, const struct log *log, struct fl_err *err);

struct recovered;

/* Reads queues, rules, jobs, and at most max_fresh fresh messages; what is fresh above that is parked, the newest ones. */
int recover_read(struct engine *e, int64_t now_ms, uint64_t *batch, int64_t max_fresh, struct recovered **ret,
                 struct fl_err *err);
const struct store_recovered *recovered_get(const struct recovered *r);
/* Takes NULL. */
void recovered_free(struct recovered *r);

#endif
