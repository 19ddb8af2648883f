/* admin_order.h: the body of POST /v1/actions as a struct action: {do, select{…}, to, dsn, refuse, dry_run}.
 * Pure; any thread. Says what cannot be meant before the relay is asked: an empty selection, `to` without move, all beside
 * others. */
#ifndef FL_ADMIN_ORDER_H
#define FL_ADMIN_ORDER_H

#include <jansson.h>

#include "domain.h"
#include "err.h"
#include "relay_view.h"

struct admin_order {
    struct action action; /* its texts lie in doc and here; `who` is the caller's */
    json_t *doc;
    struct ulid message;
    char domain[DOMAIN_MAX + 2];
};

/* ret is to be cleared by admin_order_free, whatever the result. FL_EINVAL with the text for a 400. ret must not move: the
 * action points into it. */
int admin_order_parse(struct slice body, struct admin_order *ret, struct fl_err *err);
void admin_order_free(struct admin_order *o);
/* "ready" …: false when there is no such state. */
bool admin_state_parse(struct slice name, enum view_state *ret);

#endif
