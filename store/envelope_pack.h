/* envelope_pack.h: envelopes as bytes, the form in which the database keeps them. Only sqlite_*.c store and read it.
 * Pure; any thread. The first byte of each is its version: what is written today must be readable for ever. */
#ifndef FL_ENVELOPE_PACK_H
#define FL_ENVELOPE_PACK_H

#include "buf.h"
#include "envelope.h"

/* All of the message but its recipients and its body's place. FL_ENOMEM, FL_ELIMIT. */
int envelope_pack_head(struct buf *out, const struct envelope *e);
/* All recipients of a fresh message, their queues' names included. */
int envelope_pack_rcpts(struct buf *out, const struct envelope *e);
/* What the row of a parked recipient keeps beside its columns: address, ORCPT, NOTIFY, last reply. */
int envelope_pack_details(struct buf *out, const struct envelope_rcpt *r);
int envelope_pack_reply(struct buf *out, const struct last_reply *r);

/* The reverse. Texts are copied into the envelope. FL_ECORRUPT, FL_ENOMEM; `in` is what is left behind it. */
int envelope_unpack_head(struct slice *in, struct envelope *e);
int envelope_unpack_rcpts(struct slice *in, struct envelope *e);
/* Fills address, orcpt, notify, delay_notified and reply of r. Slices point into `in`: borrowed. */
int envelope_unpack_details(struct slice in, struct envelope_rcpt *r);
/* Empty input: no reply. Slices point into `in`. */
int envelope_unpack_reply(struct slice in, struct last_reply *r);

#endif
