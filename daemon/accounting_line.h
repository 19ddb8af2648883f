/* accounting_line.h: one event as one line of JSON. The hot path of accounting: written by hand, no tree, no allocation but
 * buf's. Pure; any thread. Whatever bytes a field has, the line is valid UTF-8 and valid JSON, and no value holds a control
 * character: these and bytes that are no UTF-8 become U+FFFD (LF and CR too, so that a line is one event). */
#ifndef FL_ACCOUNTING_LINE_H
#define FL_ACCOUNTING_LINE_H

#include "buf.h"
#include "event.h"

/* A bit per field of a line; what the configuration calls `fields`. */
#define ACCOUNTING_ALL_FIELDS UINT32_MAX
/* The bit of a field's name; 0: there is none of that name. */
uint32_t accounting_field(struct slice name);
/* The i-th name in the order of a line, NULL beyond the last: for checks and documentation. */
const char *accounting_field_name(int i);

/* Adds the line with its LF. Errors of buf; nothing is added then. */
int accounting_line(const struct event *e, uint32_t fields, struct buf *out);

#endif
