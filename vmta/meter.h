/* meter.h: how many in the last minute, in slots of five seconds. Pure. */
#ifndef FL_METER_H
#define FL_METER_H

#include <stdint.h>

enum { METER_SLOTS = 12, METER_SLOT_MS = 5000 };

struct meter {
    int64_t slot;                 /* number of the newest slot: mono_ms / METER_SLOT_MS */
    uint32_t count[METER_SLOTS];
};

static inline void meter_advance(struct meter *m, int64_t mono_ms)
{
    int64_t slot = mono_ms / METER_SLOT_MS;

    if (slot - m->slot > METER_SLOTS)
        m->slot = slot - METER_SLOTS;
    while (m->slot < slot)
        m->count[++m->slot % METER_SLOTS] = 0;
}

static inline void meter_add(struct meter *m, uint32_t n, int64_t mono_ms)
{
    meter_advance(m, mono_ms);
    m->count[m->slot % METER_SLOTS] += n;
}

static inline int64_t meter_per_minute(struct meter *m, int64_t mono_ms)
{
    int64_t sum = 0;

    meter_advance(m, mono_ms);
    for (int i = 0; i < METER_SLOTS; i++)
        sum += m->count[i];
    return sum;
}

#endif
