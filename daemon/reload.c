/* reload.c: see reload.h. */
#include "reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "finding.h"
#include "load.h"

struct waiter {
    admin_reloaded *done;
    void *arg;
};

struct waiters {
    struct waiter items[RELOAD_WAITERS_MAX];
    int count;
};

struct reload {
    struct reload_options o;
    bool loading;
    bool stopped;
    bool again;             /* asked for meanwhile */
    struct waiters now, next;
    /* the load under way; the pool's until it is done */
    struct conf *conf;
    struct conf_findings findings;
    int rc;
};

static void begin(struct reload *r);

struct reload *reload_new(const struct reload_options *options)
{
    struct reload *r = calloc(1, sizeof *r);

    if (r)
        r->o = *options;
    return r;
}

void reload_free(struct reload *r)
{
    free(r);
}

void reload_stop(struct reload *r)
{
    if (r)
        r->stopped = true;
}

static void tell(struct reload *r, int rc, struct slice findings)
{
    struct waiters told = r->now;

    r->now.count = 0;
    for (int i = 0; i < told.count; i++)
        told.items[i].done(told.items[i].arg, rc, findings);
}

static void load_on_pool(void *arg)
{
    struct reload *r = arg;

    r->rc = conf_load(r->o.file, &r->conf, &r->findings);
}

static bool is_denied(const struct conf_findings *f)
{
    for (int i = 0; i < f->count; i++)
        if (!f->items[i].is_warning && strstr(f->items[i].text, strerror(EACCES)))
            return true;
    return false;
}

/* Each finding on a line of its own, for the log and for who asked. */
static void write_findings(struct reload *r, struct buf *out)
{
    bool denied = r->o.denied_note && is_denied(&r->findings);

    for (int i = 0; i < r->findings.count; i++) {
        struct buf line;
        const struct conf_finding *f = &r->findings.items[i];

        buf_init(&line, 0);
        if (conf_finding_text(f, &line) == 0) {
            buf_add(out, buf_slice(&line));
            log_message(r->o.log, f->is_warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "config", "%.*s",
                        SLICE_ARG(slice_trim_crlf(buf_slice(&line))));
        }
        buf_free(&line);
    }
    if (denied) {
        buf_printf(out, "%s\n", r->o.denied_note);
        log_message(r->o.log, LOG_LEVEL_ERROR, "config", "%s", r->o.denied_note);
    }
    if (r->rc < 0 && buf_len(out) == 0)
        buf_printf(out, "%s: error: cannot be loaded (out of memory?)\n", r->o.file);
}

static void put_in_force(struct reload *r, struct buf *text)
{
    struct fl_err err;

    r->rc = r->o.apply(r->o.arg, r->conf, &err);
    if (r->rc == 0) {
        log_message(r->o.log, LOG_LEVEL_INFO, "reloaded", "%s", r->o.file);
        return;
    }
    log_message(r->o.log, LOG_LEVEL_ERROR, "reload_failed", "%s", err.text);
    buf_printf(text, "%s:1:1: error: %s\n", r->o.file, err.text);
    r->rc = FL_EINVAL;
}

static void forget(struct reload *r)
{
    conf_unref(r->conf);
    r->conf = NULL;
    conf_findings_free(&r->findings);
}

static void loaded(void *arg)
{
    struct reload *r = arg;
    struct buf text;
    struct slice told;

    r->loading = false;
    if (r->stopped) { /* what it would be put in force on is going, or gone */
        forget(r);
        return;
    }
    buf_init(&text, 0);
    write_findings(r, &text);
    if (r->rc == 0)
        put_in_force(r, &text);
    else
        log_message(r->o.log, LOG_LEVEL_ERROR, "reload_failed", "%s: the configuration in force stays", r->o.file);
    told = r->rc == 0 ? SLICE_NONE : buf_slice(&text);
    forget(r);
    tell(r, r->rc == 0 ? 0 : FL_EINVAL, told);
    buf_free(&text);
    if (r->again)
        begin(r);
}

static void begin(struct reload *r)
{
    r->now = r->next;
    r->next.count = 0;
    r->again = false;
    r->loading = crypto_run(r->o.crypto, CRYPTO_WORK, load_on_pool, loaded, r) == 0;
    if (!r->loading)
        tell(r, FL_ELIMIT, SLICE("fairlead: too busy to reload\n"));
}

void reload_request(struct reload *r, admin_reloaded *done, void *done_arg)
{
    if (done && r->next.count == RELOAD_WAITERS_MAX) {
        done(done_arg, FL_ELIMIT, SLICE("fairlead: too many reloads are asked for\n"));
        return;
    }
    if (done)
        r->next.items[r->next.count++] = (struct waiter){ done, done_arg };
    r->again = true;
    if (!r->loading && !r->stopped)
        begin(r);
}
