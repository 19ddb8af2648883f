/* segment.h: append-only files in which bodies lie, many to a file; and the names of all body files. The bytes of a batch are
 * written as one run and synced before its COMMIT; a file goes when the last message in it is gone. Nothing is ever moved or
 * repaired: each start, and each error, begins a new file.
 *
 * One file that went is kept as the spare, and becomes the next one under its new name: its blocks are there and were written
 * before, so that neither a new file costs time, nor a sync the change of what the file system knows of it. Whoever drops a
 * file has closed all handles to it before: see reader.h.
 *
 * The store thread; names: any thread. */
#ifndef FL_SEGMENT_H
#define FL_SEGMENT_H

#include "file.h"
#include "op.h"
#include "tally.h"

enum { SEGMENT_BYTES = 64 << 20 };

#define SEGMENT_SPARE "spare"

enum { SEGMENT_NAME = 48 };
/* "segment-00000000000000a1" */
void segment_name(uint64_t id, char ret[SEGMENT_NAME]);
/* "large-01J…": the rest of one large body. */
void segment_large_name(const struct ulid *file, char ret[SEGMENT_NAME]);
/* False when the name is neither. One of *ret_id and *ret_file is set; the other is zero. */
bool segment_parse_name(const char *name, uint64_t *ret_id, struct ulid *ret_file);

struct segments;

/* size: of a file, normally SEGMENT_BYTES. disk is borrowed. */
int segments_new(struct disk *disk, uint64_t size, struct segments **ret);
void segments_free(struct segments *s);
/* Says what the database has: once for each row. most: messages that it ever held at a time. */
int segments_add(struct segments *s, uint64_t id, int64_t live, int64_t most);
/* No file with this number may be used again. */
void segments_reserve(struct segments *s, uint64_t id);

/* Writes the bodies of those messages that have no place yet, as one run, and gives them their places. After an error none of
 * them has one, and the next run begins a new file. */
int segments_write(struct segments *s, struct op_message *const *messages, int count);
/* Makes what was written durable, the file's name included. After an error the file is given up: places in it that were not yet
 * synced are worth nothing. Says in *ret_flushes how many there were. */
int segments_sync(struct segments *s, int *ret_flushes);
/* Begins a new file at the next run. */
void segments_seal(struct segments *s);

/* Adds those that are no longer written and empty to the tally, so that this batch removes them. */
int segments_tally_idle(struct segments *s, struct tally *t);
/* Messages that it will hold after the batch; and whether it goes with it. */
int64_t segments_live_after(const struct segments *s, const struct tally_segment *t);
bool segments_dies(const struct segments *s, const struct tally_segment *t);
/* After COMMIT: takes the tally over, and says which files died: they are the caller's to remove, or one to rename to
 * SEGMENT_SPARE. If that fails, the next start finds the file without a row, and removes it. */
typedef void segment_died(void *arg, const char *name);
void segments_commit(struct segments *s, const struct tally *t, segment_died *died, void *arg);
/* Those that are old, no longer written, and hold a quarter at most of what they held: up to limit of them. Each is named again
 * only when it has lost three quarters once more. To be asked at long intervals: old is what was not written at the last. */
int segments_sparse(struct segments *s, uint64_t *ret, int limit);
/* Bytes written since the last call of this. */
int64_t segments_written(struct segments *s);

#endif
