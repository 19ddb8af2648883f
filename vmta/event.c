/* event.c: see event.h. */
#include "event.h"

const char *event_name(enum event_kind kind)
{
    static const char *const names[EVENTS] = {
        [EVENT_ACCEPTED] = "accepted", [EVENT_REJECTED] = "rejected", [EVENT_DELIVERED] = "delivered",
        [EVENT_DEFERRED] = "deferred", [EVENT_BOUNCED] = "bounced",   [EVENT_EXPIRED] = "expired",
        [EVENT_DROPPED] = "dropped",   [EVENT_PATH_DEFERRED] = "path_deferred",
    };

    return (unsigned)kind < EVENTS ? names[kind] : NULL;
}
