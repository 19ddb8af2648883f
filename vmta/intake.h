/* intake.h: what ingest asks of the queues: their names, whether mail can be fresh, and where it goes once it is durable. Loop thread. */
#ifndef FL_INTAKE_H
#define FL_INTAKE_H

#include "ingest.h"
#include "mta.h"

/* The functions of struct ingest_ports that speak of queues; arg is the struct mta. */
void intake_ports(struct mta *m, struct ingest_ports *ret);
/* What the store recovered: queues, holds, jobs, fresh mail. Errors are out of memory. */
int intake_recovered(struct mta *m, const struct store_recovered *found, struct fl_err *err);

#endif
