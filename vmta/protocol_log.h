/* protocol_log.h: the last lines of a conversation, for `queue show`. Fixed memory, written on the hot path, so it only copies.
 * Pure; one thread at a time. Whoever writes leaves credentials out. */
#ifndef FL_PROTOCOL_LOG_H
#define FL_PROTOCOL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

enum { PROTOCOL_LINES = 20, PROTOCOL_LINE = 160 };

/* Zeroed: empty. */
struct protocol_log {
    uint8_t next, count;
    uint8_t n[PROTOCOL_LINES];
    char line[PROTOCOL_LINES][PROTOCOL_LINE];
};

/* Adds "who: text", cut to fit and cleaned (reply_clean). who: 'C' what we said, '#' a remark. */
void protocol_log_add(struct protocol_log *l, char who, struct slice text);
/* Adds a line of a reply: "S: 250-text", or with a blank for the last one. */
void protocol_log_add_reply(struct protocol_log *l, int code, bool is_last, struct slice text);
/* Oldest first, newline separated. Errors of buf. */
int protocol_log_write(const struct protocol_log *l, struct buf *out);

#endif
