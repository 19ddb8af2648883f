/* quarantine.c: see quarantine.h. */
#include "quarantine.h"

static int find(const struct quarantine *q, const struct ulid *id)
{
    for (int i = 0; i < q->count; i++)
        if (ulid_cmp(&q->id[i], id) == 0)
            return i;
    return -1;
}

bool quarantine_has(const struct quarantine *q, const struct ulid *id)
{
    return q->count > 0 && find(q, id) >= 0;
}

bool quarantine_add(struct quarantine *q, const struct ulid *id)
{
    if (quarantine_has(q, id))
        return true;
    if (q->count == QUARANTINE_MAX)
        return false;
    q->id[q->count++] = *id;
    return true;
}

void quarantine_remove(struct quarantine *q, const struct ulid *id)
{
    int i = q->count > 0 ? find(q, id) : -1;

    if (i >= 0)
        q->id[i] = q->id[--q->count];
}
