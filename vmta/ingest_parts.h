/* ingest_parts.h: what ingest is made of, for ingest.c and bounce.c. */
#ifndef FL_INGEST_PARTS_H
#define FL_INGEST_PARTS_H

#include "ingest.h"
#include "quota.h"
#include "ulid.h"

struct ingest {
    struct ingest_ports ports;
    struct conf *conf;           /* a reference: in force for what begins now */
    struct quotas *quotas;
    struct ulid_source ids;
    struct intaking *under_way;  /* messages whose COMMIT is awaited */
};

#endif
