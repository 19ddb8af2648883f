/* tally.h: what one transaction changes in counts, summed up, so that each row of queue, job and segment is written once a
 * batch. Pure; the store thread. Filled while operations are applied, written before COMMIT, emptied after it or after a
 * rollback. */
#ifndef FL_TALLY_H
#define FL_TALLY_H

#include <uthash.h>

#include "envelope.h"

struct tally_queue {
    uint64_t id;
    struct queue_key key; /* names borrowed from the operation; empty: the row is there already */
    int64_t messages, recipients, bytes;
    UT_hash_handle hh;
};

enum job_column { JOB_QUEUED, JOB_DELIVERED, JOB_BOUNCED, JOB_EXPIRED, JOB_DROPPED, JOB_COLUMNS };

struct tally_job {
    struct slice tenant, job; /* borrowed until the tally is emptied */
    int64_t counts[JOB_COLUMNS], bytes;
    int64_t first_received_ms; /* of the messages that came in; 0: none did */
    UT_hash_handle hh;
    size_t name_length;
    char name[]; /* tenant, NUL, job: the key */
};

struct tally_segment {
    uint64_t id;
    int64_t live; /* messages */
    UT_hash_handle hh;
};

struct tally {
    struct tally_queue *queues;
    struct tally_job *jobs;
    struct tally_segment *segments;
};

/* The entry to add to; NULL without memory. */
struct tally_queue *tally_queue(struct tally *t, const struct queue_key *key);
struct tally_job *tally_job(struct tally *t, struct slice tenant, struct slice job);
/* FL_ENOMEM. */
int tally_segment(struct tally *t, uint64_t id, int live);
void tally_clear(struct tally *t);

#endif
