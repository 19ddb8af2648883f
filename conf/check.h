/* check.h: what holds across the parts of a built configuration: never an open relay, nothing that can never be delivered, and
 * warnings of what is probably not meant. Pure; one thread; called by load.c once everything is built. */
#ifndef FL_CHECK_H
#define FL_CHECK_H

#include "conf.h"
#include "finding.h"
#include "node.h"

/* root gives places of what struct conf keeps none for. */
void check_all(const struct conf *c, const struct node *root, struct conf_findings *findings);

/* check_relay.c: who could send to whom without authentication. */
void check_relay(const struct conf *c, const struct node *root, struct conf_findings *findings);
/* check_reach.c: settings that leave a virtual MTA no way to send. */
void check_reach(const struct conf *c, struct conf_findings *findings);
/* check_hidden.c: settings that a `*` elsewhere makes void. */
void check_hidden(const struct conf *c, struct conf_findings *findings);

#endif
