/* protocol_log.c: a ring of short lines. */
#include "protocol_log.h"

#include <string.h>

#include "reply.h"

/* Opens the next line with its prefix and adds the text. */
static void add(struct protocol_log *l, struct slice prefix, struct slice text)
{
    char *line = l->line[l->next];
    size_t room = PROTOCOL_LINE - prefix.n;

    memcpy(line, prefix.p, prefix.n);
    l->n[l->next] = (uint8_t)(prefix.n + reply_clean(text, line + prefix.n, room));
    l->next = (uint8_t)((l->next + 1) % PROTOCOL_LINES);
    if (l->count < PROTOCOL_LINES)
        l->count++;
}

void protocol_log_add(struct protocol_log *l, char who, struct slice text)
{
    char prefix[] = { who, ':', ' ' };

    add(l, slice_make(prefix, sizeof prefix), text);
}

void protocol_log_add_reply(struct protocol_log *l, int code, bool is_last, struct slice text)
{
    char prefix[] = { 'S', ':', ' ', (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10),
                      is_last ? ' ' : '-' };

    add(l, slice_make(prefix, sizeof prefix), text);
}

int protocol_log_write(const struct protocol_log *l, struct buf *out)
{
    for (int i = 0; i < l->count; i++) {
        int at = (l->next + PROTOCOL_LINES - l->count + i) % PROTOCOL_LINES;
        int rc = i ? buf_add_char(out, '\n') : 0;

        if (!rc)
            rc = buf_add(out, slice_make(l->line[at], l->n[at]));
        if (rc < 0)
            return rc;
    }
    return 0;
}
