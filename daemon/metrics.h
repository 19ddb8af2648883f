/* metrics.h: the page of Prometheus (text format 0.0.4), and the counters that only it needs.
 * Loop thread. What the relay and the store count themselves is read from them when the page is asked for. */
#ifndef FL_METRICS_H
#define FL_METRICS_H

#include "buf.h"
#include "event.h"

struct relay;
struct store;
struct metrics;

enum {
    METRICS_REASONS_MAX = 64,     /* reasons of rejections; what comes later counts as "other" */
    METRICS_STREAMS_MAX = 100000, /* (tenant, VMTA) pairs on one page; those beyond are left out */
    METRICS_CERTIFICATES_MAX = 64,
};

struct metrics *metrics_new(void);    /* NULL without memory */
void metrics_free(struct metrics *m); /* takes NULL */

/* From the relay's one hook: counts rejections by reason. */
void metrics_event(struct metrics *m, const struct event *e);
/* How late a timer of the loop ran: once a second is enough. */
void metrics_loop_lag(struct metrics *m, int64_t lag_us);
/* When a certificate ends (wall). name: as in the configuration; the same name again replaces it. */
void metrics_certificate(struct metrics *m, const char *name, int64_t not_after_ms);
/* Forgets all certificates: before they are told anew after a reload. */
void metrics_forget_certificates(struct metrics *m);

struct metrics_sources {
    struct relay *relay;
    struct store *store;
    int64_t wall_ms;
    int64_t sessions_in;
    const char *openssl; /* its version */
};
/* Adds the whole page. 0 or an error of buf. */
int metrics_write(const struct metrics *m, const struct metrics_sources *from, struct buf *out);

#endif
